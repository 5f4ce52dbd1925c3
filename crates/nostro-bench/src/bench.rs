//! The runs, one after the other: each with a warm-up, measured from outside, and counted in the databases.
//!
//! Every measured run gives its transfers a category of their own, by which they are found afterwards.

use crate::bare::{self, Until};
use crate::baseline;
use crate::database::Durability;
use crate::error::BenchError;
use crate::machine::Machine;
use crate::meter::{self, Meter};
use crate::numbers::Numbers;
use crate::options::{Mode, Options};
use crate::report::{Measured, Report, Run, WorkloadView};
use crate::rig::Rig;
use crate::rows::batch::Sending;
use crate::rows::{counts, opening, protocol};
use crate::span::{Span, UNCOUNTED};
use crate::tally::Tally;
use crate::tpcb::Tpcb;
use crate::workload::{Accounts, Workload};
use nostro_client::{AuditReport, Client};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Of transfers that were there before.
const HISTORY: u16 = 65_534;
/// Transfers of a bare batch by those of a bulk request: a batch of the server takes as many bulks at most.
const BARE_BATCH: usize = 4;
/// Categories that one bench may need.
const RUNS_MAX: u16 = 100;
/// With more, comparing every balance with its entries takes longer than the runs.
const COMPARED_MAX: u64 = 5_000_000;
/// A try that decides how the counted run is made.
pub(crate) const TRY: Duration = Duration::from_secs(4);

/// Measures what the options ask for. `tell` gets a line of progress now and then.
pub async fn run(options: Options, tell: impl Fn(&str) + Send + Sync) -> Result<Report, BenchError> {
    options.check()?;
    tell("Starting the branches.");
    let rig = Rig::start(&options).await?;
    let mut bench = Bench::new(rig, options, Box::new(tell)).await?;
    bench.measure().await?;
    bench.finish().await
}

/// A bench under way.
pub(crate) struct Bench<'a> {
    pub(crate) rig: Rig,
    pub(crate) options: Options,
    pub(crate) workload: Workload,
    pub(crate) runs: Vec<Run>,
    pub(crate) notes: Vec<String>,
    pub(crate) numbers: Arc<Numbers>,
    meter: Meter,
    machine: Machine,
    durability: BTreeMap<String, Durability>,
    category: u16,
    tell: Box<dyn Fn(&str) + Send + Sync + 'a>,
}

impl<'a> Bench<'a> {
    async fn new(rig: Rig, options: Options, tell: Box<dyn Fn(&str) + Send + Sync + 'a>) -> Result<Self, BenchError> {
        let machine = Machine::look(&rig.directory)?;
        let codes: Vec<_> = rig.branches.iter().map(|branch| branch.code).collect();
        protocol::settle_left(&rig.sessions().await?, &codes).await?;
        let category = first_category(&rig).await?;
        let mut durability = BTreeMap::new();
        for (branch, session) in rig.branches.iter().zip(rig.sessions().await?) {
            durability.insert(branch.code.to_string(), session.durability().await?);
        }
        tell(&format!("Opening {} accounts.", options.accounts));
        let numbers = Arc::new(Numbers::new(rig.branches.len()));
        let accounts = open_accounts(&rig, &options, &numbers).await?;
        let workload = Workload::new(accounts, options.mix);
        let meter = Meter::new(&rig).await?;
        let (runs, notes) = (Vec::new(), Vec::new());
        Ok(Self { rig, options, workload, runs, notes, numbers, meter, machine, durability, category, tell })
    }

    async fn measure(&mut self) -> Result<(), BenchError> {
        if self.options.history > 0 {
            self.tell(&format!("Writing {} transfers of history.", self.options.history));
            let task = self.bare_task(Sending::Copy, Until::Count(self.options.history, HISTORY));
            let written = bare::ready(&self.rig, &self.workload, task).await?.run().await?.answers.posted;
            self.count(HISTORY, "history", written).await?;
        }
        let wanted = Mode::ALL.into_iter().filter(|mode| self.options.modes.contains(mode));
        let (by_hand, by_server): (Vec<Mode>, Vec<Mode>) =
            wanted.partition(|mode| matches!(mode, Mode::Baseline | Mode::Bare));
        for mode in by_hand {
            self.measure_mode(mode).await?;
        }
        self.tell("Starting the server.");
        let options = self.options.clone();
        self.rig.serve(&options).await?;
        for mode in by_server {
            self.measure_mode(mode).await?;
        }
        Ok(())
    }

    async fn measure_mode(&mut self, mode: Mode) -> Result<(), BenchError> {
        match mode {
            Mode::Baseline => {
                self.baseline().await?;
                self.tpcb().await
            }
            Mode::Bare => self.bare().await,
            Mode::Bulk => self.bulk().await,
            Mode::Hot => self.hot().await,
            Mode::Local => self.local().await,
            Mode::Replays => self.replays().await,
            Mode::Holds => self.holds().await,
            Mode::Captures => self.captures().await,
            Mode::Chains => self.chains().await,
            Mode::Single => self.single().await,
            Mode::Reads => self.reads().await,
            Mode::Mixed => self.mixed().await,
        }
    }

