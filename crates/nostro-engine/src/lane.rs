//! Lanes: for each branch, and each pair of branches, a bounded queue and the batches that form in it.
//!
//! While a lane's batches are in flight the next one forms in its queue. At rest a transfer is a batch of its own
//! at once; under load a batch carries thousands.

use crate::answer::{Answer, Unavailable};
use crate::bank::Bank;
use crate::batch;
use crate::in_flight::Busy;
use nostro_core::{BranchCode, Transfer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// The branch or pair of branches that a batch works at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LaneKey {
    /// The first branch in branch order.
    pub(crate) home: BranchCode,
    /// The other one of a pair.
    pub(crate) participant: Option<BranchCode>,
}

impl LaneKey {
    /// Of a transfer.
    pub(crate) fn of(transfer: &Transfer) -> Self {
        Self { home: transfer.home(), participant: transfer.participant() }
    }

    /// Its branches in branch order.
    pub(crate) fn branches(self) -> impl Iterator<Item = BranchCode> {
        [Some(self.home), self.participant].into_iter().flatten()
    }
}

/// A transfer on its way, with whoever waits for its answer.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) transfer: Transfer,
    pub(crate) arrived: Instant,
    answer: oneshot::Sender<Answer>,
    busy: Busy,
}

impl Item {
    /// Tells whoever waits, if anybody still does, and frees the id.
    pub(crate) fn answer(self, answer: Answer) {
        answer.count();
        // The id is free before the client can send it again.
        drop(self.busy);
        let _ = self.answer.send(answer);
    }
}

/// The lanes of an engine, made when a transfer first needs them.
#[derive(Debug)]
pub(crate) struct Lanes {
    bank: Arc<Bank>,
    /// None once the lanes are closed.
    queues: Mutex<Option<HashMap<LaneKey, mpsc::Sender<Item>>>>,
}

impl Lanes {
    pub(crate) fn new(bank: Arc<Bank>) -> Self {
        Self { bank, queues: Mutex::new(Some(HashMap::new())) }
    }

    /// Queues a transfer. The answer comes on the channel; if that is dropped without one, it is unknown.
    pub(crate) fn submit(&self, transfer: Transfer, busy: Busy) -> oneshot::Receiver<Answer> {
        let key = LaneKey::of(&transfer);
        let (answer, answered) = oneshot::channel();
        let item = Item { transfer, arrived: Instant::now(), answer, busy };
        if let Some(unavailable) = self.bank.turned_away(key.branches()) {
            item.answer(Answer::Unavailable(unavailable));
            return answered;
        }
        let Some(queue) = self.queue(key) else {
            item.answer(Answer::Unavailable(Unavailable::IntakeClosed));
            return answered;
        };
        match queue.try_send(item) {
            Ok(()) => {}
            Err(TrySendError::Full(item)) => item.answer(Answer::Unavailable(Unavailable::QueueFull)),
            Err(TrySendError::Closed(item)) => item.answer(Answer::Unavailable(Unavailable::IntakeClosed)),
        }
        answered
    }

    fn queue(&self, key: LaneKey) -> Option<mpsc::Sender<Item>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.as_mut()?.entry(key).or_insert_with(|| {
            let (queue, items) = mpsc::channel(self.bank.limits.queue_transfers_max);
            self.bank.tasks.spawn("lane", run(Arc::clone(&self.bank), key, items));
            queue
        });
        Some(queue.clone())
    }

    /// Lets every lane finish what is queued and end.
    pub(crate) fn close(&self) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

async fn run(bank: Arc<Bank>, key: LaneKey, mut items: mpsc::Receiver<Item>) {
    let in_flight = Arc::new(Semaphore::new(bank.limits.batches_in_flight_max));
    loop {
        let place = Arc::clone(&in_flight).acquire_owned().await.expect("the lane's semaphore is never closed");
        let mut batch = Vec::new();
        if items.recv_many(&mut batch, bank.limits.batch_transfers_max).await == 0 {
            return;
        }
        metrics::histogram!("nostro_batch_transfers").record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
        bank.tasks.spawn("batch", batch::run(Arc::clone(&bank), key, batch, place));
    }
}
