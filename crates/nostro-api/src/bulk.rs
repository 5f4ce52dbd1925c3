//! What a bulk moves: its items become orders, once the branches have told what they name, and the answers its results.

use crate::ask::{Ask, Reserved};
use crate::bulk_body::Bulk;
use crate::facts::{Facts, Missing};
use crate::fields::Pointer;
use crate::problem::{Code, Problem};
use crate::request_context::RequestContext;
use crate::view::transfer::State;
use crate::wire::{Named, Results};
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
    /// One of them names what is not known, so none is sent, and none is told as refused.
    Unsent(Vec<(TransferId, Problem)>),
}

/// What is kept of a group until it is answered.
enum Waiting {
    /// Of so many transfers.
    Order(usize),
    Unsent(Vec<(TransferId, Problem)>),
}

/// Moves what the bulk asks for; the body of the answer. A chain that is none refuses the whole request.
pub(crate) async fn moved(engine: &Engine, bulk: Bulk, context: &RequestContext) -> Result<Vec<u8>, Problem> {
    let count = bulk.items.len();
    // What was asked for, and what is known of it, is not kept while the engine works.
    let (mut orders, mut named, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for group in groups(engine, bulk).await? {
        match group {
            Group::Order(order) => {
                waiting.push(Waiting::Order(order.transfers().len()));
                named.extend(order.transfers().iter().map(Named::from));
                orders.push(order);
            }
            Group::Unsent(problems) => waiting.push(Waiting::Unsent(problems)),
        }
    }
    let mut answers = named.into_iter().zip(engine.orders(orders).await);
    let mut results = Results::new(count, context);
    let mut first = 0;
    for group in waiting {
        match group {
            Waiting::Order(length) => {
                told(&mut results, answers.by_ref().take(length).collect(), first);
                first += length;
            }
            Waiting::Unsent(problems) => {
                first += problems.len();
                for (id, problem) in problems {
                    results.push_problem(id, State::Unavailable, false, &problem);
                }
            }
        }
    }
    Ok(results.finish())
}

async fn groups(engine: &Engine, bulk: Bulk) -> Result<Vec<Group>, Problem> {
    let Bulk { items, follows, is_link } = bulk;
    let facts = Facts::of(engine, &items).await;
    let grouped = |range: Range<usize>| {
        let is_chain = is_link.get(range.start).copied().unwrap_or_default();
        group(items.get(range.clone()).unwrap_or_default(), is_chain, range.start, &facts)
    };
    ranges(&follows).into_iter().map(grouped).collect()
}

/// The items that belong together.
fn ranges(follows: &[bool]) -> Vec<Range<usize>> {
    let starts: Vec<usize> = (0..follows.len()).filter(|at| !follows.get(*at).copied().unwrap_or_default()).collect();
    let ends = starts.iter().skip(1).copied().chain([follows.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Links may take from holds that links before them place. What an item by itself names is to be there before the request: the
/// hold before it may be refused, or be decided elsewhere and later.
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
    let stops = missing.iter().enumerate().find_map(|(at, why)| Some((first + at, (*why)?)));
    if let Some(stops) = stops {
        return Ok(Group::Unsent(unsent(items, first, &missing, stops)));
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

/// Why each of the items is not sent: what it names is not known, or what another link of its chain names, where `stops`
/// is the first such link. If a branch could not be asked, that may be all.
///
/// Nothing of it is recorded, and what is not known may be on its way, as may an earlier copy of this very request. Whoever
/// took that for a refusal and asked with new ids could move the money twice.
fn unsent(
    items: &[Ask],
    first: usize,
    missing: &[Option<Missing>],
    stops: (usize, Missing),
) -> Vec<(TransferId, Problem)> {
    let away = missing.iter().flatten().find(|why| matches!(why, Missing::Unavailable(_))).copied();
    let problem = |at: usize, own: Option<Missing>| match (away.or(own), stops) {
        (Some(why), _) => Problem::from(why).within(Pointer::Item { list: "transfers", at }),
        (None, (at, why)) => Problem::from(why).of_another_link(format!("/transfers/{at}")),
    };
    (first..).zip(items).zip(missing).map(|((at, item), own)| (item.id(), problem(at, *own))).collect()
}

/// The results of a group. What a broken chain refused for says which link it was.
fn told(results: &mut Results<'_>, answers: Vec<(Named, Answer)>, first: usize) {
    let broken = answers.iter().enumerate().find_map(|(at, (_, answer))| {
        let refusal = refusal(answer)?.0;
        (refusal != Refusal::ChainBroken).then_some((first + at, refusal))
    });
    for (named, answer) in answers {
        match (refusal(&answer), broken) {
            (Some((Refusal::ChainBroken, replayed)), Some((at, refusal))) => {
                let problem = chain_broken(format!("/transfers/{at}"), refusal);
                results.push_problem(named.id, State::Refused, replayed, &problem);
            }
            (_, _) => results.push(named, answer),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::{Classified, OfHold};
    use nostro_core::Amount;
    use uuid::Uuid;

    fn transfer(id: u128) -> Ask {
        Ask::Whole(nostro_core::Transfer {
            id: TransferId(Uuid::from_u128(id)),
            operation: Operation::Transfer,
            debit: "AZ93000000001042".parse().unwrap(),
            credit: "TX25000000001042".parse().unwrap(),
            amount: Amount::new(5).unwrap(),
            currency: "USD".parse().unwrap(),
            category: 0,
            reference: None,
            link: None,
        })
    }

    fn release(id: u128) -> Ask {
        let classified = Classified { id: TransferId(Uuid::from_u128(id)), category: 0, reference: None };
        Ask::OfHold { hold: TransferId(Uuid::from_u128(99)), what: OfHold::Release, classified, branch: None }
    }

    /// What is not known may be on its way, so no answer to it is final: not a refusal, and not without the same id again.
    #[test]
    fn links_that_are_not_sent_are_never_told_as_refused() {
        let links = [transfer(1), release(2), transfer(3), release(4)];
        let Ok(Group::Unsent(unsent)) = group(&links, true, 5, &Facts::default()) else { panic!("no hold is known") };
        for ((at, (id, problem)), link) in unsent.iter().enumerate().zip(&links) {
            let body = serde_json::to_value(problem.body("", "")).unwrap();
            assert_eq!(*id, link.id());
            assert_eq!((&body["status"], &body["code"]), (&404.into(), &"hold_not_found".into()), "{at}");
            assert_eq!(body["retry"], "same_id", "{at}");
            let pointer = body["errors"][0]["pointer"].as_str();
            assert_eq!(pointer, if at % 2 == 0 { Some("/transfers/6") } else { None }, "{at}");
        }
        assert_eq!(unsent.len(), links.len());
    }

    #[test]
    fn a_transfer_by_itself_is_sent_whatever_others_name() {
        assert!(matches!(group(&[transfer(1)], false, 0, &Facts::default()), Ok(Group::Order(Order::Transfer(_)))));
    }
}
