//! The bank as a whole: its branches, batches in doubt, the audit.

use crate::openapi::{Refused, Unavailable};
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::router::Api;
use crate::view::Listing;
use crate::view::bank::{AuditView, BranchView, InDoubtListView};
use axum::Json;
use axum::extract::State;

/// The branches and how each is, as the last look found it.
#[utoipa::path(
    get,
    path = "/v1/branches",
    operation_id = "list_branches",
    tag = "bank",
    responses((status = 200, description = "All branches.", body = Listing<BranchView>), Refused)
)]
pub(crate) async fn branches(
    State(api): State<Api>,
    parameters: Parameters,
) -> Result<Json<Listing<BranchView>>, Problem> {
    parameters.none()?;
    Ok(Json(Listing { data: api.engine.branches().iter().map(BranchView::from).collect() }))
}

/// Prepared transactions that wait for their decision.
#[utoipa::path(
    get,
    path = "/v1/in-doubt",
    operation_id = "list_in_doubt",
    tag = "bank",
    responses((status = 200, description = "All of them, and the branches that could not be asked.", body = InDoubtListView), Refused)
)]
pub(crate) async fn in_doubt(State(api): State<Api>, parameters: Parameters) -> Result<Json<InDoubtListView>, Problem> {
    parameters.none()?;
    let found = api.engine.in_doubt().await?;
    Ok(Json(InDoubtListView::from(&found)))
}

/// Adds up all accounts of all branches, with batches in flight left out.
#[utoipa::path(
    get,
    path = "/v1/audit",
    operation_id = "audit",
    tag = "bank",
    responses((status = 200, description = "What was found, balanced or not.", body = AuditView), Refused, Unavailable)
)]
pub(crate) async fn audit(State(api): State<Api>, parameters: Parameters) -> Result<Json<AuditView>, Problem> {
    parameters.none()?;
    let report = api.engine.audit().await?;
    Ok(Json(AuditView::from(&report)))
}
