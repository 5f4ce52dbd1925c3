//! Lanes: for each branch, and each pair of branches, a bounded queue and the batches that form in it. A chain over more
//! branches is a batch by itself.
//!
//! While a lane's batches are in flight the next one forms in its queue. At rest a transfer is a batch of its own
//! at once; under load a batch carries thousands. A lane has two queues, so that whoever sends one transfer does not
//! stand behind somebody's thousands: half of each batch is for single ones first. And while single ones come, batches
//! take less of the bulks, because all that is in a batch, and all that waits for its rows, waits for all of it.
//!
//! A branch carries a few batches at a time, whatever the number of its lanes. What waits for its turn there goes on
//! gathering in its queue: so many lanes make few large batches, not many small ones.
//!
//! A lane's next batch is formed when the one before has locked its rows, so that they lock in the order in which their
//! transfers came.

use crate::answer::{Answer, Unavailable};
use crate::bank::{Bank, Branch};
use crate::batch;
use crate::in_flight::Busy;
use crate::item::{Item, answer_all};
use crate::mutex::locked;
use crate::pace::Pace;
use nostro_core::{BranchSet, Chain, Transfer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// What a transfer or a chain came with.
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
    /// Room for the links of chains that wait here.
    links: Arc<Semaphore>,
}

/// A chain of at most so many links, in a request of its own, goes with the single transfers.
const SINGLE_LINKS_MAX: usize = 16;

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
    queues: Mutex<Option<HashMap<BranchSet, Queue>>>,
    /// Places of chains over more than two branches, and of their links.
    wide: Arc<Semaphore>,
    wide_links: Arc<Semaphore>,
}

/// So many chains over more than two branches may be on their way; each waits for its turn at its branches. Their links are
/// bounded as those of a queue are.
const WIDE_CHAINS_MAX: usize = 256;

impl Lanes {
    pub(crate) fn new(bank: Arc<Bank>) -> Self {
        let wide = Arc::new(Semaphore::new(WIDE_CHAINS_MAX));
        let wide_links = Arc::new(Semaphore::new(bank.limits.queue_transfers_max));
        Self { bank, queues: Mutex::new(Some(HashMap::new())), wide, wide_links }
    }

    /// For the orders of one request: what stands in the way of some of them is asked once for all.
    pub(crate) fn entrance(&self) -> Entrance<'_> {
        Entrance { lanes: self, at: Instant::now(), ways: foldhash::HashMap::default() }
    }

    fn way(&self, branches: BranchSet) -> Result<Way, Unavailable> {
        if let Some(unavailable) = self.bank.turned_away(branches.iter()) {
            return Err(unavailable);
        }
        if branches.count() > 2 {
            return Ok(Way::Wide);
        }
        let mut queues = locked(&self.queues);
        let queues = queues.as_mut().ok_or(Unavailable::IntakeClosed)?;
        let queue = queues.entry(branches).or_insert_with(|| {
            let limit = self.bank.limits.queue_transfers_max;
            let ((single, singles), (bulk, bulks)) = (mpsc::channel(limit), mpsc::channel(limit));
            let waiting = Waiting::new(singles, bulks);
            self.bank.tasks.spawn("lane", run(Arc::clone(&self.bank), branches, waiting));
            Queue { single, bulk, links: Arc::new(Semaphore::new(limit)) }
        });
        Ok(Way::Queue(queue.clone()))
    }

    /// Takes a chain over more than two branches on its way, if there is room.
    fn go_wide(&self, branches: BranchSet, item: Item) -> Result<(), (Item, Unavailable)> {
        if locked(&self.queues).is_none() {
            return Err((item, Unavailable::IntakeClosed));
        }
        let places = room(&self.wide, 1).zip(room(&self.wide_links, item.transfers().len()));
        let Some((place, links)) = places else { return Err((item, Unavailable::QueueFull)) };
        self.bank.tasks.spawn("chain", run_wide(Arc::clone(&self.bank), branches, item, vec![place, links]));
        Ok(())
    }

    /// Lets every lane finish what is queued and end.
    pub(crate) fn close(&self) {
        locked(&self.queues).take();
    }
}

