//! One batch, from the lane to its answers.
//!
//! An attempt that came to nothing is planned again under a new number, at most some times and within the
//! transfers' deadline; in halves, if a row was not given in time, so that it is not waited for by all. A database
//! that refuses what the core allowed is met by halving until the culprit is alone. Once the decision is sent there is no other attempt: the outcome is committed, aborted or unknown.

use crate::answer::{Answer, Unavailable};
use crate::attempt::{self, Outset, Ready};
use crate::bank::Bank;
use crate::doubt;
use crate::item::{Answers, Item, answer_all, answer_each};
use crate::lane::{InOrder, Turn};
use crate::pace::Pace;
use nostro_commit::driver::{self, Ended, Progress};
use nostro_commit::{Verdict, with_sources};
use nostro_core::BranchSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

/// Transfers that are attempted together.
struct Group {
    items: Vec<Item>,
    attempts: u32,
}

/// What is to be done with transfers whose attempt came to nothing.
pub(crate) enum Next {
    /// They were answered.
    Answered,
    /// Plan them again.
    Again(Vec<Item>),
    /// The same in two parts: what one of them waits for in vain, the others do not need.
    AgainInHalves(Vec<Item>),
    /// One of them is what the database refuses.
    Halve(Vec<Item>),
}

/// Runs the transfers to their answers. `turn` is given up when they end, or earlier if the batch comes into doubt.
pub(crate) async fn run(
    bank: Arc<Bank>,
    branches: BranchSet,
    items: Vec<Item>,
    mut turn: Turn,
    pace: Arc<Pace>,
    mut in_order: InOrder,
) {
    let mut groups = vec![Group { items, attempts: 0 }];
    while let Some(Group { items, attempts }) = groups.pop() {
        if turn.is_empty() {
            // A part came into doubt: the others do not crowd its branches beside those who have a turn.
            answer_all(items, &Answer::Unavailable(Unavailable::Busy));
            continue;
        }
        // Only the last part ends the batch's place in the order.
        let in_order = groups.is_empty().then_some(&mut in_order);
        match attempt_once(&bank, branches, items, &mut turn, &pace, in_order).await {
            Next::Answered => {}
            Next::Again(items) | Next::AgainInHalves(items) if attempts + 1 >= bank.limits.attempts_max => {
                answer_all(items, &Answer::Unavailable(Unavailable::Busy));
            }
            Next::Again(items) => {
                pause(attempts).await;
                groups.push(Group { items, attempts: attempts + 1 });
            }
            Next::AgainInHalves(mut items) => {
                pause(attempts).await;
                let second = items.split_off(items.len().div_ceil(2));
                let halves = [second, items].into_iter().filter(|items| !items.is_empty());
                groups.extend(halves.map(|items| Group { items, attempts: attempts + 1 }));
            }
            Next::Halve(items) if items.len() == 1 => {
                for transfer in items.iter().flat_map(Item::transfers) {
                    tracing::error!(transfer = %transfer.id, "the database refuses what the core allowed: a bug");
                }
                answer_all(items, &Answer::Bug);
            }
            Next::Halve(mut items) => {
                let second = items.split_off(items.len() / 2);
                groups.push(Group { items: second, attempts: 0 });
                groups.push(Group { items, attempts: 0 });
            }
        }
    }
}

/// Jitter, so that two servers that met do not meet again.
async fn pause(attempts: u32) {
    sleep(Duration::from_millis(fastrand::u64(5..30) * u64::from(attempts + 1))).await;
}

async fn attempt_once(
    bank: &Arc<Bank>,
    branches: BranchSet,
    items: Vec<Item>,
    turn: &mut Turn,
    pace: &Pace,
    in_order: Option<&mut InOrder>,
) -> Next {
    let now = std::time::Instant::now();
    let late = |item: &Item| now.saturating_duration_since(item.arrived()) > bank.limits.deadline;
    let (late, items): (Vec<Item>, Vec<Item>) = items.into_iter().partition(late);
    answer_all(late, &Answer::Unavailable(Unavailable::Busy));
    if let Some(unavailable) = bank.away(branches.iter()) {
        answer_all(items, &Answer::Unavailable(unavailable));
        return Next::Answered;
    }
    let items = doubt::turn_away(bank, items);
    if items.is_empty() {
        return Next::Answered;
    }
    match attempt::prepare(bank, branches, items, pace, in_order).await {
        Outset::Next(next) => next,
        Outset::Ready(ready) => commit(bank, *ready, turn, pace).await,
    }
}

