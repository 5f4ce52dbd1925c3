//! Changes of accounts' limits and states, now and then.

use super::{Crowd, PATIENCE};
use crate::history::{ChangeAnswer, NewTerms, Unit};
use fastrand::Rng;
use nostro_client::{Account, ChangeRequest, ClientError};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{sleep, timeout};

impl Crowd {
    /// Freezes an account, opens it again, or changes a limit of it: sent until it is answered, a few times at most. What
    /// is not answered then may be made or not.
    pub(super) async fn change(&self, random: &mut Rng) -> Option<Unit> {
        let (account, number) = self.cast.changing(random);
        let terms = drawn(random);
        let (change, id) = self.recorder.open_change(account, terms);
        let request = ChangeRequest {
            id,
            overdraft_limit: terms.limit.map(|limit| limit.to_string()),
            ceiling: terms.ceiling.map(|ceiling| ceiling.map_or("none".into(), |ceiling| ceiling.to_string())),
            state: terms.state.map(str::to_owned),
            reason: None,
        };
        for _ in 0..random.u32(1..5) {
            let client = self.stage.client(random.usize(..self.stage.servers()));
            let answered = timeout(PATIENCE, client.change_account(number, &request)).await;
            let answer = answered.map_or(ChangeAnswer::Open, told);
            self.recorder.tell_change(change, answer.clone());
            match answer {
                ChangeAnswer::Changed | ChangeAnswer::Rejected(_) => return None,
                ChangeAnswer::NotConnected | ChangeAnswer::Open if self.stop.load(Ordering::Relaxed) => return None,
                ChangeAnswer::NotConnected | ChangeAnswer::Open => {}
            }
            sleep(Duration::from_millis(random.u64(50..400))).await;
        }
        None
    }
}

fn drawn(random: &mut Rng) -> NewTerms {
    let nothing = NewTerms::default();
    match random.u32(..10) {
        // Twice as often open as any other state, so that accounts also move.
        0..4 => {
            let states = ["open", "open", "open", "debits_frozen", "credits_frozen", "frozen"];
            NewTerms { state: Some(states[random.usize(..states.len())]), ..nothing }
        }
        4..7 => NewTerms { limit: Some([0, 5_000, 50_000, 100_000][random.usize(..4)]), ..nothing },
        _ => NewTerms { ceiling: Some([None, None, Some(2_000), Some(20_000)][random.usize(..4)]), ..nothing },
    }
}

fn told(answered: Result<Account, ClientError>) -> ChangeAnswer {
    match answered {
        Ok(_) => ChangeAnswer::Changed,
        Err(ClientError::Rejected(problem)) => ChangeAnswer::Rejected(problem.code.into()),
        Err(ClientError::Connect { .. }) => ChangeAnswer::NotConnected,
        Err(ClientError::Unavailable { .. } | ClientError::Unknown { .. }) => ChangeAnswer::Open,
    }
}
