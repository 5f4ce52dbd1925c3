//! What a bulk moves: its items become orders, once the branches have told what they name, and the answers its results.

use crate::bulk_body::{Bulk, BulkItem, Named};
use crate::hold_body::Reserved;
use crate::problem::{Code, Problem};
use crate::request_context::RequestContext;
use crate::view::transfer::State;
use crate::wire::Results;
use nostro_core::chain::ChainError;
use nostro_core::transfer::Decision;
use nostro_core::{Chain, Operation, Refusal, TransferId};
use nostro_engine::{Answer, Engine, Order, ReadError};
use std::collections::HashMap;
use std::ops::Range;

/// Items that are posted together, or one by itself.
enum Group {
    /// In the order of its transfers.
    Order(Order),
    /// One of them names what is not known, so none is sent.
    Unsent(Vec<(TransferId, State, Problem)>),
}

/// What the branches know of what the items name, and why one could not be asked.
struct Facts {
    named: Named,
    failed: Option<ReadError>,
}

/// Moves what the bulk asks for; the body of the answer. A chain that is none refuses the whole request.
pub(crate) async fn moved(engine: &Engine, bulk: Bulk, context: &RequestContext) -> Result<Vec<u8>, Problem> {
    let Bulk { items, follows, is_link } = bulk;
    let count = items.len();
    let facts = facts(engine, &items).await;
    let mut groups = Vec::new();
    let mut items = items.into_iter();
    for range in ranges(&follows) {
        let is_chain = is_link.get(range.start).copied().unwrap_or_default();
        groups.push(group(items.by_ref().take(range.len()), is_chain, range.start, &facts)?);
    }
    let orders: Vec<Order> = groups
        .iter()
        .filter_map(|group| match group {
            Group::Order(order) => Some(order.clone()),
            Group::Unsent(_) => None,
        })
        .collect();
    let mut answers = engine.orders(orders).await.into_iter();
    let mut results = Results::new(count, context);
    let mut first = 0;
    for group in groups {
        match group {
            Group::Order(order) => {
                let length = order.transfers().len();
                let answers: Vec<Answer> = answers.by_ref().take(length).collect();
                told(&mut results, &order, answers, first);
                first += length;
            }
            Group::Unsent(problems) => {
                first += problems.len();
                for (id, state, problem) in problems {
                    results.push_problem(id, state, false, &problem);
                }
            }
        }
    }
    Ok(results.finish())
}

/// The items that belong together.
fn ranges(follows: &[bool]) -> Vec<Range<usize>> {
    let starts: Vec<usize> = (0..follows.len()).filter(|at| !follows.get(*at).copied().unwrap_or_default()).collect();
    let ends = starts.iter().skip(1).copied().chain([follows.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

async fn facts(engine: &Engine, items: &[BulkItem]) -> Facts {
    let mut named = Named::default();
    let holds: Vec<TransferId> = items.iter().filter_map(BulkItem::hold).collect();
    let originals: Vec<TransferId> = items.iter().filter_map(BulkItem::original).collect();
    let mut failed = None;
    if !holds.is_empty() {
        let (found, error) = engine.find_holds(&holds).await;
        named.holds.extend(found.iter().map(|hold| (hold.id, Reserved::from(hold))));
        failed = error;
    }
    if !originals.is_empty() {
        let (found, error) = engine.find_transfers(&originals).await;
        named.originals.extend(found.into_iter().map(|record| (record.transfer.id, record.transfer)));
        failed = failed.or(error);
    }
    Facts { named, failed }
}

fn group(items: impl Iterator<Item = BulkItem>, is_chain: bool, first: usize, facts: &Facts) -> Result<Group, Problem> {
    let mut placed = HashMap::new();
    let (mut all, mut transfers) = (Vec::new(), Vec::new());
    for item in items {
        let transfer = item.resolved(&facts.named, &placed);
        all.push((item, transfer.is_some()));
        let Some(transfer) = transfer else { continue };
        if is_chain && matches!(transfer.operation, Operation::Hold { .. }) {
            placed.insert(transfer.id, Reserved::from(&transfer));
        }
        transfers.push(transfer);
    }
    if transfers.len() < all.len() {
        let unsent = all.iter().map(|(item, is_resolved)| unsent(item, *is_resolved, facts.failed));
        return Ok(Group::Unsent(unsent.collect()));
    }
    if !is_chain && let Some(transfer) = transfers.pop() {
        return Ok(Group::Order(Order::Transfer(transfer)));
    }
    match Chain::new(transfers) {
        Ok(chain) => Ok(Group::Order(Order::Chain(chain))),
        Err(error) => {
            let pointer = match error {
                ChainError::SameId(at) => format!("/transfers/{}/id", first + at),
                ChainError::Length | ChainError::TooManyBranches(_) => format!("/transfers/{first}"),
            };
            Err(Problem::field(pointer, error.to_string()))
        }
    }
}

/// Why an item is not sent: what it names is not known, or what another link of its chain names.
fn unsent(item: &BulkItem, is_resolved: bool, failed: Option<ReadError>) -> (TransferId, State, Problem) {
    if let Some(error) = failed {
        return (item.id(), State::Unavailable, error.into());
    }
    let problem = if is_resolved {
        Problem::new(Code::Refused(Refusal::ChainBroken), "another link of its chain names what is not known")
    } else if item.hold().is_some() {
        Problem::new(Code::HoldNotFound, "no hold with this id is recorded; nothing moved, and the id is not used up")
    } else {
        let detail = "no transfer with the original's id is recorded; nothing moved, and the id is not used up";
        Problem::new(Code::TransferNotFound, detail)
    };
    (item.id(), State::Refused, problem)
}

/// The results of a group. What a broken chain refused for says which link it was.
fn told(results: &mut Results<'_>, order: &Order, answers: Vec<Answer>, first: usize) {
    let broken = answers.iter().enumerate().find_map(|(at, answer)| {
        let refusal = refusal(answer)?.0;
        (refusal != Refusal::ChainBroken).then_some((first + at, refusal))
    });
    for (transfer, answer) in order.transfers().iter().zip(answers) {
        match (refusal(&answer), broken) {
            (Some((Refusal::ChainBroken, replayed)), Some((at, refusal))) => {
                let problem = chain_broken(format!("/transfers/{at}"), refusal);
                results.push_problem(transfer.id, State::Refused, replayed, &problem);
            }
            (_, _) => results.push(transfer, answer),
        }
    }
}

/// A link that is refused because of another one, which the pointer names.
pub(crate) fn chain_broken(pointer: String, refusal: Refusal) -> Problem {
    let detail = format!("its chain broke at {pointer}: {refusal}");
    let problem = Problem::new(Code::Refused(Refusal::ChainBroken), detail);
    problem.naming(pointer, refusal.to_string())
}

/// The refusal of an answer, and whether it was decided earlier.
pub(crate) fn refusal(answer: &Answer) -> Option<(Refusal, bool)> {
    let (receipt, replayed) = match answer {
        Answer::Refused(receipt) => (receipt, false),
        Answer::Replayed(receipt) => (receipt, true),
        Answer::Posted(_)
        | Answer::Settling(_)
        | Answer::Unknown
        | Answer::Conflict(_)
        | Answer::Unusable(_)
        | Answer::Moot
        | Answer::Unavailable(_)
        | Answer::Bug => return None,
    };
    match receipt.record.decision {
        Decision::Refused(refusal) => Some((refusal, replayed)),
        Decision::Posted { .. } => None,
    }
}
