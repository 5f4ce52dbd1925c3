//! What violates the checks of holds, reversals, chains, limits and refusals.

use super::busy::{AZ_OTHER, Busy, TX_OTHER, busy};
use super::{AZ, TX, attempt};
use crate::books::{ChangeRow, HoldRow, ReversalRow, Terms};
use crate::history::{Answer, Attempt, Cause, ChangeAnswer, Link};
use crate::oracle::{Check, judge};
use uuid::Uuid;

/// Which checks fail once the world has been changed; each violation says so in words that contain `expected`.
fn violated(name: &str, check: Check, expected: &str, change: impl FnOnce(&mut Busy)) {
    let mut busy = busy();
    change(&mut busy);
    let judgement = judge(&busy.world.history, &busy.world.books);
    let is_told = judgement.violations.iter().any(|one| one.check == check && one.to_string().contains(expected));
    assert!(is_told, "{name}: expected {check:?} with {expected:?}, found {:#?}", judgement.violations);
}

fn refused(code: &str) -> Answer {
    Answer::Refused { replayed: false, code: code.into() }
}

#[test]
fn a_busy_history_is_right() {
    let busy = busy();
    let judgement = judge(&busy.world.history, &busy.world.books);
    assert!(judgement.violations.is_empty(), "{:#?}", judgement.violations);
}

#[test]
fn what_was_acknowledged_of_other_operations_must_stand() {
    use Check::Acknowledged;
    violated("a capture of another hold", Acknowledged, "answered posted", |busy| {
        busy.first_row("part").particulars.hold = Some(Uuid::from_u128(77));
    });
    violated("a capture that is not the last one", Acknowledged, "answered posted", |busy| {
        busy.first_row("last").particulars.is_final = Some(false);
    });
    violated("a hold with another time", Acknowledged, "answered posted", |busy| {
        busy.first_row("due").particulars.expires_at = None;
    });
    violated("a hold at both branches", Acknowledged, "answered posted", |busy| {
        let row = busy.first_row("due").clone();
        busy.world.books.get_mut(&2).unwrap().rows.push(row);
    });
    violated("a reversal that was not forced", Acknowledged, "answered posted", |busy| {
        busy.first_row("forced").particulars.is_forced = false;
    });
    violated("less was moved than is told", Acknowledged, "answered posted", |busy| {
        busy.rows("all").into_iter().for_each(|row| row.amount -= 1);
    });
    violated("more was moved than was asked for", Acknowledged, "answered posted", |busy| {
        busy.sent("all").contents[0].amount = 1_000;
        busy.rows("all").into_iter().for_each(|row| row.particulars.asked = Some(1_000));
    });
    violated("a link is of another chain", Acknowledged, "answered posted", |busy| {
        busy.first_row("second").link = None;
    });
    violated("a conflict of a chain that is recorded as it was sent", Acknowledged, "answered conflict", |busy| {
        for name in ["first", "second", "third"] {
            busy.sent(name).attempts.push(attempt(900, 901, Answer::Conflict));
        }
    });
}

#[test]
fn a_chain_conflicts_with_what_another_of_its_links_has_on_record() {
    let mut busy = busy();
    // The second link is sent in the chain with other content than it was recorded with; the others are as they were.
    let changed = &mut busy.sent("second").contents;
    changed.push(changed[0]);
    changed[1].category = 9;
    let names = ["first", "second", "third"];
    let mut other = busy.world.history.chains[0].clone();
    other.links[1].1 = 1;
    other.links[0].1 = 1;
    other.links[2].1 = 1;
    for name in ["first", "third"] {
        let contents = &mut busy.sent(name).contents;
        contents.push(contents[0]);
    }
    for name in names {
        let conflict = attempt(900, 901, Answer::Conflict);
        busy.sent(name).attempts.push(Attempt { content: 1, ..conflict });
    }
    busy.world.history.chains.push(other);
    let judgement = judge(&busy.world.history, &busy.world.books);
    assert!(judgement.violations.is_empty(), "{:#?}", judgement.violations);
}

