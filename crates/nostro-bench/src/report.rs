//! What a bench found: for people a table, for programs JSON.

use crate::database::Durability;
use crate::machine::Machine;
use crate::meter::Used;
use crate::tally::Tally;
use comfy_table::{Cell, CellAlignment, Table, presets};
use nostro_client::AuditReport;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Everything that a bench found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it ran on.
    pub machine: Machine,
    /// What a commit is worth at each branch.
    pub durability: BTreeMap<String, Durability>,
    /// What it was asked for.
    pub workload: WorkloadView,
    /// The measured runs.
    pub runs: Vec<Run>,
    /// The bank's own audit at the end.
    pub audit: AuditReport,
    /// Accounts whose balance is not the sum of their entries; absent where there were too many rows to compare.
    pub inconsistent_accounts: Option<u64>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// The options that shape the load.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadView {
    /// Customers' accounts.
    pub accounts: usize,
    /// Transfers that were there before.
    pub history: u64,
    /// Databases.
    pub branches: usize,
    /// Servers.
    pub servers: usize,
    /// Share of transfers between branches.
    pub cross: f64,
    /// Share of transfers to one account.
    pub hot: f64,
    /// Exponent of the choice of accounts.
    pub zipf: f64,
    /// Share of repeated ids.
    pub replays: f64,
    /// Transfers a request.
    pub batch: usize,
    /// Of each run.
    pub seconds: f64,
    /// Of the choices.
    pub seed: u64,
}

/// One measured run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Such as `bulk`; parts of a mode are `single.open`, `reads.balance`.
    pub mode: String,
    /// How it was run, where there is something to say.
    pub how: String,
    /// How long.
    pub seconds: f64,
    /// Posted transfers that are found in the databases, of whatever kind: also holds, captures and links of chains. Or
    /// pgbench's transactions.
    pub transfers: u64,
    /// The same a second.
    pub transfers_per_s: f64,
    /// Look-ups a second.
    pub reads_per_s: f64,
    /// Half waited less.
    pub p50_ms: Option<f64>,
    /// 99 of 100 waited less.
    pub p99_ms: Option<f64>,
    /// 999 of 1000 waited less.
    pub p999_ms: Option<f64>,
    /// The longest wait.
    pub max_ms: Option<f64>,
    /// Of an open loop: the longest wait of what was due in each second of the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slowest_ms_by_second: Vec<f64>,
    /// Answers that were neither posted, replayed, refused nor settling.
    pub errors: u64,
    /// Posted as the clients were told.
    pub acknowledged: u64,
    /// Known ids.
    pub replayed: u64,
    /// By a rule of the bank.
    pub refused: u64,
    /// 202, decided.
    pub settling: u64,
    /// 202, unknown.
    pub unknown: u64,
    /// 503.
    pub unavailable: u64,
    /// Microseconds of CPU for a transfer, by group of processes. Parts of a mode that ran at once share one measurement.
    pub cpu_us: BTreeMap<String, f64>,
    /// PostgreSQL's log, bytes for a transfer over all branches.
    pub wal_bytes: f64,
    /// Flushes of it for a transfer.
    pub wal_flushes: f64,
    /// Rows inserted and updated for a transfer.
    pub rows: f64,
    /// The most memory that a server had by then, MiB.
    pub server_peak_mib: u64,
    /// Throughput by that of the baseline, where it ran.
    pub to_baseline: Option<f64>,
    /// Throughput by that of TPC-B, where it ran.
    pub to_tpcb: Option<f64>,
    /// Throughput by that of plain transfers in bulk, where they ran.
    pub to_bulk: Option<f64>,
}

/// What a run, or several at once, took.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) time: Duration,
    pub(crate) used: Used,
    /// Transfers and look-ups that share what was used.
    pub(crate) shared_by: u64,
}

impl Run {
    /// From what was found, seen and used.
    pub(crate) fn new(mode: &str, how: String, transfers: u64, tally: &Tally, measured: &Measured) -> Self {
        let Measured { time, used, shared_by } = measured;
        let seconds = time.as_secs_f64();
        let per = |figure: f64| if *shared_by > 0 { figure / *shared_by as f64 } else { 0.0 };
        let waited = |share: f64| {
            (!tally.latency_us.is_empty()).then(|| tally.latency_us.value_at_quantile(share) as f64 / 1000.0)
        };
        let answers = tally.answers;
        Self {
            mode: mode.to_owned(),
            how,
            seconds,
            transfers,
            transfers_per_s: transfers as f64 / seconds,
            reads_per_s: tally.reads as f64 / seconds,
            p50_ms: waited(0.5),
            p99_ms: waited(0.99),
            p999_ms: waited(0.999),
            max_ms: (!tally.latency_us.is_empty()).then(|| tally.latency_us.max() as f64 / 1000.0),
            slowest_ms_by_second: tally.slowest_us.iter().map(|micros| *micros as f64 / 1000.0).collect(),
            errors: answers.unknown + answers.unavailable + answers.other,
            acknowledged: answers.posted,
            replayed: answers.replayed,
            refused: answers.refused,
            settling: answers.settling,
            unknown: answers.unknown,
            unavailable: answers.unavailable,
            cpu_us: used.cpu.iter().map(|(name, time)| (name.clone(), per(time.as_secs_f64() * 1e6))).collect(),
            wal_bytes: per(used.counters.wal_bytes as f64),
            wal_flushes: per(used.counters.wal_flushes as f64),
            rows: per(used.counters.rows as f64),
            server_peak_mib: used.server_peak_kib / 1024,
            to_baseline: None,
            to_tpcb: None,
            to_bulk: None,
        }
    }
}

