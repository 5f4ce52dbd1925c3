//! The limit of the data model: the engine's rows written by hand, set-based, in batches, without a server.
//!
//! Some workers write batches of one pair of branches. Each takes the one lock over the lock phase, locks its accounts
//! at both branches, lets the next one in and writes; so no two wait for each other in a circle, and while one
//! commits the next one locks.

use crate::database::Session;
use crate::error::BenchError;
use crate::numbers::Numbers;
use crate::rig::Rig;
use crate::rows::batch::{self, BatchStatements, Columns, Line, LockedRow, Sending, Shared};
use crate::rows::protocol;
use crate::span::{Moment, Span};
use crate::tally::{Tally, join_all};
use crate::workload::{Accounts, Choices, Op, Workload};
use futures_util::future::try_join;
use nostro_core::{BranchCode, BranchNumber};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use uuid::Uuid;

/// One locks, one writes, one commits.
const WORKERS: usize = 3;

/// What all workers share.
struct Common {
    workload: Workload,
    numbers: Arc<Numbers>,
    codes: Vec<BranchCode>,
    branch_numbers: BTreeMap<BranchCode, BranchNumber>,
    lock_phase: Mutex<()>,
    sending: Sending,
    batch: usize,
    /// Transfers that are still to be written, where there is an end.
    left: AtomicU64,
}

/// How many.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// As many as fit a time.
    Over(Span),
    /// So many, of a category.
    Count(u64, u16),
}

/// What and how to write.
pub(crate) struct Task {
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) sending: Sending,
    pub(crate) batch: usize,
    pub(crate) until: Until,
}

/// Connected workers that wait for their time.
pub(crate) struct Load {
    workers: Vec<Worker>,
    until: Until,
}

/// Connects the workers.
pub(crate) async fn ready(rig: &Rig, workload: &Workload, task: Task) -> Result<Load, BenchError> {
    let left = match task.until {
        Until::Over(_) => u64::MAX,
        Until::Count(count, _) => count,
    };
    let common = Arc::new(Common {
        workload: workload.clone(),
        numbers: task.numbers,
        codes: rig.branches.iter().map(|branch| branch.code).collect(),
        branch_numbers: rig.branches.iter().map(|branch| (branch.code, branch.number)).collect(),
        lock_phase: Mutex::new(()),
        sending: task.sending,
        batch: task.batch,
        left: AtomicU64::new(left),
    });
    let mut workers = Vec::new();
    for at in 0..WORKERS {
        workers.push(Worker::new(rig, Arc::clone(&common), at).await?);
    }
    Ok(Load { workers, until: task.until })
}

impl Load {
    /// Once all are ready.
    pub(crate) fn set_span(&mut self, span: Span) {
        self.until = Until::Over(span);
    }

    /// Writes transfers until the time is over or all are written.
    pub(crate) async fn run(self) -> Result<Tally, BenchError> {
        let mut workers = JoinSet::new();
        for worker in self.workers {
            workers.spawn(worker.run(self.until));
        }
        join_all(workers).await
    }
}

struct Worker {
    common: Arc<Common>,
    sites: Vec<Site>,
    choices: Choices,
    /// Where an account stands in the batch's arrays.
    slots: Vec<u32>,
}

struct Site {
    session: Session,
    statements: BatchStatements,
    columns: Columns,
}

impl Worker {
    async fn new(rig: &Rig, common: Arc<Common>, at: usize) -> Result<Self, BenchError> {
        let mut sites = Vec::new();
        for session in rig.sessions().await? {
            let statements = BatchStatements::prepare(&session).await?;
            sites.push(Site { session, statements, columns: Columns::default() });
        }
        let choices = common.workload.choices(30_000 + at);
        let slots = vec![0; common.workload.accounts.key.len()];
        Ok(Self { common, sites, choices, slots })
    }

    async fn run(mut self, until: Until) -> Result<Tally, BenchError> {
        let mut tally = Tally::new();
        let pairs: Vec<[usize; 2]> = (0..self.sites.len())
            .flat_map(|first| (first + 1..self.sites.len()).map(move |second| [first, second]))
            .collect();
        loop {
            let (begin, count) = (Instant::now(), self.take());
            let moment = match until {
                Until::Over(span) => span.at(begin),
                Until::Count(_, category) => (count > 0).then_some(Moment { category, counts: true }),
            };
            let Some(moment) = moment else { return Ok(tally) };
            let [first, second] = pairs[self.choices.below(pairs.len())];
            // Home is the first in the order of the codes.
            let pair =
                if self.common.codes[first] < self.common.codes[second] { [first, second] } else { [second, first] };
            let ops: Vec<Op> = (0..count).map(|_| self.choices.within_pair(pair)).collect();
            Box::pin(self.batch(pair, &ops, moment.category)).await?;
            if moment.counts {
                let written = u64::try_from(ops.len()).unwrap_or(0);
                tally.record(begin.elapsed(), written);
                tally.answers.posted += written;
            }
        }
    }