#[test]
fn what_is_held_must_follow_from_the_holds() {
    violated("a cent more is held", Check::Balances, "the acknowledged holds have", |busy| busy.account(TX).held += 1);
    violated("a hold that was acknowledged is gone", Check::Balances, "the acknowledged holds have", |busy| {
        busy.account(TX).held = 0;
    });
    violated("a cent more is held than the rows say", Check::Limits, "its holds have", |busy| {
        busy.account(TX).held += 1;
    });
}

#[test]
fn a_hold_is_ended_once_and_never_exceeded() {
    use Check::Holds;
    violated("captured beyond its amount", Holds, "was captured of 300", |busy| busy.first_row("part").amount = 251);
    violated("released and captured", Holds, "ended 2 times", |busy| {
        let held = busy.sent("held").id;
        let mut row = busy.first_row("release").clone();
        row.particulars.hold = Some(held);
        busy.world.books.get_mut(&1).unwrap().rows.push(row);
    });
    violated("expired twice", Holds, "ended 2 times", |busy| {
        let rows = &mut busy.world.books.get_mut(&1).unwrap().rows;
        let mut again = rows.iter().find(|row| &*row.kind == "expiry").unwrap().clone();
        again.id = Uuid::from_u128(7_777);
        rows.push(again);
    });
    violated("a part was given back", Holds, "30 was given back, 40 was left", |busy| {
        busy.first_row("release").amount = 30;
    });
    violated("captured after it was ended", Holds, "captured after", |busy| busy.first_row("part").posted_at = 45);
    violated("captured after its time", Holds, "its time was up", |busy| {
        busy.first_row("held").particulars.expires_at = Some(35);
    });
    violated("expired before its time", Holds, "it expired at", |busy| {
        busy.first_row("due").particulars.expires_at = Some(500);
    });
    violated("an expiry of what never expires", Holds, "it expired at", |busy| {
        busy.first_row("due").particulars.expires_at = None;
    });
    violated("its expiry was never booked", Holds, "it is open at", |busy| {
        busy.first_row("open").particulars.expires_at = Some(1_000);
        busy.world.books.get_mut(&2).unwrap().read_at = 4_000_000;
    });
    violated("captured before it was placed", Holds, "before its hold", |busy| busy.first_row("part").posted_at = 1);
    violated("a capture of what was never placed", Holds, "was never placed", |busy| busy.without("held"));
    violated("a capture between other accounts", Holds, "of other accounts", |busy| {
        busy.first_row("part").credit = TX;
    });
    violated("its row says less was captured", Holds, "its row is", |busy| busy.hold("held").captured -= 1);
    violated("its row says it is open", Holds, "its row is", |busy| busy.hold("freed").state = "open".into());
    violated("it has no row", Holds, "its row is None", |busy| {
        busy.world.books.get_mut(&1).unwrap().holds.clear();
    });
    violated("a row of no hold", Holds, "nobody placed there", |busy| {
        let row = HoldRow { amount: 1, captured: 0, released: 0, state: "open".into() };
        busy.world.books.get_mut(&2).unwrap().holds.insert(Uuid::from_u128(7_777), row);
    });
}

#[test]
fn no_more_goes_back_than_was_moved() {
    use Check::Reversals;
    violated("beyond the original", Reversals, "121 went back of 120", |busy| busy.first_row("back").amount = 51);
    violated("its row says less", Reversals, "what went back of it is", |busy| {
        busy.world.books.get_mut(&1).unwrap().reversals.values_mut().for_each(|row| row.reversed = 50);
    });
    violated("it has no row", Reversals, "what went back of it is None", |busy| {
        busy.world.books.get_mut(&1).unwrap().reversals.clear();
    });
    violated("a row of no reversal", Reversals, "by no reversal", |busy| {
        let row = ReversalRow { amount: 5, reversed: 5 };
        busy.world.books.get_mut(&2).unwrap().reversals.insert(Uuid::from_u128(7_777), row);
    });
    violated("the wrong way", Reversals, "does not go back the way", |busy| busy.first_row("back").credit = TX);
    violated("a reversal of a hold", Reversals, "moved no money", |busy| {
        let hold = busy.sent("held").id;
        busy.first_row("back").particulars.original = Some(hold);
    });
}