impl Report {
    /// Compares the runs that record transfers with the baseline, with TPC-B and with bulk.
    pub(crate) fn compare(&mut self) {
        let rate = |mode: &str| {
            let run = self.runs.iter().find(|run| run.mode == mode)?;
            (run.transfers_per_s > 0.0).then_some(run.transfers_per_s)
        };
        let (baseline, tpcb, bulk) = (rate("baseline"), rate("tpcb"), rate("bulk"));
        for run in self.runs.iter_mut().filter(|run| run.transfers > 0) {
            run.to_baseline = baseline.map(|baseline| run.transfers_per_s / baseline);
            run.to_tpcb = tpcb.map(|tpcb| run.transfers_per_s / tpcb);
            run.to_bulk = bulk.map(|bulk| run.transfers_per_s / bulk);
        }
    }

    /// The terminal's form.
    pub fn text(&self) -> String {
        let mut text = self.head();
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header([
            "Run",
            "per s",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
            "errors",
            "CPU us each",
            "WAL bytes",
            "flushes",
            "rows",
            "x baseline",
            "x TPC-B",
            "x bulk",
        ]);
        for run in &self.runs {
            table.add_row(row(run));
        }
        let _ = writeln!(text, "{table}");
        for run in self.runs.iter().filter(|run| !run.how.is_empty()) {
            let _ = writeln!(text, "{}: {}", run.mode, run.how);
        }
        for note in &self.notes {
            let _ = writeln!(text, "{note}");
        }
        let peak = self.runs.iter().map(|run| run.server_peak_mib).max().unwrap_or(0);
        let _ = writeln!(text, "A server had {peak} MiB of memory at most.");
        text + &self.verdict()
    }

    fn head(&self) -> String {
        let (machine, load) = (&self.machine, &self.workload);
        let mut text = format!(
            "{} cores, {} MiB of memory; {}: writing 8 KiB and flushing takes {} us (p50), {} us (p99)\n",
            machine.cores, machine.memory_mib, machine.filesystem, machine.flush_p50_us, machine.flush_p99_us
        );
        for (branch, durability) in &self.durability {
            let settings: Vec<String> =
                durability.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            let _ = writeln!(text, "{branch}: PostgreSQL {}, {}", durability.postgresql, settings.join(", "));
        }
        let _ = writeln!(
            text,
            "{} accounts, {} transfers before, {} branches, {} servers; cross {}, hot {}, zipf {}, replays {}, {} a batch, {} s a run, seed {}",
            load.accounts,
            load.history,
            load.branches,
            load.servers,
            load.cross,
            load.hot,
            load.zipf,
            load.replays,
            load.batch,
            load.seconds,
            load.seed
        );
        text
    }

    fn verdict(&self) -> String {
        let audit = if self.audit.balanced { "balanced" } else { "NOT BALANCED" };
        match self.inconsistent_accounts {
            Some(0) => format!("Audit: {audit}. Every account's balance is the sum of its entries.\n"),
            Some(wrong) => format!("Audit: {audit}. {wrong} ACCOUNTS DIFFER FROM THEIR ENTRIES.\n"),
            None => format!("Audit: {audit}.\n"),
        }
    }
}

fn row(run: &Run) -> Vec<Cell> {
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let wait = |wait: Option<f64>| right(wait.map_or(String::new(), |wait| format!("{wait:.1}")));
    let ratio = |ratio: Option<f64>| right(ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
    let cpu: Vec<String> = run.cpu_us.iter().map(|(name, us)| format!("{name} {us:.1}")).collect();
    let per_s = if run.transfers > 0 { run.transfers_per_s } else { run.reads_per_s };
    vec![
        Cell::new(&run.mode),
        right(format!("{per_s:.0}")),
        wait(run.p50_ms),
        wait(run.p99_ms),
        wait(run.p999_ms),
        wait(run.max_ms),
        right(run.errors.to_string()),
        Cell::new(cpu.join(", ")),
        right(format!("{:.0}", run.wal_bytes)),
        right(format!("{:.4}", run.wal_flushes)),
        right(format!("{:.1}", run.rows)),
        ratio(run.to_baseline),
        ratio(run.to_tpcb),
        ratio(run.to_bulk),
    ]
}
