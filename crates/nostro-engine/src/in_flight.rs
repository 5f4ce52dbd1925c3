//! Ids that this server is busy with: a second transfer under one of them is parked until the first is answered,
//! and then finds its record. So two lanes never decide one id at the same time in one server; between servers
//! the database's unique key sees to it.

use crate::mutex::locked;
use foldhash::HashMap;
use nostro_core::TransferId;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Requests that wait for one id. A client that retries waits for its answer; more than this is a loop gone wild.
const PARKED_MAX: usize = 1_000;

/// The ids that are being decided, each with those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    ids: Mutex<HashMap<TransferId, Vec<oneshot::Sender<()>>>>,
}

/// Marks an id as busy for as long as it lives. It travels with the transfer, not with the request, so that it
/// outlives a client that hangs up.
#[derive(Debug)]
pub(crate) struct Busy {
    id: TransferId,
    all: Arc<InFlight>,
}

/// Whether an id may go on.
pub(crate) enum Admission {
    /// Nobody else is busy with it.
    First(Busy),
    /// Wait for this, then try again.
    Parked(oneshot::Receiver<()>),
    /// Too many wait for it already.
    Crowded,
}

impl InFlight {
    pub(crate) fn admit(self: &Arc<Self>, id: TransferId) -> Admission {
        let mut ids = locked(&self.ids);
        if let Some(waiting) = ids.get_mut(&id) {
            if waiting.len() >= PARKED_MAX {
                return Admission::Crowded;
            }
            let (wake, parked) = oneshot::channel();
            waiting.push(wake);
            return Admission::Parked(parked);
        }
        ids.insert(id, Vec::new());
        Admission::First(Busy { id, all: Arc::clone(self) })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let waiting = locked(&self.all.ids).remove(&self.id);
        for wake in waiting.into_iter().flatten() {
            // Whoever gave up waiting needs no wake-up.
            let _ = wake.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_request_waits_until_the_first_is_through() {
        let all = Arc::new(InFlight::default());
        let id = TransferId(uuid::Uuid::from_u128(1));
        let Admission::First(busy) = all.admit(id) else { panic!("nobody is busy with it") };
        let Admission::Parked(mut parked) = all.admit(id) else { panic!("the first is busy with it") };
        assert!(parked.try_recv().is_err());
        drop(busy);
        assert_eq!(parked.await, Ok(()));
        assert!(matches!(all.admit(id), Admission::First(_)));
    }
}
