//! Made-up histories: one that is right, and for each check those that violate it. `busy` is a second one that is right, with
//! everything but plain transfers in it, and `operations` has what violates its checks.

mod busy;
mod operations;

use super::{Check, Settlement, judge};
use crate::books::{AccountRow, Books, Mark, Particulars, Row, Terms};
use crate::history::{Answer, Attempt, Cause, Content, History, Kind, Micros, Read, Sent};
use std::collections::BTreeMap;
use uuid::Uuid;

const AZ: i64 = 1_000_000_001_042;
const TX: i64 = 2_000_000_001_042;
const AZ_CASH: i64 = 1_000_000_000_840;
const DEPOSIT: usize = 0;
const ACROSS: usize = 1;
const SHORT: usize = 2;
const LOST: usize = 3;
/// By another program: `hashlib.sha256(id.to_bytes(16, "big") + struct.pack(">qqq", debit, credit, amount) + b"USD")`.
const ACROSS_HASH: &str = "23f841dcf88efec2c45a9514c085261160414c58b098aba53f583b957c7be549";
const LOST_HASH: &str = "54d4892054d766c82ae59dd80264619358d85e8b17790b985dfd44fe6e88ae83";

/// A history and the books that it left.
struct World {
    history: History,
    books: BTreeMap<i64, Books>,
}