#[test]
fn a_chain_is_posted_or_refused_whole() {
    use Check::Chains;
    violated("a link is refused, the others posted", Chains, "1 of its 3 links are refused", |busy| {
        busy.first_row("second").refusal = Some("insufficient_funds".into());
    });
    violated("a link is lost at the one branch that has it", Chains, "its links are", |busy| busy.without("third"));
    violated("the refusal is lost at one of the homes", Chains, "its links are", |busy| busy.without("after"));
    violated("its links are in two batches", Chains, "in several batches", |busy| {
        busy.first_row("after").batch = "AZ-1-1".into();
    });
    violated("nothing broke it", Chains, "refused by 0 links", |busy| {
        busy.first_row("broken").refusal = Some("chain_broken".into());
    });
    violated("it broke twice", Chains, "refused by 2 links", |busy| {
        busy.first_row("after").refusal = Some("insufficient_funds".into());
    });
    violated("it broke behind what can never be posted", Chains, "can never be posted", |busy| {
        busy.sent("before").contents[0].doomed = Some("currency_mismatch");
    });
    violated("a place twice", Chains, "its links are", |busy| {
        let link = busy.first_row("second").link;
        busy.first_row("third").link = link.map(|link| Link { position: 1, ..link });
    });
    violated("answered differently", Chains, "answered differently", |busy| {
        busy.sent("first").attempts[0].answer = Answer::Indeterminate(Cause::Broken);
    });
    violated("refused and unknown when it is sent again", Chains, "answered differently", |busy| {
        busy.sent("before").attempts.push(attempt(900, 901, refused("chain_broken")));
        busy.sent("broken").attempts.push(attempt(900, 901, Answer::Unavailable("busy".into())));
        busy.sent("after").attempts.push(attempt(900, 901, refused("chain_broken")));
    });
    violated("a link that was sent alone by the rig", Chains, "the rig is broken", |busy| {
        busy.sent("third").attempts.push(attempt(900, 901, Answer::NotConnected));
    });
    violated("chain_broken of no chain", Check::Refusals, "it is of no chain", |busy| {
        busy.first_row("too late").refusal = Some("chain_broken".into());
    });
}

#[test]
fn a_chain_that_is_sent_again_moves_nothing_more() {
    let mut busy = busy();
    for (name, amount) in [("first", 100), ("second", 30), ("third", 10)] {
        let batch = busy.first_row(name).batch.clone();
        busy.sent(name).attempts.push(attempt(900, 901, super::replayed(&batch, amount)));
    }
    let judgement = judge(&busy.world.history, &busy.world.books);
    assert!(judgement.violations.is_empty(), "{:#?}", judgement.violations);
    violated("posted twice, it is said", Check::Settled, "2 attempts say", |busy| {
        for name in ["first", "second", "third"] {
            let again = busy.sent(name).attempts[0].clone();
            busy.sent(name).attempts.push(again);
        }
    });
}

#[test]
fn limits_hold_and_those_outside_are_marked() {
    use Check::Limits;
    violated("outside without a mark", Limits, "is marked false", |busy| busy.account(AZ_OTHER).limit_exceeded = false);
    violated("marked, and inside", Limits, "is marked true", |busy| busy.account(AZ).limit_exceeded = true);
    violated("outside without force", Limits, "available went from 0 to -70", |busy| {
        busy.first_row("forced").particulars.is_forced = false;
    });
    violated("outside by what is held", Limits, "available went from", |busy| busy.first_row("held").amount = 1_200);
    violated("above its ceiling", Limits, "is above its ceiling 500", |busy| {
        let time = busy.first_row("deposit").posted_at - 1;
        busy.world.books.get_mut(&1).unwrap().changes[0].changed_at = time;
    });
    violated("frozen, and paid", Limits, "is frozen, it was paid", |busy| {
        busy.world.books.get_mut(&2).unwrap().changes[0].changed_at = 1;
    });
    let frozen = Terms { freezes_debits: true, ..Terms::default() };
    violated("frozen, and paying", Limits, "is frozen, it paid", |busy| {
        let change = ChangeRow { id: Uuid::nil(), account: AZ, before: Terms::default(), after: frozen, changed_at: 1 };
        busy.world.books.get_mut(&1).unwrap().changes.insert(0, change);
    });
    violated("frozen, and holding", Limits, "a hold was placed", |busy| {
        let change = ChangeRow { id: Uuid::nil(), account: AZ, before: Terms::default(), after: frozen, changed_at: 1 };
        busy.world.books.get_mut(&1).unwrap().changes.insert(0, change);
    });
    violated("another limit than its last change left", Limits, "its last change left", |busy| {
        busy.account(AZ).terms = Some(Terms::default());
    });
}

