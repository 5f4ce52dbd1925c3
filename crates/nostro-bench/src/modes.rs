//! The runs over the API: bulk, single, reads, mixed. Those of other items than plain transfers are in
//! [`crate::operations`].

use crate::baseline;
use crate::bench::{Bench, TRY};
use crate::bulk::{self, Items};
use crate::error::BenchError;
use crate::reads::{self, Look};
use crate::report::{Measured, Run};
use crate::single;
use crate::span::{Span, UNCOUNTED};
use crate::tally::Tally;
use crate::workload::Workload;

/// What is claimed of single transfers, by the rate of the baseline, and how much of that the open loop asks for.
const CLAIMED: f64 = 6.0;
const CLAIMED_SHARE: f64 = 0.9;
/// Without a baseline, of what the closed loop reached: a server that is asked for more than it can do only grows its queue.
const OPEN_SHARE: f64 = 0.7;
/// Bulk beside other loads.
const BESIDE_SHARE: f64 = 0.5;
/// Of transfers that credit one account, in the run that is about it.
const HOT_SHARE: f64 = 0.9;
/// Of ids that are known, in the run that is about them.
const REPLAYS_SHARE: f64 = 0.5;
/// Single clients beside bulk: a shop's tills, not another flood.
const MIXED_CLIENTS: usize = 16;

/// Connections that ask for pages of entries, each for the next one at once: more of them would measure how they wait for each
/// other.
const PAGE_READERS: usize = 1;

/// A part of a run, with the category of its transfers if it makes any.
struct Part {
    mode: &'static str,
    how: String,
    category: Option<u16>,
    tally: Tally,
}

