//! One batch after the other, at all branches together.
//!
//! Each branch streams what it has in the order of the batches' names, so a batch is complete when every branch is past it, and no
//! more than one is held in memory.

use super::Failure;
use super::examine::Session;
use nostro_core::BranchCode;
use nostro_core::batch_sides::{Archived, BatchSide, Differing, compare};
use nostro_core::finding::{FINDINGS_OF_RULE_MAX, Findings};
use nostro_store::audit_batches::{self, BatchPiece};
use nostro_store::audit_periods::AuditedPeriods;
use nostro_store::audit_rows::Rows;
use nostro_store::rows::RowError;
use std::collections::{BTreeMap, HashSet};

/// A branch's stream, and how far it is.
pub(super) struct Side {
    code: BranchCode,
    rows: Rows<(String, BatchPiece)>,
    next: Option<(String, BatchPiece)>,
    batches: u64,
}

impl Side {
    pub(super) async fn open(session: &Session, periods: &AuditedPeriods) -> Result<Self, RowError> {
        let mut rows = audit_batches::batches(session.client(), session.branch, periods).await?;
        let next = rows.next().await?;
        Ok(Self { code: session.branch.code, rows, next, batches: 0 })
    }

    /// How many batches it had.
    pub(super) fn batches(&self) -> u64 {
        self.batches
    }

    /// What the branch has of a batch, if its stream is at it.
    async fn take(&mut self, batch: &str) -> Result<Option<BatchSide>, RowError> {
        let mut side: Option<BatchSide> = None;
        while let Some((_, piece)) = self.next.take_if(|(name, _)| *name == *batch) {
            let side = side.get_or_insert_default();
            match piece {
                BatchPiece::Recorded(recorded) => side.recorded = Some(recorded),
                BatchPiece::Net(net) => side.nets.push(net),
                BatchPiece::Group(group) => side.groups.push(group),
                BatchPiece::Whole(whole) => side.wholes.push(whole),
            }
            self.next = self.rows.next().await?;
        }
        self.batches += u64::from(side.is_some());
        Ok(side)
    }
}

/// Judges every batch that is not in flight; the first pairs of branches whose transfers differ are for looking closer.
pub(super) async fn merge(
    sides: &mut [Side],
    in_flight: &HashSet<String>,
    archived: &BTreeMap<BranchCode, Archived>,
    findings: &mut Findings,
) -> Result<Vec<Differing>, Failure> {
    let mut differing = Vec::new();
    while let Some(batch) = sides.iter().filter_map(|side| side.next.as_ref()).map(|(name, _)| name).min().cloned() {
        let mut found: BTreeMap<BranchCode, BatchSide> = BTreeMap::new();
        for side in &mut *sides {
            let taken = side.take(&batch).await.map_err(|error| Failure::Read(side.code, error))?;
            found.extend(taken.map(|taken| (side.code, taken)));
        }
        if !in_flight.contains(&batch) {
            let pairs = compare(&batch, &found, archived, findings);
            let room = FINDINGS_OF_RULE_MAX.saturating_sub(differing.len());
            differing.extend(pairs.into_iter().take(room));
        }
    }
    Ok(differing)
}
