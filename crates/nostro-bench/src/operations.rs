//! The bulk runs of what is no plain transfer: holds, captures, chains of two.
//!
//! Each is the bulk load with other items, so that its rate can be held against that of plain transfers. A hold moves
//! nothing and has no lines, so it is counted by its rows. Captures need holds that are there: they are placed before,
//! which is not measured, and when none is left the run ends, and with it the time that counts.

use crate::bench::Bench;
use crate::bulk::{self, Items};
use crate::error::BenchError;
use crate::open_holds::OpenHolds;
use crate::report::Run;
use crate::rows::counts;
use std::sync::Arc;
use std::time::Duration;

/// Holds of a minute are some millions, of 24 bytes each in memory. A longer run of captures may run out of them.
const PLACING_MAX: Duration = Duration::from_secs(60);

impl Bench<'_> {
    pub(crate) async fn holds(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let load = bulk::ready(&self.rig, &self.workload, &self.bulk_task(Items::Holds, None)).await?;
        let span = self.span(self.options.warm_up(), self.options.length());
        let (tally, mut measured) = tokio::try_join!(load.run(span), self.observe(span))?;
        let placed = self.count_holds(span.category, "holds", tally.answers.posted).await?;
        measured.shared_by = placed;
        self.push(Run::new("holds", self.how_bulk(), placed, &tally, &measured));
        Ok(())
    }

    pub(crate) async fn captures(&mut self) -> Result<(), BenchError> {
        let holds = Arc::new(self.place().await?);
        self.rig.settle().await?;
        let task = self.bulk_task(Items::Captures(Arc::clone(&holds)), None);
        let load = bulk::ready(&self.rig, &self.workload, &task).await?;
        let span = self.span(self.options.warm_up(), self.options.length());
        let observed = self.observe_until(span, holds.ran_out.cancelled());
        let (tally, mut measured) = tokio::try_join!(load.run(span), observed)?;
        let captured = self.count(span.category, "captures", tally.answers.posted).await?;
        measured.shared_by = captured;
        let mut how = format!("{}, each a whole hold of {} that were placed before", self.how_bulk(), holds.len());
        if holds.ran_out.is_cancelled() {
            how += &format!("; they ran out after {:.1} s", measured.time.as_secs_f64());
        }
        self.push(Run::new("captures", how, captured, &tally, &measured));
        Ok(())
    }

    pub(crate) async fn chains(&mut self) -> Result<(), BenchError> {
        self.rig.settle().await?;
        let load = bulk::ready(&self.rig, &self.workload, &self.bulk_task(Items::Chains, None)).await?;
        let span = self.span(self.options.warm_up(), self.options.length());
        let how = format!("{}; counted are transfers, two linked ones a chain", self.how_bulk());
        self.measured("chains", how, span, load.run(span)).await
    }

    /// Places holds for as long as captures may be sent: a capture costs more than a hold, so that these are enough. Handed
    /// out are those that are found in the databases.
    async fn place(&mut self) -> Result<OpenHolds, BenchError> {
        self.tell("Placing the holds that are to be captured.");
        let load = bulk::ready(&self.rig, &self.workload, &self.bulk_task(Items::Holds, None)).await?;
        let time = self.options.warm_up() + self.options.length();
        let span = self.span(Duration::ZERO, time.min(PLACING_MAX));
        let told = load.run(span).await?.answers.posted;
        self.count_holds(span.category, "captures", told).await?;
        let mut found = Vec::new();
        for session in self.rig.sessions().await? {
            found.extend(counts::placed_holds(&session, span.category).await?);
        }
        Ok(OpenHolds::new(found))
    }
}