/// Commits what is planned and answers: as soon as all is finished, or when the wait for an answer runs out.
async fn commit(bank: &Arc<Bank>, ready: Ready, turn: &mut Turn, pace: &Pace) -> Next {
    let Ready { batch, sites, mut slots, answers } = ready;
    let is_posted = |answer: &&Answer| matches!(answer, Answer::Posted(_));
    let posted = answers.iter().flat_map(|(_, answers)| answers.iter()).filter(is_posted).count();
    let planned_at = Instant::now();
    let mut answers = Some(answers);
    let mut coordinating = Some(bank.coordinate(batch.id));
    let memory = bank.replays.generation();
    let (progress, mut seen) = watch::channel(Progress::Voting);
    let commit = driver::commit(&bank.connector, batch.clone(), sites, &progress, bank.limits.resolve_patience);
    tokio::pin!(commit);
    let mut until: Option<Instant> = None;
    let ended = loop {
        let wait = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = &mut commit => break ended,
            Ok(()) = seen.changed() => {
                if until.is_none() && *seen.borrow() != Progress::Voting {
                    until = Some(Instant::now() + bank.limits.answer_wait);
                }
            }
            () = wait, if answers.is_some() => {
                let known = *seen.borrow();
                if known != Progress::Voting {
                    // The lane goes on; this batch goes on beside it, and is from now on in doubt like any other:
                    // what it holds is not waited for, and recovery may settle it first.
                    turn.clear();
                    coordinating.take();
                }
                answers = tell_early(known, answers);
            }
        }
    };
    if ended.finished && ended.verdict == Some(Verdict::Committed) {
        pace.held(posted, planned_at.elapsed());
    }
    let connections = ended.links.len();
    metrics::counter!("nostro_batches_total", "verdict" => label(ended.verdict)).increment(1);
    tracing::trace!(batch = %batch.id, verdict = label(ended.verdict), connections, "a batch ended");
    let next = conclude(bank, &ended, answers, memory);
    for (part, link) in ended.links {
        if let Some(slot) = slots.remove(&part) {
            slot.give_back(link);
        }
    }
    next
}

fn label(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Committed) => "committed",
        Some(Verdict::Aborted) => "aborted",
        None => "unknown",
    }
}

/// The wait ran out: what is known by now. An abort that is still being cleared is answered by what follows it.
fn tell_early(known: Progress, answers: Option<Vec<(Item, Answers)>>) -> Option<Vec<(Item, Answers)>> {
    let answers = answers?;
    match known {
        Progress::Voting => return Some(answers),
        Progress::Deciding => answer_all(items_of(answers), &Answer::Unknown),
        Progress::Decided(Verdict::Committed) | Progress::Ended(Verdict::Committed) => {
            answer_each(all_settling(answers));
        }
        // This attempt moved nothing, for certain.
        Progress::Decided(Verdict::Aborted) | Progress::Ended(Verdict::Aborted) => {
            answer_all(items_of(answers), &Answer::Unavailable(Unavailable::Busy));
        }
    }
    None
}

fn items_of(answers: Vec<(Item, Answers)>) -> impl Iterator<Item = Item> {
    answers.into_iter().map(|(item, _)| item)
}

fn all_settling(answers: Vec<(Item, Answers)>) -> Vec<(Item, Answers)> {
    answers.into_iter().map(|(item, answers)| (item, answers.map(settling))).collect()
}

fn settling(answer: Answer) -> Answer {
    match answer {
        Answer::Posted(receipt) => Answer::Settling(receipt),
        Answer::Refused(_)
        | Answer::Replayed(_)
        | Answer::Settling(_)
        | Answer::Unknown
        | Answer::Conflict(_)
        | Answer::Unusable(_)
        | Answer::Moot
        | Answer::Unavailable(_)
        | Answer::Bug => answer,
    }
}

fn conclude(bank: &Bank, ended: &Ended, answers: Option<Vec<(Item, Answers)>>, memory: u64) -> Next {
    let Some(answers) = answers else { return Next::Answered };
    match ended.verdict {
        Some(Verdict::Committed) => {
            if ended.finished {
                bank.replays.remember(
                    memory,
                    answers.iter().flat_map(|(_, answers)| answers.iter()).filter_map(Answer::recorded),
                );
            }
            // An alarm, or a part that could not be reached in time: decided, and not finished.
            answer_each(if ended.finished { answers } else { all_settling(answers) });
            Next::Answered
        }
        None => {
            answer_all(items_of(answers), &Answer::Unknown);
            Next::Answered
        }
        Some(Verdict::Aborted) => {
            let items = items_of(answers).collect();
            if ended.refused.iter().any(|(_, error)| error.as_ref().is_some_and(is_recorded_id)) {
                bank.replays.met();
            }
            if let Some(error) =
                ended.refused.iter().find_map(|(_, error)| error.as_ref().filter(|error| is_bug(error)))
            {
                tracing::error!(error = with_sources(error), "the database refuses a batch, halving it");
                return Next::Halve(items);
            }
            for (part, error) in &ended.refused {
                tracing::info!(%part, error = error.as_ref().map(with_sources), "a part voted against a batch, planning it again");
            }
            Next::Again(items)
        }
    }
}

/// Rows that may be there before a batch's own: the abort row or tombstone of a recovery that took a slow batch for
/// abandoned. The next plan has a new number.
const RACES: [&str; 2] = ["batch_pkey", "participation_pkey"];

/// Whether the database refused the data: what passed the core and yet breaks a rule of the tables.
fn is_bug(error: &Error) -> bool {
    let Some(error) = error.as_db_error() else { return false };
    let code = error.code().code();
    let class_of_data = code.starts_with("22") || code.starts_with("23") || code.starts_with("P0");
    class_of_data && !is_transfer_key(error) && !error.constraint().is_some_and(|name| RACES.contains(&name))
}

/// A transfer whose id is recorded: sent again, or sent to two servers at once. The next plan meets the record.
fn is_recorded_id(error: &Error) -> bool {
    error.as_db_error().is_some_and(is_transfer_key)
}

/// Each partition of `transfer` has its own key, `transfer_202611_pkey`.
fn is_transfer_key(error: &DbError) -> bool {
    let is_key = |name: &str| name.starts_with("transfer_") && name.ends_with("_pkey");
    *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint().is_some_and(is_key)
}
