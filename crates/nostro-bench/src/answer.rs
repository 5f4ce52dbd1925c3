//! Answers are scanned, not parsed: the load shares its cores with what it measures.

use crate::error::BenchError;
use crate::tally::Answers;
use hyper::StatusCode;
use memchr::memmem::Finder;

/// Finds what became of each item in the answer to a bulk request.
#[derive(Debug)]
pub(crate) struct BulkScanner {
    state: Finder<'static>,
}

/// What follows the state of an item. The transfer inside an item has a state too, with other fields behind it.
const BEHIND_AN_ITEM: [&[u8]; 4] = [b",\"replayed\"", b",\"transfer\"", b",\"problem\"", b"}"];

impl BulkScanner {
    pub(crate) fn new() -> Self {
        Self { state: Finder::new("\"state\":\"") }
    }

    /// Counts the items by their states; there must be `expected` of them.
    pub(crate) fn scan(&self, body: &[u8], expected: usize) -> Result<Answers, BenchError> {
        let mut answers = Answers::default();
        for at in self.state.find_iter(body) {
            let rest = &body[at + "\"state\":\"".len()..];
            let Some(end) = rest.iter().position(|byte| *byte == b'"') else { continue };
            let (word, behind) = (&rest[..end], &rest[end + 1..]);
            if !BEHIND_AN_ITEM.iter().any(|next| behind.starts_with(next)) {
                continue;
            }
            let is_replay = behind.starts_with(b",\"replayed\":true");
            let slot = match word {
                b"posted" if is_replay => &mut answers.replayed,
                b"posted" => &mut answers.posted,
                b"refused" => &mut answers.refused,
                b"settling" => &mut answers.settling,
                b"unknown" => &mut answers.unknown,
                b"unavailable" => &mut answers.unavailable,
                _ => &mut answers.other,
            };
            *slot += 1;
        }
        if usize::try_from(answers.sum()) == Ok(expected) {
            return Ok(answers);
        }
        let found = format!("{expected} items were sent, {} states came back", answers.sum());
        Err(BenchError::Answer { what: "a bulk request as expected", found })
    }
}

/// The answer to a single transfer, by its status.
pub(crate) fn single(status: StatusCode, is_replay: bool, body: &[u8]) -> Answers {
    let mut answers = Answers::default();
    let slot = match status.as_u16() {
        200 | 201 if is_replay => &mut answers.replayed,
        200 | 201 => &mut answers.posted,
        202 if body.windows(10).any(|window| window == b"\"settling\"") => &mut answers.settling,
        202 => &mut answers.unknown,
        422 => &mut answers.refused,
        503 => &mut answers.unavailable,
        _ => &mut answers.other,
    };
    *slot += 1;
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_of_items_are_counted_and_not_those_of_their_transfers() {
        let body = br#"{"results":[
            {"id":"1","state":"posted","transfer":{"id":"1","kind":"transfer","state":"posted","debit_account":"x"}},
            {"id":"2","state":"posted","replayed":true,"transfer":{"id":"2","state":"posted","debit_account":"x"}},
            {"id":"3","state":"refused","problem":{"type":"/problems/insufficient_funds"}},
            {"id":"4","state":"unavailable","problem":{}},
            {"id":"5","state":"unknown"},
            {"id":"6","state":"settling","transfer":{"id":"6","state":"settling","debit_account":"x"}},
            {"id":"7","state":"conflict","problem":{}}]}"#;
        let scanner = BulkScanner::new();
        let found = scanner.scan(body, 7).unwrap();
        let found = [
            found.posted,
            found.replayed,
            found.refused,
            found.unavailable,
            found.unknown,
            found.settling,
            found.other,
        ];
        assert_eq!(found, [1; 7]);
        assert!(scanner.scan(body, 8).is_err(), "an answer that lacks an item is not believed");
    }

    #[test]
    fn a_single_answer_is_told_by_its_status() {
        let status = |code| StatusCode::from_u16(code).unwrap();
        assert_eq!(single(status(201), false, b"").posted, 1);
        assert_eq!(single(status(200), true, b"").replayed, 1);
        assert_eq!(single(status(202), false, br#"{"state":"settling"}"#).settling, 1);
        assert_eq!(single(status(202), false, br#"{"state":"unknown"}"#).unknown, 1);
        assert_eq!(single(status(500), false, b"").other, 1);
    }
}
