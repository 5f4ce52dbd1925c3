//! Lanes: for each branch, and each pair of branches, a bounded queue and the batches that form in it.
//!
//! While a lane's batches are in flight the next one forms in its queue. At rest a transfer is a batch of its own
//! at once; under load a batch carries thousands. A lane has two queues, so that whoever sends one transfer does not
//! stand behind somebody's thousands: half of each batch is for single ones first. And while single ones come, batches
//! take less of the bulks, because all that is in a batch, and all that waits for its rows, waits for all of it.
//!
//! A branch carries a few batches at a time, whatever the number of its lanes. What waits for its turn there goes on
//! gathering in its queue: so many lanes make few large batches, not many small ones.

use crate::answer::{Answer, Unavailable};
use crate::bank::Bank;
use crate::batch::{self, answer_all};
use crate::in_flight::Busy;
use futures_util::future::FutureExt;
use nostro_core::{BranchCode, Transfer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

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

/// What a transfer came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Company {
    /// A request of its own.
    Single,
    /// Others of the same request.
    Bulk,
}

/// The ways into a lane.
#[derive(Clone, Debug)]
struct Queue {
    single: mpsc::Sender<Item>,
    bulk: mpsc::Sender<Item>,
}

/// For so long after a single transfer its like are expected.
const SINGLES_EXPECTED_FOR: Duration = Duration::from_secs(1);

/// What waits in a lane.
#[derive(Debug)]
struct Waiting {
    single: mpsc::Receiver<Item>,
    bulk: mpsc::Receiver<Item>,
    /// The first of a batch that waits for its turn.
    first: Option<(Company, Item)>,
    /// When a single transfer was last taken.
    single_at: Option<Instant>,
}

/// How many transfers a batch takes.
#[derive(Clone, Copy, Debug)]
struct BatchSizes {
    max: usize,
    /// Of bulks, while single ones come too.
    bulk_beside_singles: usize,
}

/// The lanes of an engine, made when a transfer first needs them.
#[derive(Debug)]
pub(crate) struct Lanes {
    bank: Arc<Bank>,
    /// None once the lanes are closed.
    queues: Mutex<Option<HashMap<LaneKey, Queue>>>,
}

impl Lanes {
    pub(crate) fn new(bank: Arc<Bank>) -> Self {
        Self { bank, queues: Mutex::new(Some(HashMap::new())) }
    }

    /// Queues a transfer. The answer comes on the channel; if that is dropped without one, it is unknown.
    pub(crate) fn submit(&self, transfer: Transfer, company: Company, busy: Busy) -> oneshot::Receiver<Answer> {
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
        let way = match company {
            Company::Single => &queue.single,
            Company::Bulk => &queue.bulk,
        };
        match way.try_send(item) {
            Ok(()) => {}
            Err(TrySendError::Full(item)) => item.answer(Answer::Unavailable(Unavailable::QueueFull)),
            Err(TrySendError::Closed(item)) => item.answer(Answer::Unavailable(Unavailable::IntakeClosed)),
        }
        answered
    }

    fn queue(&self, key: LaneKey) -> Option<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.as_mut()?.entry(key).or_insert_with(|| {
            let limit = self.bank.limits.queue_transfers_max;
            let ((single, singles), (bulk, bulks)) = (mpsc::channel(limit), mpsc::channel(limit));
            let waiting = Waiting::new(singles, bulks);
            self.bank.tasks.spawn("lane", run(Arc::clone(&self.bank), key, waiting));
            Queue { single, bulk }
        });
        Some(queue.clone())
    }

    /// Lets every lane finish what is queued and end.
    pub(crate) fn close(&self) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A batch's places: in its lane, and at each of its branches.
pub(crate) type Turn = Vec<OwnedSemaphorePermit>;

/// A batch waits at most so long for its turn at its branches.
const TURN_WAIT: Duration = Duration::from_secs(5);

async fn run(bank: Arc<Bank>, key: LaneKey, mut waiting: Waiting) {
    let in_flight = Arc::new(Semaphore::new(bank.limits.batches_in_flight_max));
    let sizes = BatchSizes {
        max: bank.limits.batch_transfers_max,
        bulk_beside_singles: bank.limits.bulk_transfers_beside_singles_max,
    };
    loop {
        let mut turn = vec![place(&in_flight).await];
        if !waiting.any().await {
            return;
        }
        let at_branches = async {
            for branch in key.branches().filter_map(|code| bank.branch(code)) {
                turn.push(place(&branch.turns).await);
            }
        };
        let is_late = timeout(TURN_WAIT, at_branches).await.is_err();
        let batch = waiting.take(sizes);
        if is_late {
            answer_all(batch, &Answer::Unavailable(Unavailable::Busy));
            continue;
        }
        metrics::histogram!("nostro_batch_transfers").record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
        bank.tasks.spawn("batch", batch::run(Arc::clone(&bank), key, batch, turn));
    }
}

async fn place(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(places).acquire_owned().await.expect("no semaphore of the engine is ever closed")
}

