//! Rows of attempts that answer by script, and what each result means.

use super::*;
use std::cell::RefCell;
use std::collections::VecDeque;

fn problem(status: u16, code: &str) -> Box<Problem> {
    let text = format!(
        r#"{{"type":"/problems/{code}","title":"T","status":{status},"code":"{code}","detail":"D","instance":"/",
        "retry":"same_id","request_id":"r"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn lost() -> ClientError {
    let error = serde_json::Error::custom("cut");
    ClientError::Unknown { source: UnknownCause::Body(error) }
}

fn done(value: u32) -> ItemOutcome<u32> {
    ItemOutcome::Done { value, replayed: false }
}

fn word(outcome: &ItemOutcome<u32>) -> String {
    match outcome {
        ItemOutcome::Done { value, .. } => format!("done {value}"),
        ItemOutcome::Refused(problem) => format!("refused {}", problem.code),
        ItemOutcome::Unavailable(problem) => {
            format!("unavailable {}", problem.as_ref().map_or("-", |problem| problem.code.as_str()))
        }
        ItemOutcome::Unknown => "unknown".to_owned(),
    }
}

type Attempt = Result<Vec<ItemOutcome<u32>>, ClientError>;

/// What three items come to, and which of them each attempt carried.
async fn run(attempts: Vec<Attempt>, patience: Duration) -> (Result<Vec<String>, String>, Vec<Vec<u32>>) {
    let script = RefCell::new(VecDeque::from(attempts));
    let carried = RefCell::new(Vec::new());
    let ended = items_until_settled(&[1, 2, 3], patience, |asked: Vec<u32>| {
        carried.borrow_mut().push(asked);
        let answer = script.borrow_mut().pop_front().expect("no more attempts than in the script");
        async move { answer }
    });
    let ended = ended.await;
    let words = ended.map(|items| items.iter().map(word).collect()).map_err(|error| error.to_string());
    (words, carried.into_inner())
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn only_what_is_left_is_sent_again() {
    let refused = || ItemOutcome::Refused(problem(409, "id_conflict"));
    let away = || ItemOutcome::Unavailable(Some(problem(503, "branch_unavailable")));
    let first = Ok(vec![done(1), ItemOutcome::Unknown, away()]);
    let (ended, carried) = run(vec![first, Ok(vec![refused(), away()]), Ok(vec![done(3)])], LONG).await;
    assert_eq!(ended.unwrap(), ["done 1", "refused id_conflict", "done 3"]);
    assert_eq!(carried, [vec![1, 2, 3], vec![2, 3], vec![3]]);
}

#[tokio::test]
async fn a_lost_answer_is_followed_by_the_same_ids() {
    let (ended, carried) = run(vec![Err(lost()), Ok(vec![done(1), done(2), done(3)])], LONG).await;
    assert_eq!(ended.unwrap(), ["done 1", "done 2", "done 3"]);
    assert_eq!(carried, [vec![1, 2, 3], vec![1, 2, 3]]);
}

#[tokio::test]
async fn what_is_open_stays_unknown_whatever_comes_later() {
    let away = || ItemOutcome::Unavailable(Some(problem(503, "busy")));
    let whole = || ClientError::Unavailable { problem: problem(503, "queue_full"), retry_after: Duration::ZERO };
    let rejected = || ClientError::Rejected(problem(401, "unauthorized"));
    let first = || Ok(vec![ItemOutcome::Unknown, away(), done(3)]);
    let short = Duration::from_millis(150);
    let (ended, _) = run(vec![first(), Ok(vec![away(), away()])], short).await;
    assert_eq!(ended.unwrap(), ["unknown", "unavailable busy", "done 3"]);
    let (ended, _) = run(vec![first(), Err(whole())], short).await;
    assert_eq!(ended.unwrap(), ["unknown", "unavailable queue_full", "done 3"]);
    let (ended, _) = run(vec![first(), Err(rejected())], LONG).await;
    assert_eq!(ended.unwrap(), ["unknown", "unavailable busy", "done 3"]);
    let (ended, _) = run(vec![Err(lost()), Err(rejected())], LONG).await;
    assert_eq!(ended.unwrap(), ["unknown", "unknown", "unknown"]);
}

/// Nothing was done, and the same again would come to the same.
#[tokio::test]
async fn what_would_be_answered_the_same_is_not_sent_again_unless_an_attempt_is_open() {
    let unclear = || {
        let mut problem = problem(400, "invalid_request");
        problem.retry = NEVER.to_owned();
        ItemOutcome::Unavailable(Some(problem))
    };
    let (ended, carried) = run(vec![Ok(vec![done(1), unclear(), unclear()])], LONG).await;
    assert_eq!(ended.unwrap(), ["done 1", "unavailable invalid_request", "unavailable invalid_request"]);
    assert_eq!(carried.len(), 1);
    let first = Ok(vec![done(1), ItemOutcome::Unknown, done(3)]);
    let (ended, carried) = run(vec![first, Ok(vec![unclear()]), Ok(vec![done(2)])], LONG).await;
    assert_eq!((ended.unwrap()[1].as_str(), carried.len()), ("done 2", 3));
}

#[tokio::test]
async fn a_bulk_that_did_nothing_tells_why() {
    let rejected = Err(ClientError::Rejected(problem(400, "invalid_request")));
    let (ended, carried) = run(vec![rejected], LONG).await;
    assert_eq!((ended.unwrap_err().as_str(), carried.len()), ("invalid_request: D", 1));
    let slow_down = || Err(ClientError::Rejected(problem(429, "rate_limited")));
    let (ended, _) = run(vec![slow_down()], Duration::from_millis(50)).await;
    assert_eq!(ended.unwrap_err(), "rate_limited: D");
    let away = || ItemOutcome::Unavailable(Some(problem(503, "branch_unavailable")));
    let (ended, _) = run(vec![Ok(vec![away(), away(), away()])], Duration::ZERO).await;
    assert_eq!(ended.unwrap(), vec!["unavailable branch_unavailable"; 3], "one attempt, also without patience");
}

#[test]
fn each_state_of_a_result_has_its_meaning() {
    for (result, expected) in [
        (r#""state":"opened","account":7"#, "done 7"),
        (r#""state":"opened","customer":7,"later":1"#, "done 7"),
        (r#""state":"replayed","account":7"#, "done 7"),
        (r#""state":"refused","problem":P"#, "refused c"),
        (r#""state":"conflict","problem":P"#, "refused c"),
        (r#""state":"unavailable","problem":P"#, "unavailable c"),
        (r#""state":"unavailable""#, "unavailable -"),
        (r#""state":"unknown""#, "unknown"),
        (r#""state":"unknown","problem":P"#, "unknown"),
        (r#""state":"opened""#, "unknown"),
        (r#""state":"refused""#, "unknown"),
        (r#""state":"postponed","account":7"#, "unknown"),
    ] {
        let text = format!(r#"{{"id":"00000000-0000-0000-0000-000000000007",{result}}}"#);
        let text = text.replace('P', &serde_json::to_string(&problem(422, "c")).unwrap());
        let item: RegisteredItem<u32> = serde_json::from_str(&text).unwrap();
        assert_eq!(word(&of_registered(item)), expected, "{text}");
    }
}

#[test]
fn results_that_are_not_those_of_the_request_are_unknown() {
    let ids = |ids: &[u128]| ids.iter().map(|id| Uuid::from_u128(*id)).collect::<Vec<_>>().into_iter();
    let results = |ids: &[u128]| {
        let all: Vec<_> = ids.iter().map(|id| (Uuid::from_u128(*id), done(1))).collect();
        all.into_iter()
    };
    assert_eq!(in_order(ids(&[1, 2]), results(&[1, 2])).unwrap().len(), 2);
    for other in [&[1][..], &[2, 1], &[1, 2, 3], &[]] {
        let read = in_order(ids(&[1, 2]), results(other));
        assert!(matches!(read, Err(ClientError::Unknown { .. })), "{other:?}");
    }
}