/// The way of what touches certain branches.
#[derive(Debug)]
enum Way {
    Queue(Queue),
    /// No lane has so many branches.
    Wide,
}

/// The lanes, as the orders of one request meet them.
#[derive(Debug)]
pub(crate) struct Entrance<'l> {
    lanes: &'l Lanes,
    /// When the orders were submitted.
    at: Instant,
    ways: foldhash::HashMap<BranchSet, Result<Way, Unavailable>>,
}

impl Entrance<'_> {
    /// Queues a transfer. The answer comes on the channel; if that is dropped without one, it is unknown.
    pub(crate) fn submit(&mut self, transfer: Transfer, company: Company, busy: Busy) -> oneshot::Receiver<Answer> {
        let (item, answered) = Item::transfer(transfer, busy, self.at);
        self.enter(item, company);
        answered
    }

    /// Queues a chain; answers link by link.
    pub(crate) fn submit_chain(
        &mut self,
        chain: Chain,
        company: Company,
        busy: Vec<Busy>,
    ) -> oneshot::Receiver<Vec<Answer>> {
        let company = if chain.links().len() > SINGLE_LINKS_MAX { Company::Bulk } else { company };
        let (item, answered) = Item::chain(chain, busy, self.at);
        self.enter(item, company);
        answered
    }

    fn enter(&mut self, item: Item, company: Company) {
        let (lanes, branches) = (self.lanes, item.branches());
        let way = self.ways.entry(branches).or_insert_with(|| lanes.way(branches));
        let entered = match way {
            Ok(Way::Queue(queue)) => queue.take(item, company),
            Ok(Way::Wide) => lanes.go_wide(branches, item),
            Err(unavailable) => Err((item, *unavailable)),
        };
        if let Err((item, unavailable)) = entered {
            answer_all([item], &Answer::Unavailable(unavailable));
        }
    }
}

impl Queue {
    fn take(&self, mut item: Item, company: Company) -> Result<(), (Item, Unavailable)> {
        // A queue counts items; the links of its chains are counted beside.
        if item.is_chain() {
            match room(&self.links, item.transfers().len()) {
                Some(room) => item.takes(room),
                None => return Err((item, Unavailable::QueueFull)),
            }
        }
        let way = match company {
            Company::Single => &self.single,
            Company::Bulk => &self.bulk,
        };
        way.try_send(item).map_err(|error| match error {
            TrySendError::Full(item) => (item, Unavailable::QueueFull),
            TrySendError::Closed(item) => (item, Unavailable::IntakeClosed),
        })
    }
}

/// A batch's places: in its lane, and at each of its branches.
pub(crate) type Turn = Vec<OwnedSemaphorePermit>;

/// A batch's place in the order of its lane, from being formed until it has locked all its rows, at however many attempts.
/// Meanwhile no other is formed.
#[derive(Debug, Default)]
pub(crate) struct InOrder(Option<OwnedMutexGuard<()>>);

impl InOrder {
    pub(crate) fn rows_are_locked(&mut self) {
        self.0 = None;
    }
}

/// A lane waits at most so long until a batch of it may be formed: for the one before it, and for its turn at its branches.
const TURN_WAIT: Duration = Duration::from_secs(5);

async fn run(bank: Arc<Bank>, branches: BranchSet, mut waiting: Waiting) {
    let in_flight = Arc::new(Semaphore::new(bank.limits.batches_in_flight_max));
    let (limits, pace) = (bank.limits, Arc::new(Pace::default()));
    let order = Arc::new(AsyncMutex::new(()));
    loop {
        let mut turn = vec![place(&in_flight).await];
        if !waiting.any().await {
            return;
        }
        let places = async {
            let in_order = Arc::clone(&order).lock_owned().await;
            at_branches(&bank, branches, &mut turn, |branch| &branch.turns).await;
            InOrder(Some(in_order))
        };
        let in_order = timeout(TURN_WAIT, places).await;
        let batch = waiting.take(BatchSizes {
            max: pace.batch_max(limits.batch_transfers_max, limits.quick_batch_transfers_max),
            bulk_beside_singles: limits.bulk_transfers_beside_singles_max,
        });
        let Ok(in_order) = in_order else {
            answer_all(batch, &Answer::Unavailable(Unavailable::Busy));
            continue;
        };
        measure(&batch);
        bank.tasks.spawn("batch", batch::run(Arc::clone(&bank), branches, batch, turn, Arc::clone(&pace), in_order));
    }
}