impl Waiting {
    fn new(single: mpsc::Receiver<Item>, bulk: mpsc::Receiver<Item>) -> Self {
        Self { single, bulk, first: None, single_at: None }
    }

    /// Waits for the first of a batch; false once both queues are closed and empty.
    async fn any(&mut self) -> bool {
        self.first = tokio::select! {
            biased;
            Some(item) = self.single.recv() => Some((Company::Single, item)),
            Some(item) = self.bulk.recv() => Some((Company::Bulk, item)),
            else => None,
        };
        self.first.is_some()
    }

    /// The first and everything that waits behind it, as far as it fits.
    fn take(&mut self, sizes: BatchSizes) -> Vec<Item> {
        let mut batch = Vec::new();
        let mut bulk_first = 0;
        if let Some((company, item)) = self.first.take() {
            bulk_first = usize::from(company == Company::Bulk);
            batch.push(item);
        }
        receive(&mut self.single, &mut batch, sizes.max.div_ceil(2) + bulk_first);
        if batch.len() > bulk_first {
            self.single_at = Some(Instant::now());
        }
        let beside_singles = self.single_at.is_some_and(|at| at.elapsed() < SINGLES_EXPECTED_FOR);
        let bulk_max = if beside_singles { sizes.bulk_beside_singles } else { sizes.max };
        let bulk_most = (batch.len() + bulk_max - bulk_first).min(sizes.max);
        receive(&mut self.bulk, &mut batch, bulk_most);
        // What bulks leave is for single ones too.
        receive(&mut self.single, &mut batch, sizes.max);
        batch
    }
}

/// Takes what waits in a queue until the batch has so many.
fn receive(queue: &mut mpsc::Receiver<Item>, batch: &mut Vec<Item>, most: usize) {
    let room = most.saturating_sub(batch.len());
    let _ = queue.recv_many(batch, room).now_or_never();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::in_flight::{Admission, InFlight};
    use nostro_core::{AccountNumber, Amount, Operation, TransferId};

    fn item(all: &Arc<InFlight>, id: u128) -> Item {
        let account = |serial| AccountNumber::new("AZ".parse().unwrap(), serial).unwrap();
        let transfer = Transfer {
            id: TransferId(uuid::Uuid::from_u128(id)),
            operation: Operation::Transfer,
            debit: account(1),
            credit: account(2),
            amount: Amount::new(1).unwrap(),
            currency: "USD".parse().unwrap(),
            category: 0,
            reference: None,
        };
        let Admission::First(busy) = all.admit(transfer.id) else { panic!("nobody is busy with it") };
        Item { transfer, arrived: Instant::now(), answer: oneshot::channel().0, busy }
    }

    #[tokio::test]
    async fn single_transfers_do_not_stand_behind_a_bulk() {
        let all = Arc::new(InFlight::default());
        let ((single, singles), (bulk, bulks)) = (mpsc::channel(100), mpsc::channel(100));
        let mut waiting = Waiting::new(singles, bulks);
        for id in 0..20 {
            bulk.try_send(item(&all, id)).unwrap();
        }
        for id in 100..107 {
            single.try_send(item(&all, id)).unwrap();
        }
        drop((single, bulk));
        let mut batches = Vec::new();
        while waiting.any().await {
            let batch = waiting.take(BatchSizes { max: 10, bulk_beside_singles: 10 });
            batches.push(batch.iter().map(|item| item.transfer.id.0.as_u128()).collect::<Vec<_>>());
        }
        assert_eq!(
            batches,
            [
                vec![100, 101, 102, 103, 104, 0, 1, 2, 3, 4],
                vec![105, 106, 5, 6, 7, 8, 9, 10, 11, 12],
                vec![13, 14, 15, 16, 17, 18, 19]
            ],
            "each queue in its order, and half of a batch for the single ones"
        );
    }

    #[tokio::test]
    async fn batches_take_less_of_bulks_while_single_transfers_come() {
        let all = Arc::new(InFlight::default());
        let ((single, singles), (bulk, bulks)) = (mpsc::channel(100), mpsc::channel(100));
        let mut waiting = Waiting::new(singles, bulks);
        let sizes = BatchSizes { max: 10, bulk_beside_singles: 3 };
        for id in 0..30 {
            bulk.try_send(item(&all, id)).unwrap();
        }
        assert!(waiting.any().await);
        assert_eq!(waiting.take(sizes).len(), 10, "nobody else is there");
        assert!(waiting.any().await, "a bulk is the first");
        single.try_send(item(&all, 100)).unwrap();
        assert_eq!(waiting.take(sizes).len(), 1 + 3);
        assert!(waiting.any().await);
        assert_eq!(waiting.take(sizes).len(), 3, "another single one is expected");
        single.try_send(item(&all, 101)).unwrap();
        assert!(waiting.any().await, "a single one is the first");
        assert_eq!(waiting.take(sizes).len(), 1 + 3);
        waiting.single_at = Instant::now().checked_sub(SINGLES_EXPECTED_FOR);
        assert!(waiting.any().await);
        assert_eq!(waiting.take(sizes).len(), 10, "no longer");
    }
}
