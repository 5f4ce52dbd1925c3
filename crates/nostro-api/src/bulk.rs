//! What a bulk moves: its items become orders, once the branches have told what they name, and the answers its results.

use crate::ask::Ask;
use crate::bulk_body::Bulk;
use crate::facts::{Facts, Missing};
use crate::hold_body::Reserved;
use crate::problem::{Code, Problem};
use crate::request_context::RequestContext;
use crate::view::transfer::State;
use crate::wire::Results;
use nostro_core::chain::ChainError;
use nostro_core::transfer::Decision;
use nostro_core::{Chain, Operation, Refusal, TransferId};
use nostro_engine::{Answer, Engine, Order};
use std::collections::HashMap;
use std::ops::Range;

/// Items that are posted together, or one by itself.
enum Group {
    /// In the order of its transfers.
    Order(Order),
    /// One of them names what is not known, so none is sent.
    Unsent(Vec<(TransferId, State, Problem)>),
}

/// Moves what the bulk asks for; the body of the answer. A chain that is none refuses the whole request.
pub(crate) async fn moved(engine: &Engine, bulk: Bulk, context: &RequestContext) -> Result<Vec<u8>, Problem> {
    let Bulk { items, follows, is_link } = bulk;
    let count = items.len();
    let facts = Facts::of(engine, &items).await;
    let mut groups = Vec::new();
    for range in ranges(&follows) {
        let is_chain = is_link.get(range.start).copied().unwrap_or_default();
        let items = items.get(range.clone()).unwrap_or_default();
        groups.push(group(items, is_chain, range.start, &facts)?);
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

/// Links may take from holds that links before them place. Items by themselves are decided in any order, so what they name is
/// to be there before.
fn group(items: &[Ask], is_chain: bool, first: usize, facts: &Facts) -> Result<Group, Problem> {
    let mut placed = HashMap::new();
    let (mut transfers, mut missing) = (Vec::new(), Vec::new());
    for item in items {
        match facts.resolve(item, &placed) {
            Ok(transfer) => {
                if is_chain && matches!(transfer.operation, Operation::Hold { .. }) {
                    placed.insert(transfer.id, Reserved::from(&transfer));
                }
                transfers.push(transfer);
                missing.push(None);
            }
            Err(why) => missing.push(Some(why)),
        }
    }
    if transfers.len() < items.len() {
        let away = missing.iter().flatten().find(|why| matches!(why, Missing::Unavailable(_))).copied();
        let unsent = items.iter().zip(missing).map(|(item, missing)| unsent(item.id(), missing, away));
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
                ChainError::Length | ChainError::TooMuch | ChainError::TooManyBranches(_) => {
                    format!("/transfers/{first}")
                }
            };
            Err(Problem::field(pointer, error.to_string()))
        }
    }
}

/// Why an item is not sent: what it names is not known, or what another link of its chain names. If a branch could not be
/// asked, that may be all.
fn unsent(id: TransferId, missing: Option<Missing>, away: Option<Missing>) -> (TransferId, State, Problem) {
    match (away, missing) {
        (Some(away), _) => (id, State::Unavailable, away.into()),
        (None, Some(missing)) => (id, State::Refused, missing.into()),
        (None, None) => {
            let detail = "another link of its chain names what is not known; nothing moved, and the id is not used up";
            (id, State::Refused, Problem::new(Code::Refused(Refusal::ChainBroken), detail))
        }
    }
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