/// A chain over more branches than a lane has. It waits for a turn of its kind at each branch, of which there is one beside
/// those of lanes: while it waits for one branch, the others' lanes go on.
async fn run_wide(bank: Arc<Bank>, branches: BranchSet, item: Item, mut turn: Turn) {
    let batch = vec![item];
    if timeout(TURN_WAIT, at_branches(&bank, branches, &mut turn, |branch| &branch.wide_turn)).await.is_ok() {
        measure(&batch);
        batch::run(bank, branches, batch, turn, Arc::default(), InOrder::default()).await;
    } else {
        answer_all(batch, &Answer::Unavailable(Unavailable::Busy));
    }
}

/// Waits for a place at each of the branches, in branch order, so that nobody waits in a circle.
async fn at_branches(bank: &Bank, branches: BranchSet, turn: &mut Turn, turns: impl Fn(&Branch) -> &Arc<Semaphore>) {
    for branch in branches.iter().filter_map(|code| bank.branch(code)) {
        turn.push(place(turns(branch)).await);
    }
}

fn measure(batch: &[Item]) {
    let transfers: usize = batch.iter().map(|item| item.transfers().len()).sum();
    metrics::histogram!("nostro_batch_transfers").record(f64::from(u32::try_from(transfers).unwrap_or(u32::MAX)));
}

/// Room for so much, if there is any at once.
fn room(places: &Arc<Semaphore>, count: usize) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).try_acquire_many_owned(u32::try_from(count).ok()?).ok()
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

    /// The first and everything that waits behind it, as far as it fits. A chain is taken whole, and may be more than that.
    fn take(&mut self, sizes: BatchSizes) -> Vec<Item> {
        let mut batch = Forming::default();
        let mut bulk_first = 0;
        if let Some((company, item)) = self.first.take() {
            batch.push(item);
            bulk_first = if company == Company::Bulk { batch.transfers } else { 0 };
        }
        batch.receive(&mut self.single, sizes.max.div_ceil(2) + bulk_first);
        if batch.transfers > bulk_first {
            self.single_at = Some(Instant::now());
        }
        let beside_singles = self.single_at.is_some_and(|at| at.elapsed() < SINGLES_EXPECTED_FOR);
        let bulk_max = if beside_singles { sizes.bulk_beside_singles } else { sizes.max };
        let bulk_most = (batch.transfers + bulk_max).saturating_sub(bulk_first).min(sizes.max);
        batch.receive(&mut self.bulk, bulk_most);
        // What bulks leave is for single ones too.
        batch.receive(&mut self.single, sizes.max);
        batch.items
    }
}

/// A batch that is being filled.
#[derive(Debug, Default)]
struct Forming {
    items: Vec<Item>,
    transfers: usize,
}

impl Forming {
    fn push(&mut self, mut item: Item) {
        item.leaves_its_queue();
        self.transfers += item.transfers().len();
        self.items.push(item);
    }

    /// Takes what waits in a queue until the batch has so many transfers.
    fn receive(&mut self, queue: &mut mpsc::Receiver<Item>, most: usize) {
        while self.transfers < most {
            let Ok(item) = queue.try_recv() else { return };
            self.push(item);
        }
    }
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
            link: None,
        };
        let Admission::First(busy) = all.admit(transfer.id) else { panic!("nobody is busy with it") };
        Item::transfer(transfer, busy, Instant::now()).0
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
            batches.push(batch.iter().map(|item| item.transfers()[0].id.0.as_u128()).collect::<Vec<_>>());
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