#[test]
fn changes_that_were_answered_are_made_and_no_others() {
    use Check::Limits;
    violated("an answered change is gone", Limits, "it is not made", |busy| {
        busy.world.books.get_mut(&1).unwrap().changes.clear();
    });
    violated("made, though nobody was connected", Limits, "by no attempt that may have", |busy| {
        busy.world.history.changes[0].answers = vec![ChangeAnswer::NotConnected];
    });
    violated("made in another way", Limits, "asked was", |busy| {
        busy.world.history.changes[0].terms.ceiling = Some(None);
    });
    violated("nobody asked for it", Limits, "nobody asked for", |busy| {
        busy.world.history.changes.remove(1);
    });
    violated("rejected", Limits, "was rejected: account_closed", |busy| {
        busy.world.history.changes[0].answers.push(ChangeAnswer::Rejected("account_closed".into()));
    });
    violated("two changes that do not follow each other", Limits, "does not begin", |busy| {
        let (id, before) = (Uuid::nil(), Terms { limit: 5, ..Terms::default() });
        let change = ChangeRow { id, account: TX_OTHER, before, after: before, changed_at: 900 };
        busy.world.books.get_mut(&2).unwrap().changes.push(change);
    });
}

#[test]
fn a_change_without_an_answer_is_made_or_not() {
    let mut busy = busy();
    busy.world.history.changes[0].answers = vec![ChangeAnswer::Open];
    let mut open = busy.world.history.changes[0].clone();
    open.id = Uuid::from_u128(7_777);
    busy.world.history.changes.push(open);
    let judgement = judge(&busy.world.history, &busy.world.books);
    assert!(judgement.violations.is_empty(), "{:#?}", judgement.violations);
}

#[test]
fn refusals_must_have_been_true() {
    use Check::Refusals;
    let mistaken = |name: &'static str, code: &'static str, expected: &str| {
        violated(name, Refusals, expected, |busy| busy.first_row(name).refusal = Some(code.into()));
    };
    mistaken("too late", "hold_released", "nothing did that");
    mistaken("too late", "hold_expired", "nothing did that");
    mistaken("released", "hold_captured", "nothing did that");
    mistaken("expired", "hold_released", "nothing did that");
    mistaken("too much", "debit_account_frozen", "was not frozen");
    mistaken("too high", "credit_account_frozen", "was not frozen");
    mistaken("frozen", "ceiling_exceeded", "has no ceiling");
    mistaken("frozen", "insufficient_funds", "had at least 960 available, 5 was refused");
    mistaken("beyond", "not_reversible", "it moved money");
    mistaken("outside", "debit_account_not_found", "is there");
    mistaken("outside", "credit_account_not_found", "is there");
    mistaken("outside", "currency_mismatch", "are in USD");
    mistaken("outside", "balance_out_of_range", "which nothing of this run is");
    violated("the link that broke a chain had enough", Refusals, "had at least 70 available", |busy| {
        busy.first_row("broken").amount = 70;
    });
    violated("the account that was paid had enough", Refusals, "had at least", |busy| {
        busy.first_row("not covered").posted_at = busy.first_row("back").posted_at;
        busy.first_row("not covered").amount = 10;
    });
    violated("it would have been below the ceiling", Refusals, "was refused below 500", |busy| {
        busy.first_row("too high").amount = 430;
    });
    violated("so much was left of the hold", Refusals, "had at least 100, 100 was refused", |busy| {
        busy.first_row("too much").amount = 100;
    });
    violated("so much was left of the original", Refusals, "left, 1 was refused", |busy| {
        busy.first_row("beyond").posted_at = busy.first_row("spent").posted_at;
    });
    violated("something available was left", Refusals, "is left and 0 to 0 held", |busy| {
        busy.first_row("all").debit_side = Some((7, 1));
    });
}
