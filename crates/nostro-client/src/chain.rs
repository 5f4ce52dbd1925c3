//! A chain as one thing: its links are posted or refused together, so it has one outcome.

use crate::client::Client;
use crate::outcome::{ClientError, Outcome};
use crate::request::BulkOrder;
use crate::view::{BulkItem, MultiLegTransfer, Problem, Transfer};
use std::time::Duration;
use uuid::Uuid;

/// A bulk's 503s are in its items, which have no Retry-After.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The code of the links that are refused because of another one.
const CHAIN_BROKEN: &str = "chain_broken";

impl Client {
    /// Posts all of them or none.
    pub async fn chain(&self, links: &[BulkOrder]) -> Result<Outcome<MultiLegTransfer>, ClientError> {
        let ids: Vec<Uuid> = links.iter().map(|link| link.operation.id()).collect();
        outcome(&ids, self.atomic_bulk(links).await?)
    }
}

/// Of a chain, from the results of its links: one for each, in their order, or nothing is known.
fn outcome(ids: &[Uuid], items: Vec<BulkItem>) -> Result<Outcome<MultiLegTransfer>, ClientError> {
    let id = ids.first().copied().unwrap_or_default();
    if !ids.iter().eq(items.iter().map(|item| &item.id)) || ids.is_empty() {
        return Ok(Outcome::Unknown { id });
    }
    if let Some((problem, replayed)) = worst(&items, "refused") {
        return Ok(Outcome::Refused { problem, replayed });
    }
    if let Some((problem, _)) = worst(&items, "conflict") {
        return Ok(Outcome::Conflict(problem));
    }
    if let Some((problem, _)) = worst(&items, "unavailable") {
        // A link that names what nobody knows is told as a single request is: with a 404, which asking on does not mend.
        return match problem.status {
            400..=499 => Err(ClientError::Rejected(problem)),
            _ => Ok(Outcome::Unavailable { problem, retry_after: RETRY_AFTER }),
        };
    }
    Ok(committed(id, items))
}

/// Of a chain of which no link is refused or left undone.
fn committed(id: Uuid, items: Vec<BulkItem>) -> Outcome<MultiLegTransfer> {
    let replayed = items.iter().any(|item| item.replayed);
    let is_settling = items.iter().any(|item| item.state == "settling");
    if !items.iter().all(|item| item.state == "posted" || item.state == "settling") {
        return Outcome::Unknown { id };
    }
    let legs: Option<Vec<Transfer>> = items.into_iter().map(|item| item.transfer).collect();
    let Some(legs) = legs else { return Outcome::Unknown { id } };
    let state = if is_settling { "settling" } else { "posted" }.to_owned();
    let whole = Box::new(MultiLegTransfer { id, state, legs });
    if is_settling { Outcome::Settling(whole) } else { Outcome::Posted { transfer: whole, replayed } }
}

/// The problem of a state that says most: not that another link was refused, or that the list differs.
fn worst(items: &[BulkItem], state: &str) -> Option<(Box<Problem>, bool)> {
    let of_state = items.iter().filter(|item| item.state == state);
    let says_little = |item: &BulkItem| {
        let pointers = |problem: &Problem| problem.errors.iter().any(|error| error.pointer.ends_with("/chain"));
        item.problem.as_ref().is_none_or(|problem| problem.code == CHAIN_BROKEN || pointers(problem))
    };
    let item = of_state.min_by_key(|item| says_little(item))?;
    Some((Box::new(item.problem.clone()?), item.replayed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001";

    fn items(of: &[serde_json::Value]) -> Vec<BulkItem> {
        of.iter().map(|item| serde_json::from_value(item.clone()).unwrap()).collect()
    }

    fn item(state: &str, code: &str, pointer: &str) -> serde_json::Value {
        let status = match code {
            "hold_not_found" => 404,
            "branch_unavailable" => 503,
            _ => 422,
        };
        let problem = json!({"type": "", "title": "", "status": status, "code": code, "detail": "", "instance": "",
            "retry": "never", "request_id": "", "errors": [{"pointer": pointer, "detail": ""}]});
        let problem = if code.is_empty() { serde_json::Value::Null } else { problem };
        json!({"id": ID, "state": state, "problem": problem})
    }

    fn told(of: &[serde_json::Value]) -> String {
        let ids = vec![ID.parse().unwrap(); of.len()];
        match outcome(&ids, items(of)) {
            Ok(Outcome::Posted { .. }) => "posted".into(),
            Ok(Outcome::Settling(_)) => "settling".into(),
            Ok(Outcome::Unknown { .. }) => "unknown".into(),
            Ok(Outcome::Refused { problem, .. }) => format!("refused {}", problem.code),
            Ok(Outcome::Conflict(problem)) => format!("conflict {}", problem.errors[0].pointer),
            Ok(Outcome::Unavailable { problem, .. }) => format!("unavailable {}", problem.code),
            Err(error) => format!("error {error}"),
        }
    }

    #[test]
    fn a_chain_has_one_outcome() {
        let broken = item("refused", CHAIN_BROKEN, "/transfers/1");
        let poor = item("refused", "insufficient_funds", "");
        assert_eq!(told(&[broken.clone(), poor, broken]), "refused insufficient_funds");
        let list = item("conflict", "id_conflict", "/transfers/0/chain");
        assert_eq!(
            told(&[list.clone(), item("conflict", "id_conflict", "/transfers/1/amount")]),
            "conflict /transfers/1/amount"
        );
        assert_eq!(told(&[list.clone(), list]), "conflict /transfers/0/chain");
        let away = item("unavailable", "branch_unavailable", "");
        assert_eq!(told(&[away.clone(), away]), "unavailable branch_unavailable");
        let unsent = item("unavailable", "hold_not_found", "/transfers/1");
        assert_eq!(told(&[unsent.clone(), unsent]), "error hold_not_found: ", "nothing moved, and it is not refused");
        let unknown = item("unknown", "", "");
        assert_eq!(told(&[unknown.clone(), unknown]), "unknown");
        assert_eq!(told(&[item("posted", "", "")]), "unknown", "without its transfer nothing is known of it");
        assert_eq!(told(&[item("of a later version", "", "")]), "unknown");
        let id = ID.parse().unwrap();
        for (ids, of) in [
            (vec![id], vec![]),
            (vec![], vec![]),
            (vec![id, id], vec![item("refused", "x", "")]),
            (vec![Uuid::nil()], vec![item("refused", "x", "")]),
        ] {
            let read = outcome(&ids, items(&of));
            assert!(matches!(read, Ok(Outcome::Unknown { .. })), "not the results of these links");
        }
    }
}