impl Bench<'_> {
    pub(crate) async fn bulk(&mut self) -> Result<(), BenchError> {
        self.transfers("bulk", self.workload.clone(), "").await
    }

    pub(crate) async fn hot(&mut self) -> Result<(), BenchError> {
        let workload = self.workload.with(|mix| mix.hot = HOT_SHARE);
        self.transfers("hot", workload, ", nine of ten to one account").await
    }

    pub(crate) async fn local(&mut self) -> Result<(), BenchError> {
        let workload = self.workload.with(|mix| mix.cross = 0.0);
        self.transfers("local", workload, ", none between two branches").await
    }

    pub(crate) async fn replays(&mut self) -> Result<(), BenchError> {
        let workload = self.workload.with(|mix| mix.replays = REPLAYS_SHARE);
        self.transfers("replays", workload, ", half of them known; counted are the new ones").await
    }

    /// Plain transfers in bulk.
    async fn transfers(&mut self, mode: &str, workload: Workload, which: &str) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let load = bulk::ready(&self.rig, &workload, &self.bulk_task(Items::Transfers, None)).await?;
        let span = self.span(self.options.warm_up(), self.options.length());
        self.measured(mode, self.how_bulk() + which, span, load.run(span)).await
    }

    pub(crate) fn bulk_task(&self, items: Items, pace: Option<f64>) -> bulk::Task {
        bulk::Task { items, connections: self.options.connections, batch: self.options.batch, pace }
    }

    pub(crate) fn how_bulk(&self) -> String {
        format!("{} connections, {} a request", self.options.connections, self.options.batch)
    }

    /// Half of what bulk reached, in this bench or in a short try.
    async fn half_speed(&self) -> Result<f64, BenchError> {
        if let Some(run) = self.runs.iter().find(|run| run.mode == "bulk" && run.transfers > 0) {
            return Ok(run.transfers_per_s * BESIDE_SHARE);
        }
        let load = bulk::ready(&self.rig, &self.workload, &self.bulk_task(Items::Transfers, None)).await?;
        let span = Span::from_now(self.options.warm_up(), TRY.min(self.options.length()), UNCOUNTED);
        let posted = load.run(span).await?.answers.posted;
        Ok((posted as f64 / span.time().as_secs_f64() * BESIDE_SHARE).max(1.0))
    }

    /// At rest beside a bare two-phase commit at rest; then closed loop; then open loop.
    pub(crate) async fn single(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let (length, warm_up, clients) = (self.options.length(), self.options.warm_up(), self.options.clients);
        let alone = single::Task { clients: 1, rate: None };
        let load = single::ready(&self.rig, &self.workload, alone).await?;
        let span = self.span(warm_up / 2, length / 2);
        self.measured("single.rest", "1 client".to_owned(), span, load.run(span)).await?;
        let load = baseline::ready(&self.rig, &self.workload, &self.numbers, 1).await?;
        let span = self.span(warm_up / 2, length / 2);
        let how = "1 connection, a two-phase commit by hand".to_owned();
        self.measured("commit.rest", how, span, load.run(span)).await?;
        self.compare_rest();

        let load = single::ready(&self.rig, &self.workload, single::Task { clients, rate: None }).await?;
        let span = self.span(warm_up, length);
        self.measured("single", format!("{clients} clients, closed loop"), span, load.run(span)).await?;

        let rate = self.open_rate();
        let load = single::ready(&self.rig, &self.workload, single::Task { clients, rate: Some(rate) }).await?;
        let span = self.span(warm_up, self.options.open_length());
        let how = format!(
            "open loop, {rate:.0} a second for {} s on {clients} connections, waits measured from when each was due",
            span.time().as_secs_f64()
        );
        self.measured("single.open", how, span, load.run(span)).await
    }

    fn open_rate(&self) -> f64 {
        let reached = |mode: &str| self.runs.iter().rev().find(|run| run.mode == mode).map(|run| run.transfers_per_s);
        let rate = match (self.options.rate, reached("baseline")) {
            (Some(rate), _) => f64::from(rate),
            (None, Some(baseline)) => baseline * CLAIMED * CLAIMED_SHARE,
            (None, None) => reached("single").unwrap_or_default() * OPEN_SHARE,
        };
        rate.max(1.0)
    }

    fn compare_rest(&mut self) {
        let half = |mode: &str| self.runs.iter().rev().find(|run| run.mode == mode).and_then(|run| run.p50_ms);
        if let (Some(single), Some(commit)) = (half("single.rest"), half("commit.rest")) {
            self.notes.push(format!(
                "At rest a transfer takes {single:.2} ms (p50), {:.2} times a two-phase commit by hand ({commit:.2} ms).",
                single / commit
            ));
        }
    }

    /// Balances, then pages of entries, each beside bulk at half speed where that is wanted.
    pub(crate) async fn reads(&mut self) -> Result<(), BenchError> {
        let pace = if self.options.reads_beside_bulk { Some(self.half_speed().await?) } else { None };
        let readers = self.options.readers;
        self.read(Look::Balance, readers, pace).await?;
        self.read(Look::Entries, PAGE_READERS, pace).await
    }

    async fn read(&mut self, look: Look, readers: usize, pace: Option<f64>) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let (mode, what, bulk_mode) = match look {
            Look::Balance => ("reads.balance", "", "reads.balance.bulk"),
            Look::Entries => ("reads.entries", ", pages of 50", "reads.entries.bulk"),
        };
        let load = match pace {
            None => None,
            pace => Some(bulk::ready(&self.rig, &self.workload, &self.bulk_task(Items::Transfers, pace)).await?),
        };
        let reading = reads::ready(&self.rig, &self.workload, look, readers).await?;
        let span = self.span(self.options.warm_up(), self.options.length());
        let load = async {
            match load {
                None => Ok(Tally::new()),
                Some(load) => load.run(span).await,
            }
        };
        let (bulk, read, measured) = tokio::try_join!(load, reading.run(span), self.observe(span))?;
        let beside = pace.map_or(String::new(), |pace| format!(", beside bulk at {pace:.0} a second"));
        let part = |mode, how, category, tally| Part { mode, how, category, tally };
        let mut parts = vec![part(mode, format!("{readers} readers{what}{beside}"), None, read)];
        if let Some(pace) = pace {
            let how = format!("beside the reads, {pace:.0} a second wanted");
            parts.push(part(bulk_mode, how, Some(span.category), bulk));
        }
        self.push_parts(measured, parts).await
    }

    /// Bulk at half speed, single clients and look-ups at once. The single ones leave the hot account alone, so that
    /// what they wait for is others' business.
    pub(crate) async fn mixed(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let pace = self.half_speed().await?;
        let (clients, readers) = (MIXED_CLIENTS.min(self.options.clients), self.options.readers);
        let bulk = bulk::ready(&self.rig, &self.workload, &self.bulk_task(Items::Transfers, Some(pace))).await?;
        let beside_hot = self.workload.with(|mix| mix.hot = 0.0);
        let single = single::ready(&self.rig, &beside_hot, single::Task { clients, rate: None }).await?;
        let reading = reads::ready(&self.rig, &self.workload, Look::Balance, readers).await?;
        let span = self.span(self.options.warm_up(), self.options.length());
        let singles = span.beside(self.category());
        let (bulk, single, balance, measured) =
            tokio::try_join!(bulk.run(span), single.run(singles), reading.run(span), self.observe(span))?;
        let part = |mode, how, category, tally| Part { mode, how, category, tally };
        let parts = vec![
            part("mixed.bulk", format!("{pace:.0} a second wanted"), Some(span.category), bulk),
            part("mixed.single", format!("{clients} clients, closed loop"), Some(singles.category), single),
            part("mixed.balance", format!("{readers} readers"), None, balance),
        ];
        self.push_parts(measured, parts).await
    }

    /// Parts that ran at once share what was used.
    async fn push_parts(&mut self, mut measured: Measured, parts: Vec<Part>) -> Result<(), BenchError> {
        measured.shared_by = parts.iter().map(|part| part.tally.answers.posted + part.tally.reads).sum();
        for Part { mode, how, category, tally } in parts {
            let transfers = match category {
                Some(category) => self.count(category, mode, tally.answers.posted).await?,
                None => 0,
            };
            self.push(Run::new(mode, how, transfers, &tally, &measured));
        }
        Ok(())
    }
}
