//! What one would write without Nostro: a two-phase commit for every transfer, on the same databases and tables.

use crate::database::Session;
use crate::error::BenchError;
use crate::numbers::Numbers;
use crate::rig::Rig;
use crate::rows::batch::{self, BatchStatements, Columns, Line, Sending, Shared};
use crate::rows::one_by_one::{One, OneByOne};
use crate::rows::protocol;
use crate::span::{Moment, Span};
use crate::tally::{Tally, join_all};
use crate::workload::{Choices, Op, Workload};
use nostro_core::{BranchCode, BranchNumber};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Connections to each branch that are tried; the best one counts.
pub(crate) const WORKERS: [usize; 3] = [1, 8, 32];

/// Connected workers that wait for their time.
pub(crate) struct Load(Vec<Worker>);

/// Connects so many workers to every branch.
pub(crate) async fn ready(
    rig: &Rig,
    workload: &Workload,
    numbers: &Arc<Numbers>,
    workers: usize,
) -> Result<Load, BenchError> {
    let mut ready = Vec::new();
    for at in 0..workers {
        ready.push(Worker::new(rig, workload, numbers, at).await?);
    }
    Ok(Load(ready))
}

impl Load {
    /// Writes until the span is over.
    pub(crate) async fn run(self, span: Span) -> Result<Tally, BenchError> {
        let mut running = JoinSet::new();
        for worker in self.0 {
            running.spawn(worker.run(span));
        }
        join_all(running).await
    }
}

struct Worker {
    sites: Vec<(Session, OneByOne, BatchStatements)>,
    codes: Vec<BranchCode>,
    branch_numbers: BTreeMap<BranchCode, BranchNumber>,
    workload: Workload,
    numbers: Arc<Numbers>,
    choices: Choices,
}

impl Worker {
    async fn new(rig: &Rig, workload: &Workload, numbers: &Arc<Numbers>, at: usize) -> Result<Self, BenchError> {
        let mut sites = Vec::new();
        for session in rig.sessions().await? {
            let (one, batch) = (OneByOne::prepare(&session).await?, BatchStatements::prepare(&session).await?);
            sites.push((session, one, batch));
        }
        Ok(Self {
            sites,
            codes: rig.branches.iter().map(|branch| branch.code).collect(),
            branch_numbers: rig.branches.iter().map(|branch| (branch.code, branch.number)).collect(),
            choices: workload.choices(at),
            workload: workload.clone(),
            numbers: Arc::clone(numbers),
        })
    }

    async fn run(mut self, span: Span) -> Result<Tally, BenchError> {
        let mut tally = Tally::new();
        loop {
            let begin = Instant::now();
            let Some(Moment { category, counts }) = span.at(begin) else { return Ok(tally) };
            let op = self.choices.any();
            let [debit, credit] = [op.debit, op.credit].map(|account| self.workload.accounts.branch_of(account));
            if debit == credit {
                self.local(op, debit, category).await?;
            } else {
                self.cross(op, [debit, credit], category).await?;
            }
            if counts {
                tally.record(begin.elapsed(), 1);
                tally.answers.posted += 1;
            }
        }
    }

    async fn cross(&self, op: Op, [debit, credit]: [usize; 2], category: u16) -> Result<(), BenchError> {
        let home_pays = self.codes[debit] < self.codes[credit];
        let [home, other] = if home_pays { [debit, credit] } else { [credit, debit] };
        let codes = [self.codes[home], self.codes[other]];
        let accounts = &self.workload.accounts;
        let names = codes.map(|code| code.to_string());
        let batch = self.numbers.next(home, &names[0], &self.sites[home].0).await?;
        let one = One {
            op,
            keys: [accounts.key[op.debit as usize], accounts.key[op.credit as usize]],
            batch: &batch,
            parts: [&names[0], &names[1]],
            nets: batch::net_of(&[op], accounts, codes, &self.branch_numbers)
                .expect("a transfer between branches leaves a net"),
            home_pays,
            category,
        };
        let site = |at: usize| (&self.sites[at].0, &self.sites[at].1);
        OneByOne::transfer(site(home), site(other), &one)
            .await
            .map_err(BenchError::database("a transfer of the baseline"))
    }

    async fn local(&self, op: Op, branch: usize, category: u16) -> Result<(), BenchError> {
        let failed = || BenchError::database("a local transfer of the baseline");
        let (session, _, statements) = &self.sites[branch];
        let code = self.codes[branch].to_string();
        let batch = self.numbers.next(branch, &code, session).await?;
        let accounts = &self.workload.accounts;
        let [debit, credit] = [op.debit, op.credit].map(|account| accounts.key[account as usize]);
        // In order, so that no two wait for each other.
        let keys = [debit.min(credit), debit.max(credit)];
        let (locked, posted_at) = statements.lock(session, &keys).await.map_err(failed())?;
        let mut columns = Columns::default();
        let (mut from, mut to) = (None, None);
        for row in locked {
            let (delta, side) = if row.key == debit { (-op.amount, &mut from) } else { (op.amount, &mut to) };
            *side = Some(Line { balance_after: row.balance + delta, seq: row.seq + 1, previous: row.last_transfer });
            columns.place.push(row.place);
            columns.account.push(row.key);
            columns.balance.push(row.balance + delta);
            columns.seq.push(row.seq + 1);
            columns.last_transfer.push(Some(op.id));
        }
        columns.push(&op, accounts, from, to);
        let shared = Shared { batch: &batch, category, posted_at };
        statements.write(session, &columns, None, &shared, Sending::Unnest).await.map_err(failed())?;
        protocol::decide(session, &batch, &code, &[&code]).await.map_err(failed())
    }
}
