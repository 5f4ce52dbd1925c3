//! The runs over the API: bulk, single, reads, mixed.

use crate::baseline;
use crate::bench::{Bench, TRY, UNCOUNTED, Window};
use crate::bulk;
use crate::error::BenchError;
use crate::reads::{self, Look};
use crate::report::Run;
use crate::single;
use crate::tally::Tally;
use std::time::{Duration, Instant};

/// Of what the closed loop reached: a server that is asked for more than it can do only grows its queue.
const OPEN_SHARE: f64 = 0.7;
/// Bulk beside other loads.
const BESIDE_SHARE: f64 = 0.5;
/// Single clients beside bulk: a shop's tills, not another flood.
const MIXED_CLIENTS: usize = 16;

impl Bench<'_> {
    pub(crate) async fn bulk(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        bulk::run(&self.rig, &self.workload, self.bulk_task(UNCOUNTED, self.options.warm_up(), None)).await?;
        let window = self.open().await?;
        let task = self.bulk_task(window.category, self.options.length(), None);
        let tally = bulk::run(&self.rig, &self.workload, task).await?;
        let how = format!("{} connections, {} a request", task.connections, task.batch);
        self.close(window, "bulk", &how, &tally).await
    }

    fn bulk_task(&self, category: u16, time: Duration, pace: Option<f64>) -> bulk::Task {
        bulk::Task { connections: self.options.connections, batch: self.options.batch, category, time, pace }
    }

    /// Half of what bulk reached, in this bench or in a short try.
    async fn half_speed(&self) -> Result<f64, BenchError> {
        if let Some(run) = self.runs.iter().find(|run| run.mode == "bulk" && run.transfers > 0) {
            return Ok(run.transfers_per_s * BESIDE_SHARE);
        }
        let begin = Instant::now();
        let task = self.bulk_task(UNCOUNTED, TRY.min(self.options.length()), None);
        let tally = bulk::run(&self.rig, &self.workload, task).await?;
        Ok((tally.answers.posted as f64 / begin.elapsed().as_secs_f64() * BESIDE_SHARE).max(1.0))
    }

    /// At rest beside a bare two-phase commit at rest; then closed loop; then open loop.
    pub(crate) async fn single(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let (length, warm_up) = (self.options.length(), self.options.warm_up());
        let task = |clients, category, time, rate| single::Task { clients, category, time, rate };
        let clients = self.options.clients;

        let rest = length / 2;
        single::run(&self.rig, &self.workload, task(1, UNCOUNTED, warm_up / 4, None)).await?;
        let window = self.open().await?;
        let tally = single::run(&self.rig, &self.workload, task(1, window.category, rest, None)).await?;
        self.close(window, "single.rest", "1 client", &tally).await?;
        baseline::run(&self.rig, &self.workload, &self.numbers, 1, UNCOUNTED, warm_up / 4).await?;
        let window = self.open().await?;
        let tally = baseline::run(&self.rig, &self.workload, &self.numbers, 1, window.category, rest).await?;
        self.close(window, "commit.rest", "1 connection, a two-phase commit by hand", &tally).await?;
        self.tell_rest();

        single::run(&self.rig, &self.workload, task(clients, UNCOUNTED, warm_up, None)).await?;
        let window = self.open().await?;
        let tally = single::run(&self.rig, &self.workload, task(clients, window.category, length, None)).await?;
        self.close(window, "single", &format!("{clients} clients, closed loop"), &tally).await?;

        let reached = self.runs.last().map_or(1.0, |run| run.transfers_per_s);
        let rate = self.options.rate.map_or((reached * OPEN_SHARE).max(1.0), f64::from);
        single::run(&self.rig, &self.workload, task(clients, UNCOUNTED, warm_up, Some(rate))).await?;
        let window = self.open().await?;
        let tally = single::run(&self.rig, &self.workload, task(clients, window.category, length, Some(rate))).await?;
        let how =
            format!("open loop, {rate:.0} a second on {clients} connections, waits measured from when each was due");
        self.close(window, "single.open", &how, &tally).await
    }

    fn tell_rest(&mut self) {
        let half = |mode: &str| self.runs.iter().rev().find(|run| run.mode == mode).and_then(|run| run.p50_ms);
        if let (Some(single), Some(commit)) = (half("single.rest"), half("commit.rest")) {
            self.notes.push(format!(
                "At rest a transfer takes {single:.2} ms (p50), {:.2} times a two-phase commit by hand ({commit:.2} ms).",
                single / commit
            ));
        }
    }

    /// Both kinds of look-up at once, beside a load of half speed where that is wanted.
    pub(crate) async fn reads(&mut self) -> Result<(), BenchError> {
        let length = self.options.length();
        let pace = if self.options.reads_beside_bulk { Some(self.half_speed().await?) } else { None };
        for look in [Look::Balance, Look::Entries] {
            reads::run(&self.rig, &self.workload, look, UNCOUNTED, self.options.warm_up() / 4).await?;
        }
        let window = self.open().await?;
        let load = async {
            match pace {
                None => Ok(Tally::new()),
                pace => bulk::run(&self.rig, &self.workload, self.bulk_task(window.category, length, pace)).await,
            }
        };
        let (bulk, balance, entries) = tokio::try_join!(
            load,
            reads::run(&self.rig, &self.workload, Look::Balance, window.category, length),
            reads::run(&self.rig, &self.workload, Look::Entries, window.category, length),
        )?;
        let beside = pace.map_or(String::new(), |pace| format!(", beside bulk at {pace:.0} a second"));
        let mut parts = vec![
            ("reads.balance", format!("8 readers{beside}"), balance),
            ("reads.entries", format!("8 readers, pages of 50{beside}"), entries),
        ];
        if let Some(pace) = pace {
            parts.push(("reads.bulk", format!("bulk beside the reads, {pace:.0} a second wanted"), bulk));
        }
        self.close_parts(window, parts).await
    }

    /// Bulk at half speed, single clients and look-ups at once.
    pub(crate) async fn mixed(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let length = self.options.length();
        let pace = self.half_speed().await?;
        // A category for each part, so that each is counted by itself.
        let singles = self.open().await?;
        let window = self.open().await?;
        let clients = MIXED_CLIENTS.min(self.options.clients);
        let task = single::Task { clients, category: singles.category, time: length, rate: None };
        let (bulk, single, balance) = tokio::try_join!(
            bulk::run(&self.rig, &self.workload, self.bulk_task(window.category, length, Some(pace))),
            single::run(&self.rig, &self.workload, task),
            reads::run(&self.rig, &self.workload, Look::Balance, window.category, length),
        )?;
        let mut measured = self.measured(&window).await?;
        measured.shared_by = [&bulk, &single, &balance].iter().map(|tally| tally.answers.posted + tally.reads).sum();
        for (mode, how, category, tally) in [
            ("mixed.bulk", format!("{pace:.0} a second wanted"), Some(window.category), bulk),
            ("mixed.single", format!("{clients} clients, closed loop"), Some(singles.category), single),
            ("mixed.balance", "8 readers".to_owned(), None, balance),
        ] {
            let transfers = match category {
                Some(category) => self.count(category, mode, tally.answers.posted).await?,
                None => 0,
            };
            self.push(Run::new(mode, how, transfers, &tally, &measured));
        }
        Ok(())
    }

    /// Runs at once share one measurement of what was used.
    async fn close_parts(&mut self, window: Window, parts: Vec<(&str, String, Tally)>) -> Result<(), BenchError> {
        let mut measured = self.measured(&window).await?;
        measured.shared_by = parts.iter().map(|(_, _, tally)| tally.answers.posted + tally.reads).sum();
        for (mode, how, tally) in parts {
            let transfers = match tally.answers.posted {
                0 => 0,
                posted => self.count(window.category, mode, posted).await?,
            };
            self.push(Run::new(mode, how, transfers, &tally, &measured));
        }
        Ok(())
    }
}