fn id(at: usize) -> Uuid {
    Uuid::from_u128(u128::try_from(at).unwrap() + 1)
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn content(kind: Kind, debit: i64, credit: i64, amount: i64) -> Content {
    let currency = "USD";
    Content { kind, debit, credit, amount, currency, category: 0, reference: None, doomed: None, link: None }
}

fn attempt(invoked: Micros, completed: Micros, answer: Answer) -> Attempt {
    Attempt { content: 0, server: 0, invoked, completed, answer }
}

fn posted(batch: &str, amount: i64) -> Answer {
    Answer::Posted { replayed: false, batch: batch.into(), amount }
}

fn replayed(batch: &str, amount: i64) -> Answer {
    Answer::Posted { replayed: true, batch: batch.into(), amount }
}

fn refused() -> Answer {
    Answer::Refused { replayed: false, code: "insufficient_funds".into() }
}

fn row(at: usize, content: Content, batch: &str, debit: Option<(i64, i64)>, credit: Option<(i64, i64)>) -> Row {
    Row {
        id: id(at),
        kind: content.kind.word().into(),
        debit: content.debit,
        credit: content.credit,
        amount: content.amount,
        currency: "USD".into(),
        category: 0,
        reference: None,
        batch: batch.into(),
        posted_at: i64::try_from(at).unwrap(),
        refusal: None,
        debit_side: debit,
        credit_side: credit,
        particulars: Particulars::default(),
        link: None,
    }
}

/// A customer's account without a limit that holds nothing.
fn account(balance: i64, seq: i64) -> AccountRow {
    AccountRow { balance, held: 0, seq, terms: Some(Terms::default()), limit_exceeded: false }
}

fn with_limit(limit: i64) -> Option<Terms> {
    Some(Terms { limit, ..Terms::default() })
}

fn mark(parts: &[&str]) -> Mark {
    Mark { committed: true, parts: parts.iter().map(|part| (*part).to_owned()).collect() }
}

/// 1,000 are paid in at Arizona; 100 go to Texas; 5,000 are refused; 50 go to Texas by an attempt that was not answered.
fn right() -> World {
    let deposit = content(Kind::Deposit, AZ_CASH, AZ, 1_000);
    let across = content(Kind::Transfer, AZ, TX, 100);
    let short = content(Kind::Transfer, AZ, TX, 5_000);
    let lost = content(Kind::Transfer, AZ, TX, 50);
    let sent =
        |at: usize, content: Content, attempts: Vec<Attempt>| Sent { id: id(at), contents: vec![content], attempts };
    let history = History {
        sent: vec![
            sent(DEPOSIT, deposit, vec![attempt(10, 20, posted("AZ-1-1", 1_000))]),
            sent(
                ACROSS,
                across,
                vec![attempt(30, 40, posted("AZ-1-2", 100)), attempt(41, 42, replayed("AZ-1-2", 100))],
            ),
            sent(SHORT, short, vec![attempt(50, 60, refused())]),
            sent(
                LOST,
                lost,
                vec![
                    attempt(70, 80, Answer::Unavailable("busy".into())),
                    attempt(81, 90, Answer::Indeterminate(Cause::Broken)),
                    attempt(100, 110, replayed("AZ-1-4", 50)),
                ],
            ),
        ],
        reads: vec![Read { account: AZ, invoked: 61, completed: 65, seq: 2, balance: 900 }],
        ..History::default()
    };
    let mut refusal = row(SHORT, short, "AZ-1-3", None, None);
    refusal.refusal = Some("insufficient_funds".into());
    let both = ["AZ", "TX"];
    let net = |batch: &str, other: &str, amount: i64, hash: &str| {
        ((batch.into(), other.into(), "USD".into()), (amount, bytes(hash)))
    };
    let arizona = Books {
        rows: vec![
            row(DEPOSIT, deposit, "AZ-1-1", Some((1, -1_000)), Some((1, 1_000))),
            row(ACROSS, across, "AZ-1-2", Some((2, 900)), None),
            refusal,
            row(LOST, lost, "AZ-1-4", Some((3, 850)), None),
        ],
        accounts: BTreeMap::from([(AZ, account(850, 3)), (AZ_CASH, AccountRow { terms: None, ..account(-1_000, 1) })]),
        decisions: BTreeMap::from([
            ("AZ-1-1".into(), mark(&["AZ"])),
            ("AZ-1-2".into(), mark(&both)),
            ("AZ-1-3".into(), mark(&both)),
            ("AZ-1-4".into(), mark(&both)),
            ("AZ-1-5".into(), Mark { committed: false, parts: vec![] }),
        ]),
        markers: BTreeMap::new(),
        nets: BTreeMap::from([net("AZ-1-2", "TX", 100, ACROSS_HASH), net("AZ-1-4", "TX", 50, LOST_HASH)]),
        ..Books::default()
    };
    let texas = Books {
        rows: vec![
            row(ACROSS, across, "AZ-1-2", None, Some((1, 100))),
            row(LOST, lost, "AZ-1-4", None, Some((2, 150))),
        ],
        accounts: BTreeMap::from([(TX, account(150, 2))]),
        decisions: BTreeMap::new(),
        markers: BTreeMap::from([
            ("AZ-1-2".into(), mark(&both)),
            ("AZ-1-3".into(), mark(&both)),
            ("AZ-1-4".into(), mark(&both)),
            ("AZ-1-5".into(), Mark { committed: false, parts: vec!["AZ".into(), "TX".into()] }),
        ]),
        nets: BTreeMap::from([net("AZ-1-2", "AZ", -100, ACROSS_HASH), net("AZ-1-4", "AZ", -50, LOST_HASH)]),
        ..Books::default()
    };
    World { history, books: BTreeMap::from([(1, arizona), (2, texas)]) }
}

impl World {
    fn arizona(&mut self) -> &mut Books {
        self.books.get_mut(&1).unwrap()
    }

    fn texas(&mut self) -> &mut Books {
        self.books.get_mut(&2).unwrap()
    }

    fn attempts(&mut self, at: usize) -> &mut Vec<Attempt> {
        &mut self.history.sent[at].attempts
    }

    /// Takes the second transfer across out of everything but the history.
    fn without_lost(&mut self) {
        for books in self.books.values_mut() {
            books.rows.retain(|row| row.id != id(LOST));
            books.nets.retain(|(batch, _, _), _| &**batch != "AZ-1-4");
            books.decisions.remove("AZ-1-4");
            books.markers.remove("AZ-1-4");
        }
        *self.arizona().accounts.get_mut(&AZ).unwrap() = account(900, 2);
        *self.texas().accounts.get_mut(&TX).unwrap() = account(100, 1);
    }
}

/// Which checks fail once the world has been changed; each violation says so in words that contain `expected`.
fn violated(name: &str, check: Check, expected: &str, change: impl FnOnce(&mut World)) {
    let mut world = right();
    change(&mut world);
    let judgement = judge(&world.history, &world.books);
    let is_told = judgement.violations.iter().any(|one| one.check == check && one.to_string().contains(expected));
    assert!(is_told, "{name}: expected {check:?} with {expected:?}, found {:#?}", judgement.violations);
}

#[test]
fn a_right_history_is_right() {
    let world = right();
    let judgement = judge(&world.history, &world.books);
    assert!(judgement.violations.is_empty(), "{:#?}", judgement.violations);
    assert_eq!(judgement.settlement, Settlement { ids: 1, moved: 1, moved_later: 0, refused: 0, conflicts: 0 });
}

#[test]
fn what_was_acknowledged_must_stand() {
    use Check::Acknowledged;
    violated("an acknowledged row is gone", Acknowledged, "answered posted", |world| {
        world.arizona().rows.retain(|row| row.id != id(DEPOSIT));
    });
    violated("one side is gone", Acknowledged, "answered posted", |world| {
        world.texas().rows.retain(|row| row.id != id(ACROSS));
    });
    violated("another amount", Acknowledged, "answered posted", |world| world.texas().rows[0].amount = 99);
    violated("another reference", Acknowledged, "answered posted", |world| {
        world.arizona().rows[1].reference = Some("not asked for".into());
    });
    violated("another batch", Acknowledged, "answered posted in AZ-1-9", |world| {
        world.attempts(ACROSS)[0].answer = posted("AZ-1-9", 100);
    });
    violated("settling is a promise too", Acknowledged, "answered settling", |world| {
        world.attempts(SHORT).push(attempt(61, 62, Answer::Settling { batch: "AZ-1-3".into(), amount: 5_000 }));
    });
    violated("refused and posted", Acknowledged, "answered refused", |world| {
        world.attempts(ACROSS)[0].answer = refused();
    });
    violated("a refusal that is not recorded", Acknowledged, "answered refused", |world| {
        world.arizona().rows.retain(|row| row.id != id(SHORT));
    });
    violated("a refusal that is recorded as another one", Acknowledged, "answered refused", |world| {
        world.arizona().rows[2].refusal = Some("currency_mismatch".into());
    });
    violated("a conflict of the same content", Acknowledged, "answered conflict", |world| {
        world.attempts(ACROSS).push(attempt(43, 44, Answer::Conflict));
    });
    violated("a conflict with nothing", Acknowledged, "answered conflict", |world| {
        world.without_lost();
        world.attempts(LOST).clear();
        world.attempts(LOST).push(attempt(81, 90, Answer::Conflict));
    });
    violated("rejected", Acknowledged, "well-formed", |world| {
        world.attempts(SHORT).push(attempt(61, 62, Answer::Rejected("invalid_body".into())));
    });
    violated("nonsense", Acknowledged, "not one to the request", |world| {
        world.attempts(SHORT).push(attempt(61, 62, Answer::Nonsense("other id".into())));
    });
    violated("a doomed one is posted", Acknowledged, "expected the refusal", |world| {
        world.history.sent[ACROSS].contents[0].doomed = Some("currency_mismatch");
    });
    violated("a doomed one is refused for another reason", Acknowledged, "refused insufficient_funds", |world| {
        world.history.sent[SHORT].contents[0].doomed = Some("currency_mismatch");
    });
    violated("a row that nobody asked for", Acknowledged, "nobody asked for", |world| {
        world.history.sent.remove(DEPOSIT);
    });
}

#[test]
fn unknown_answers_must_settle_to_one_outcome() {
    use Check::Settled;
    violated("never asked again", Settled, "never settled", |world| {
        world.attempts(LOST).pop();
    });
    violated("settling for ever", Settled, "never settled", |world| {
        world.attempts(LOST).pop();
        world.attempts(LOST).push(attempt(100, 110, Answer::Settling { batch: "AZ-1-4".into(), amount: 50 }));
    });
    violated("moved twice, it is said", Settled, "2 attempts say", |world| {
        world.attempts(ACROSS)[1].answer = posted("AZ-1-2", 100);
    });
    violated("replayed from nothing", Settled, "no earlier attempt", |world| {
        world.attempts(LOST)[1].answer = Answer::Unavailable("busy".into());
    });
    violated("replayed from what came later", Settled, "no earlier attempt", |world| {
        world.attempts(ACROSS)[0].answer = replayed("AZ-1-2", 100);
    });
    violated("posted although every attempt moved nothing", Settled, "by no attempt", |world| {
        *world.attempts(LOST) = vec![attempt(70, 80, Answer::Unavailable("busy".into()))];
    });
    violated("posted although nobody was connected", Settled, "by no attempt", |world| {
        *world.attempts(LOST) = vec![attempt(70, 80, Answer::NotConnected)];
    });
    violated("posted and refused", Settled, "both posted and refused", |world| {
        world.texas().rows[1].refusal = Some("insufficient_funds".into());
    });
}

#[test]
fn balances_must_follow_from_the_postings() {
    use Check::Balances;
    violated("a cent more", Balances, "shows", |world| {
        world.texas().accounts.get_mut(&TX).unwrap().balance += 1;
    });
    violated("a number is left out", Balances, "follows", |world| world.arizona().rows[3].debit_side = Some((4, 850)));
    violated("a running balance is wrong", Balances, "leaves", |world| {
        world.arizona().rows[1].debit_side = Some((2, 901));
    });
    violated("below the limit", Check::Limits, "below its limit", |world| {
        let account = world.arizona().accounts.get_mut(&AZ).unwrap();
        account.terms = with_limit(-860);
    });
    violated("time runs backwards", Balances, "is posted before", |world| world.arizona().rows[3].posted_at = -1);
    violated("a side at the wrong branch", Balances, "has the side", |world| {
        world.texas().rows[0].debit_side = Some((1, 0));
    });
    violated("a refused transfer has a side", Balances, "has the side", |world| {
        world.arizona().rows[2].debit_side = Some((3, 0));
    });
    violated("money without an entry", Balances, "without an entry", |world| {
        world.texas().accounts.insert(TX + 1, account(5, 0));
    });
    violated("lost on both sides alike", Balances, "the acknowledged postings sum up", |world| {
        world.without_lost();
    });
    violated("the bank's sum", Balances, "sum up to", |world| {
        world.arizona().accounts.get_mut(&AZ_CASH).unwrap().balance = -999;
    });
}

#[test]
fn a_batch_must_be_committed_at_all_parts_or_at_none() {
    use Check::Batches;
    violated("no marker", Batches, "committed at [\"AZ\"]", |world| {
        world.texas().markers.remove("AZ-1-2");
    });
    violated("no decision", Batches, "committed at [\"TX\"]", |world| {
        world.arizona().decisions.remove("AZ-1-2");
    });
    violated("a refusal's batch counts too", Batches, "AZ-1-3", |world| {
        world.texas().markers.remove("AZ-1-3");
    });
    violated("aborted at home", Batches, "aborted at one branch", |world| {
        world.arizona().decisions.get_mut("AZ-1-2").unwrap().committed = false;
    });
    violated("a tombstone against a commit", Batches, "aborted at one branch", |world| {
        world.texas().markers.get_mut("AZ-1-2").unwrap().committed = false;
    });
    violated("other parts", Batches, "not the same everywhere", |world| {
        world.texas().markers.get_mut("AZ-1-2").unwrap().parts.reverse();
    });
    violated("two homes", Batches, "without exactly one decision", |world| {
        let mark = world.texas().markers.remove("AZ-1-2").unwrap();
        world.texas().decisions.insert("AZ-1-2".into(), mark);
    });
    violated("rows of no batch", Batches, "not committed there", |world| {
        world.arizona().rows[0].batch = "AZ-1-8".into();
    });
    violated("half a transfer", Batches, "is posted at AZ only", |world| {
        world.texas().rows.remove(0);
    });
    violated("the sides are of two batches", Batches, "only", |world| {
        world.texas().rows[0].batch = "AZ-1-4".into();
    });
    violated("nets are not opposite", Batches, "net 100", |world| {
        let net = ("AZ-1-2".into(), "AZ".into(), "USD".into());
        world.texas().nets.get_mut(&net).unwrap().0 = -99;
    });
    violated("hashes differ", Batches, "net 100", |world| {
        let net = ("AZ-1-2".into(), "AZ".into(), "USD".into());
        world.texas().nets.get_mut(&net).unwrap().1 = vec![8];
    });
    violated("the same hash of other transfers at both", Batches, "is not that of its rows", |world| {
        for net in world.books.values_mut().flat_map(|books| books.nets.values_mut()) {
            net.1 = bytes(LOST_HASH);
        }
    });
    violated("a net of no row at both", Batches, "of no row", |world| {
        for (books, other, amount) in [(1, "TX", 5), (2, "AZ", -5)] {
            let net = (("AZ-1-3".into(), other.into(), "USD".into()), (amount, bytes(LOST_HASH)));
            world.books.get_mut(&books).unwrap().nets.extend([net]);
        }
    });
    violated("a net is missing on both sides", Batches, "it has no net", |world| {
        for books in world.books.values_mut() {
            books.nets.retain(|(batch, _, _), _| &**batch != "AZ-1-2");
        }
    });
}

#[test]
fn real_time_order_must_hold_for_postings_and_reads() {
    use Check::Order;
    violated("acknowledged first, numbered last", Order, "was acknowledged at", |world| {
        // The second transfer was long acknowledged when the first one was asked for.
        *world.attempts(LOST) = vec![attempt(21, 22, posted("AZ-1-4", 50))];
    });
    violated("a stale read", Order, "had been acknowledged as posted", |world| {
        world.history.reads.push(Read { account: AZ, invoked: 120, completed: 130, seq: 2, balance: 900 });
    });
    violated("a read of the future", Order, "had not been asked for", |world| {
        world.history.reads.push(Read { account: AZ, invoked: 61, completed: 65, seq: 3, balance: 850 });
    });
    violated("a read of what never was", Order, "its history has", |world| {
        world.history.reads.push(Read { account: AZ, invoked: 61, completed: 65, seq: 2, balance: 901 });
    });
    violated("a refusal that did not see what was acknowledged before", Order, "had been acknowledged", |world| {
        world.arizona().rows[2].posted_at = 0;
    });
    violated("a refusal that saw what was asked for later", Order, "had not been asked for", |world| {
        world.arizona().rows[2].posted_at = 4;
    });
    violated("a read of an account without entries", Order, "it has no entry", |world| {
        world.history.reads.push(Read { account: TX + 1, invoked: 61, completed: 65, seq: 1, balance: 1 });
    });
}

#[test]
fn a_read_may_show_what_is_settling_or_not_yet() {
    for (seq, balance) in [(2, 900), (3, 850)] {
        let mut world = right();
        world.history.reads.push(Read { account: AZ, invoked: 82, completed: 99, seq, balance });
        let judgement = judge(&world.history, &world.books);
        assert!(judgement.violations.is_empty(), "{:#?}", judgement.violations);
    }
}

#[test]
fn a_refusal_for_want_of_money_must_have_been_true() {
    use Check::Refusals;
    violated("there was enough when it was decided", Refusals, "was refused", |world| {
        world.history.sent[SHORT].contents[0].amount = 850;
        world.arizona().rows[2].amount = 850;
    });
    violated("with its limit there was enough", Refusals, "was refused", |world| {
        world.arizona().accounts.get_mut(&AZ).unwrap().terms = with_limit(4_200);
    });
    // Before the deposit there was nothing, and the refusal was asked for by then.
    let mut world = right();
    world.arizona().rows[2].posted_at = -1;
    world.history.sent[SHORT].contents[0].amount = 850;
    world.arizona().rows[2].amount = 850;
    world.attempts(SHORT)[0].invoked = 5;
    assert!(judge(&world.history, &world.books).violations.is_empty());
}