    pub(crate) fn tell(&self, line: &str) {
        (self.tell)(line);
    }

    /// A category of its own for a run.
    pub(crate) fn category(&mut self) -> u16 {
        self.category += 1;
        self.category
    }

    /// A warm-up and the measured time, from now on.
    pub(crate) fn span(&mut self, warm_up: Duration, time: Duration) -> Span {
        Span::from_now(warm_up, time, self.category())
    }

    /// Looks at the begin and at the end of a span, while a load runs.
    pub(crate) async fn observe(&self, span: Span) -> Result<Measured, BenchError> {
        self.observe_until(span, std::future::pending()).await
    }

    /// The same of a load that may run out of what it sends before the end.
    pub(crate) async fn observe_until(
        &self,
        span: Span,
        ran_out: impl Future<Output = ()>,
    ) -> Result<Measured, BenchError> {
        tokio::time::sleep_until(span.begin.into()).await;
        let before = self.meter.look(&self.rig).await?;
        let time = span.over(ran_out).await;
        let after = self.meter.look(&self.rig).await?;
        Ok(Measured { time, used: meter::used(&before, &after, &self.rig), shared_by: 0 })
    }

    /// Runs a load over a span, looks at it meanwhile, and counts what it left.
    pub(crate) async fn measured(
        &mut self,
        mode: &str,
        how: String,
        span: Span,
        load: impl Future<Output = Result<Tally, BenchError>>,
    ) -> Result<(), BenchError> {
        let (tally, mut measured) = tokio::try_join!(load, self.observe(span))?;
        let transfers = self.count(span.category, mode, tally.answers.posted).await?;
        measured.shared_by = transfers + tally.reads;
        self.push(Run::new(mode, how, transfers, &tally, &measured));
        Ok(())
    }

    pub(crate) fn push(&mut self, run: Run) {
        let (done, what) =
            if run.reads_per_s > 0.0 { (run.reads_per_s, "reads") } else { (run.transfers_per_s, "transfers") };
        self.tell(&format!("{}: {done:.0} {what}/s", run.mode));
        self.runs.push(run);
    }

    /// Each posted transfer has one row with its debit and one with its credit, in one database or in two.
    pub(crate) async fn count(&self, category: u16, mode: &str, told: u64) -> Result<u64, BenchError> {
        let (mut debits, mut credits) = (0, 0);
        for session in self.rig.sessions().await? {
            let [debit, credit] = counts::count_posted(&session, category).await?;
            debits += debit;
            credits += credit;
        }
        if debits != credits {
            return Err(BenchError::Half { mode: mode.to_owned(), debits, credits });
        }
        if told > debits {
            return Err(BenchError::Lost { mode: mode.to_owned(), told, found: debits });
        }
        Ok(debits)
    }

    /// A hold moves nothing: it is a row among the transfers and one among the holds, at one branch.
    pub(crate) async fn count_holds(&self, category: u16, mode: &str, told: u64) -> Result<u64, BenchError> {
        let mut found = 0;
        for session in self.rig.sessions().await? {
            found += counts::count_holds(&session, category).await?;
        }
        if told > found {
            return Err(BenchError::Lost { mode: mode.to_owned(), told, found });
        }
        Ok(found)
    }

    fn bare_task(&self, sending: Sending, until: Until) -> bare::Task {
        bare::Task { numbers: Arc::clone(&self.numbers), sending, batch: self.options.batch * BARE_BATCH, until }
    }

