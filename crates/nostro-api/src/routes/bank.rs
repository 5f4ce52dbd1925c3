//! The bank as a whole: its branches, batches in doubt, the audit, the trial balance.

use crate::body::NoBody;
use crate::openapi::{Refused, Unavailable};
use crate::parameters::{Parameters, Segment};
use crate::problem::{Problem, ProblemBody};
use crate::router::Api;
use crate::view::Listing;
use crate::view::bank::{AuditView, BranchView, InDoubtListView, ResolvedView};
use crate::view::report::TrialBalanceView;
use axum::Json;
use axum::extract::State;
use nostro_engine::ResolveError;

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

/// Prepared transactions that wait for their decision, with what home says and who waits for them.
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

/// Settles a batch in doubt now, as recovery does by itself: home's row decides, the other branches follow. It takes no
/// body and no id: the batch is the id, and what is settled already is answered the same again.
#[utoipa::path(
    post,
    path = "/v1/in-doubt/{batch}/resolve",
    operation_id = "resolve_in_doubt",
    tag = "bank",
    params(("batch" = String, Path, description = "The batch: home, incarnation, number.", example = "AZ-1-4711")),
    responses(
        (status = 200, description = "What it came to, settled or not.", body = ResolvedView),
        (status = 404, description = "`batch_not_found`: no branch knows it.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "`batch_live`: this server is committing it right now, nothing was done. `branch_unavailable` \
            or `busy`: no branch that answered knows it, and one did not answer.", body = ProblemBody,
            content_type = "application/problem+json", headers(("Retry-After" = String, description = "Seconds."))),
        Refused
    )
)]
pub(crate) async fn resolve(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
    _: NoBody,
) -> Result<Json<ResolvedView>, Problem> {
    let batch = segment.batch_id()?;
    parameters.none()?;
    match api.engine.resolve(batch).await {
        Ok(resolved) => Ok(Json(ResolvedView::from(&resolved))),
        Err(ResolveError::NotFound) => Err(Problem::batch_not_found(batch)),
        Err(ResolveError::Live) => Err(Problem::batch_live(batch)),
        Err(ResolveError::Read(error)) => Err(error.into()),
    }
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

/// Debits and credits by branch, currency and kind of account, each branch in a snapshot of its own.
#[utoipa::path(
    get,
    path = "/v1/reports/trial-balance",
    operation_id = "trial_balance",
    tag = "bank",
    responses((status = 200, description = "The report, whether it balances or not.", body = TrialBalanceView), Refused, Unavailable)
)]
pub(crate) async fn trial_balance(
    State(api): State<Api>,
    parameters: Parameters,
) -> Result<Json<TrialBalanceView>, Problem> {
    parameters.none()?;
    let report = api.engine.trial_balance().await?;
    Ok(Json(TrialBalanceView::from(&report)))
}
