//! What earlier runs of an import made of its lines, asked of all branches before anything is sent.
//!
//! The bank knows the id of a customer or an account at its own branch only. A line whose branch was changed would be a
//! new one at the other branch, and its opening balance would be booked a second time. So such lines are found here, and
//! while a branch cannot be asked nothing is sent at all: what it has is not known.

use super::ids::ImportIds;
use super::lines::Lines;
use super::tally::Stopped;
use nostro_client::{Client, ClientError, Found};
use nostro_core::BranchCode;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The most ids that the API takes at once.
const IDS_AT_A_TIME: usize = 1_000;
/// Between two tries; each next one is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(200);
/// The longest pause, unless the server asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The lines that an earlier run imported at another branch than they name now, each with that branch.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// By the place of the line.
    pub(super) customers: HashMap<usize, BranchCode>,
    /// By the place of the line.
    pub(super) accounts: HashMap<usize, BranchCode>,
}

/// Asks for all lines; waits at most so long for branches that cannot be asked.
pub(super) async fn look(
    client: &Client,
    ids: &ImportIds,
    lines: &Lines,
    wait: Duration,
) -> Result<Elsewhere, Stopped> {
    let ends = Instant::now() + wait;
    let customers: Vec<(Uuid, BranchCode)> =
        lines.customers.iter().map(|line| (ids.customer(&line.reference), line.branch)).collect();
    let accounts: Vec<(Uuid, BranchCode)> = lines
        .accounts
        .iter()
        .map(|line| (ids.account(&line.reference), lines.customers[line.customer].branch))
        .collect();
    let mut elsewhere = Elsewhere::default();
    for (number, some) in customers.chunks(IDS_AT_A_TIME).enumerate() {
        let asked: Vec<Uuid> = some.iter().map(|(id, _)| *id).collect();
        let found = until_all_are_asked(ends, || client.find_customers(&asked)).await?;
        let found: Vec<_> = found.data.into_iter().map(|item| (item.id, item.value.branch)).collect();
        elsewhere.customers.extend(at_another(some, number * IDS_AT_A_TIME, &found));
    }
    for (number, some) in accounts.chunks(IDS_AT_A_TIME).enumerate() {
        let asked: Vec<Uuid> = some.iter().map(|(id, _)| *id).collect();
        let found = until_all_are_asked(ends, || client.find_accounts(&asked)).await?;
        let found: Vec<_> = found.data.into_iter().map(|item| (item.id, item.value.branch)).collect();
        elsewhere.accounts.extend(at_another(some, number * IDS_AT_A_TIME, &found));
    }
    Ok(elsewhere)
}

/// Those of the lines, the first of which has this place, that were found at another branch than theirs: also if their
/// own has them too.
fn at_another(lines: &[(Uuid, BranchCode)], first: usize, found: &[(Uuid, BranchCode)]) -> HashMap<usize, BranchCode> {
    let places: HashMap<Uuid, (usize, BranchCode)> =
        lines.iter().zip(first..).map(|((id, branch), at)| (*id, (at, *branch))).collect();
    let other = |(id, at_branch): &(Uuid, BranchCode)| {
        let (at, branch) = places.get(id)?;
        (branch != at_branch).then_some((*at, *at_branch))
    };
    found.iter().filter_map(other).collect()
}

/// Asks again until every branch could be asked, or the time is over. To ask changes nothing.
async fn until_all_are_asked<T, F>(ends: Instant, mut ask: impl FnMut() -> F) -> Result<Found<T>, Stopped>
where
    F: Future<Output = Result<Found<T>, ClientError>>,
{
    let mut pause = PAUSE_MIN;
    loop {
        let (stopped, wait) = match ask().await {
            Ok(found) if found.unreachable.is_empty() => return Ok(found),
            Ok(found) => (Stopped::Unasked(found.unreachable), pause),
            Err(error) => {
                let wait = match &error {
                    ClientError::Unavailable { retry_after, .. } => pause.max(*retry_after),
                    ClientError::Connect { .. } | ClientError::Unknown { .. } => pause,
                    ClientError::Rejected(problem) if problem.status == 429 => PAUSE_MAX,
                    // Asked again it would be answered the same.
                    ClientError::Rejected(_) => Duration::MAX,
                };
                (Stopped::Failed(error), wait)
            }
        };
        if ends.saturating_duration_since(Instant::now()) <= wait {
            return Err(stopped);
        }
        if pause == PAUSE_MIN {
            eprintln!("waiting: {}", stopped.told());
        }
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> BranchCode {
        text.parse().unwrap()
    }

    #[test]
    fn a_line_is_elsewhere_if_any_other_branch_has_it() {
        let id = Uuid::from_u128;
        let lines = [(id(1), code("AZ")), (id(2), code("AZ")), (id(3), code("TX")), (id(4), code("TX"))];
        let found = vec![
            (id(1), code("AZ")),
            (id(2), code("TX")),
            (id(3), code("TX")),
            (id(3), code("NV")),
            (id(9), code("NV")),
        ];
        let expected = HashMap::from([(1_001, code("TX")), (1_002, code("NV"))]);
        assert_eq!(at_another(&lines, 1_000, &found), expected);
    }

    #[tokio::test]
    async fn nothing_is_known_while_a_branch_could_not_be_asked() {
        let answer = |unreachable: &[&str]| Found::<()> {
            data: Vec::new(),
            unreachable: unreachable.iter().map(|code| (*code).to_owned()).collect(),
        };
        let mut asked = 0;
        let late = until_all_are_asked(Instant::now() + Duration::from_secs(20), || {
            asked += 1;
            let unreachable: &[&str] = if asked < 3 { &["TX"] } else { &[] };
            let answer = answer(unreachable);
            async move { Ok(answer) }
        });
        assert!(late.await.is_ok());
        assert_eq!(asked, 3);
        let never = until_all_are_asked(Instant::now(), || {
            let answer = answer(&["NV", "TX"]);
            async move { Ok(answer) }
        });
        match never.await {
            Err(Stopped::Unasked(branches)) => assert_eq!(branches, ["NV", "TX"]),
            other => panic!("{other:?}"),
        }
    }
}