    fn take(&self) -> usize {
        let full = u64::try_from(self.common.batch).unwrap_or(1);
        let left =
            self.common.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(full)));
        usize::try_from(left.unwrap_or(0).min(full)).unwrap_or(0)
    }

    async fn batch(&mut self, pair: [usize; 2], ops: &[Op], category: u16) -> Result<(), BenchError> {
        let common = Arc::clone(&self.common);
        let codes = pair.map(|branch| common.codes[branch]);
        let names = codes.map(|code| code.to_string());
        let parts = [names[0].as_str(), names[1].as_str()];
        let accounts = &common.workload.accounts;
        let nets = batch::net_of(ops, accounts, codes, &common.branch_numbers);
        let [home, other] = self.sites.get_disjoint_mut(pair).expect("a pair is two different branches");
        let batch = common.numbers.next(pair[0], parts[0], &home.session).await?;
        let failed = || BenchError::database("a batch of the bare writer");
        let touched = [touched(ops, accounts, pair[0]), touched(ops, accounts, pair[1])];
        let keys =
            touched.each_ref().map(|touched| touched.iter().map(|at| accounts.key[*at as usize]).collect::<Vec<i64>>());
        let gate = common.lock_phase.lock().await;
        let locking =
            try_join(home.statements.lock(&home.session, &keys[0]), other.statements.lock(&other.session, &keys[1]));
        let ((home_rows, home_time), (other_rows, other_time)) = locking.await.map_err(failed())?;
        drop(gate);
        for (site, (rows, touched)) in
            [&mut *home, &mut *other].into_iter().zip([home_rows, other_rows].into_iter().zip(&touched))
        {
            site.begin(rows, touched, &mut self.slots);
        }
        plan(ops, accounts, pair, home, other, &self.slots);
        let shared = Shared { batch: &batch, category, posted_at: home_time.max(other_time) };
        let (home, other, sending) = (&*home, &*other, common.sending);
        let [home_net, other_net] = nets.as_ref().map_or([None, None], |nets| nets.each_ref().map(Some));
        let at_home = home.statements.write(&home.session, &home.columns, home_net, &shared, sending);
        let there = async {
            let written = other.statements.write(&other.session, &other.columns, other_net, &shared, sending);
            try_join(written, protocol::prepare(&other.session, &batch, parts[0], &parts)).await
        };
        try_join(at_home, there).await.map_err(failed())?;
        protocol::decide(&home.session, &batch, parts[0], &parts).await.map_err(failed())?;
        protocol::commit_prepared(&other.session, &batch, &parts).await.map_err(failed())
    }
}

impl Site {
    /// Takes what the accounts stand at; rows come in the order of the keys, as `touched` is.
    fn begin(&mut self, rows: Vec<LockedRow>, touched: &[u32], slots: &mut [u32]) {
        self.columns.clear();
        assert_eq!(rows.len(), touched.len(), "every account of the bench exists");
        for (slot, (row, account)) in rows.into_iter().zip(touched).enumerate() {
            slots[*account as usize] = u32::try_from(slot).unwrap_or(0);
            self.columns.place.push(row.place);
            self.columns.account.push(row.key);
            self.columns.balance.push(row.balance);
            self.columns.seq.push(row.seq);
            self.columns.last_transfer.push(row.last_transfer);
        }
    }

    fn post(&mut self, slot: u32, delta: i64, id: Uuid) -> Line {
        let slot = slot as usize;
        self.columns.balance[slot] += delta;
        self.columns.seq[slot] += 1;
        let previous = self.columns.last_transfer[slot].replace(id);
        Line { balance_after: self.columns.balance[slot], seq: self.columns.seq[slot], previous }
    }
}

/// The accounts of a branch that the transfers touch, in the order of their keys.
fn touched(ops: &[Op], accounts: &Accounts, branch: usize) -> Vec<u32> {
    let range = &accounts.ranges[branch];
    let mut touched: Vec<u32> =
        ops.iter().flat_map(|op| [op.debit, op.credit]).filter(|account| range.contains(account)).collect();
    touched.sort_unstable();
    touched.dedup();
    touched
}

/// Every transfer in order, each side at its branch.
fn plan(ops: &[Op], accounts: &Accounts, pair: [usize; 2], home: &mut Site, other: &mut Site, slots: &[u32]) {
    let at_home = accounts.ranges[pair[0]].clone();
    for op in ops {
        let mut sides = [[None; 2]; 2];
        for (side, (account, delta)) in [(op.debit, -op.amount), (op.credit, op.amount)].into_iter().enumerate() {
            let is_home = at_home.contains(&account);
            let site = if is_home { &mut *home } else { &mut *other };
            sides[usize::from(!is_home)][side] = Some(site.post(slots[account as usize], delta, op.id));
        }
        for (site, [debit, credit]) in [&mut *home, &mut *other].into_iter().zip(sides) {
            if debit.is_some() || credit.is_some() {
                site.columns.push(op, accounts, debit, credit);
            }
        }
    }
}