    /// Both ways of sending rows are tried, and the faster one is measured.
    async fn bare(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let each = TRY.min(self.options.length() / 2);
        let mut found = Vec::new();
        for sending in [Sending::Unnest, Sending::Copy] {
            let span = Span::from_now(self.options.warm_up() / 4, each, UNCOUNTED);
            let load = bare::ready(&self.rig, &self.workload, self.bare_task(sending, Until::Over(span))).await?;
            let posted = load.run().await?.answers.posted;
            found.push((posted as f64 / span.begin.elapsed().as_secs_f64(), sending));
        }
        let best = found.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0)).map_or(Sending::Unnest, |best| best.1);
        let figures: Vec<String> = found.iter().map(|(per_s, sending)| format!("{sending:?} {per_s:.0}/s")).collect();
        let how = format!("by {best:?} (tried: {})", figures.join(", "));
        // The time begins when all are ready.
        let span = self.span(self.options.warm_up(), self.options.length());
        let mut load = bare::ready(&self.rig, &self.workload, self.bare_task(best, Until::Over(span))).await?;
        let span = Span::from_now(self.options.warm_up(), self.options.length(), span.category);
        load.set_span(span);
        self.measured("bare", how, span, load.run()).await
    }

    /// Each number of connections is measured, and the best one is kept.
    async fn baseline(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let runs_before = self.runs.len();
        for workers in baseline::WORKERS {
            let load = baseline::ready(&self.rig, &self.workload, &self.numbers, workers).await?;
            let span = self.span(self.options.warm_up() / 2, self.options.length() / 2);
            self.measured("baseline", format!("{workers} connections"), span, load.run(span)).await?;
        }
        let mut tried = self.runs.split_off(runs_before);
        tried.sort_by(|a, b| b.transfers_per_s.total_cmp(&a.transfers_per_s));
        let figures: Vec<String> =
            tried.iter().map(|run| format!("{} {:.0}/s", run.how, run.transfers_per_s)).collect();
        if let Some(mut best) = tried.into_iter().next() {
            best.how = format!("one two-phase commit a transfer, {} (tried: {})", best.how, figures.join(", "));
            self.runs.push(best);
        }
        Ok(())
    }

    async fn tpcb(&mut self) -> Result<(), BenchError> {
        self.tell(&format!("Filling the tables of TPC-B, scale {}.", self.options.tpcb_scale));
        let tpcb = match Tpcb::prepare(&self.rig, self.options.tpcb_scale).await? {
            Ok(tpcb) => tpcb,
            Err(note) => {
                self.tell(&note);
                self.notes.push(note);
                return Ok(());
            }
        };
        self.rig.settle().await?;
        let seconds = (self.options.seconds.ceil() as u64).max(1);
        let before = self.meter.look(&self.rig).await?;
        let told = tpcb.run(seconds).await?;
        let after = self.meter.look(&self.rig).await?;
        let how = format!(
            "pgbench, one database, 32 clients, scale {}, mean {:.1} ms",
            self.options.tpcb_scale, told.mean_ms
        );
        let time = Duration::from_secs_f64(told.transactions as f64 / told.per_s.max(1.0));
        let used = meter::used(&before, &after, &self.rig);
        let measured = Measured { time, used, shared_by: told.transactions };
        self.push(Run::new("tpcb", how, told.transactions, &Tally::new(), &measured));
        tpcb.remove().await
    }

    async fn audit(&self) -> Result<AuditReport, BenchError> {
        let server = &self.rig.servers[0];
        let audit = Client::new(&server.url, &self.rig.key).audit().await;
        audit.map_err(|error| BenchError::Audit(Box::new(error)))
    }

    /// The books must be right, or the figures are worth nothing.
    async fn finish(self) -> Result<Report, BenchError> {
        self.tell("Auditing.");
        let audit = self.audit().await?;
        let written: u64 = self.runs.iter().map(|run| run.transfers).sum::<u64>() + self.options.history;
        let mut inconsistent = None;
        if written <= COMPARED_MAX {
            for session in self.rig.sessions().await? {
                inconsistent = Some(inconsistent.unwrap_or(0) + counts::count_inconsistent(&session).await?);
            }
        }
        let (options, mix) = (&self.options, &self.options.mix);
        let workload = WorkloadView {
            accounts: options.accounts,
            history: options.history,
            branches: self.rig.branches.len(),
            servers: options.servers,
            cross: mix.cross,
            hot: mix.hot,
            zipf: mix.zipf,
            replays: mix.replays,
            batch: options.batch,
            seconds: options.seconds,
            seed: mix.seed,
        };
        let mut report = Report {
            machine: self.machine,
            durability: self.durability,
            workload,
            runs: self.runs,
            audit,
            inconsistent_accounts: inconsistent,
            notes: self.notes,
        };
        report.compare();
        self.rig.stop().await?;
        Ok(report)
    }
}

/// After those of earlier benches on the same databases, whose transfers must not be counted again.
async fn first_category(rig: &Rig) -> Result<u16, BenchError> {
    let mut last = 0;
    for session in rig.sessions().await? {
        last = counts::last_category(&session, HISTORY).await?.max(last);
    }
    if last <= HISTORY - RUNS_MAX {
        return Ok(last);
    }
    let rule = format!("expected databases with categories below {}, found {last}: use new ones", HISTORY - RUNS_MAX);
    Err(BenchError::Option { option: "--config", rule })
}

async fn open_accounts(rig: &Rig, options: &Options, numbers: &Numbers) -> Result<Accounts, BenchError> {
    let mut accounts = Accounts::default();
    let branches = rig.branches.len();
    for (at, (branch, session)) in rig.branches.iter().zip(rig.sessions().await?).enumerate() {
        // Spread evenly; the first branches take what is left over.
        let count = options.accounts / branches + usize::from(at < options.accounts % branches);
        let mut batches = Vec::new();
        for _ in 0..opening::opening_batches(count) {
            batches.push(numbers.next(at, &branch.code.to_string(), &session).await?);
        }
        let mut ids = std::iter::repeat_with(uuid::Uuid::now_v7);
        let opened = opening::open_accounts(&session, branch, count, &batches, &mut ids).await?;
        accounts.push_branch(opened.into_iter());
    }
    Ok(accounts)
}

impl Report {
    /// What makes the whole bench worthless.
    pub fn verdict_error(&self) -> Option<BenchError> {
        let wrong = self.inconsistent_accounts.unwrap_or(0);
        let found = match (self.audit.balanced, wrong) {
            (true, 0) => return None,
            (true, wrong) => format!("{wrong} accounts differ from the sum of their entries"),
            (false, _) => "the audit's report says so".to_owned(),
        };
        Some(BenchError::NotBalanced { found })
    }
}
