//! Full audits: begun by a request, made by the engine, asked for until they end.

use crate::answer;
use crate::audit_body::{self, NewAuditBody};
use crate::body::JsonBody;
use crate::openapi::{BodyRefused, Refused, Unavailable};
use crate::parameters::{Parameters, Segment};
use crate::problem::{Problem, ProblemBody};
use crate::router::Api;
use crate::view::full_audit::FullAuditView;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use nostro_engine::StartAuditError;

/// Begins a full audit: every account, entry, hold, reversal and batch, at all branches, while they move. One at a time.
#[utoipa::path(
    post,
    path = "/v1/audits",
    operation_id = "start_audit",
    tag = "bank",
    request_body = NewAuditBody,
    responses(
        (status = 202, description = "Begun: ask for it until its state is not `running`.", body = FullAuditView,
            headers(("Location" = String, description = "The audit."))),
        (status = 200, description = "Begun by an earlier request with the same id: its present state.", body = FullAuditView,
            headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 409, description = "`id_conflict`: the id was used with another `from_scratch`. `audit_running`: another audit is \
            running, nothing was begun, and the id is not used up.", body = ProblemBody,
            content_type = "application/problem+json", headers(("Retry-After" = String, description = "Seconds, of `audit_running`."))),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn create(State(api): State<Api>, body: JsonBody) -> Result<Response, Problem> {
    let new = audit_body::new_audit(body.parse()?)?;
    match api.engine.start_audit(new.id, new.from_scratch).await {
        Ok(started) if started.replayed => Ok(answer::changed(true, FullAuditView::from(&started.audit))),
        Ok(started) => Ok(answer::accepted(&format!("/v1/audits/{}", new.id), FullAuditView::from(&started.audit))),
        Err(StartAuditError::IdConflict) => Err(Problem::id_conflict("/from_scratch".to_owned())),
        Err(StartAuditError::Busy(running)) => Err(Problem::audit_running(running)),
        Err(StartAuditError::Read(error)) => Err(error.into()),
    }
}

/// A full audit: how far it is, or what it came to.
#[utoipa::path(
    get,
    path = "/v1/audits/{id}",
    operation_id = "show_audit",
    tag = "bank",
    params(("id" = String, Path, description = "The audit's id.", example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001")),
    responses(
        (status = 200, description = "Whatever its state.", body = FullAuditView),
        (status = 404, description = "`audit_not_found`", body = ProblemBody, content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn show(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
) -> Result<Json<FullAuditView>, Problem> {
    let id = segment.audit_id()?;
    parameters.none()?;
    let found = api.engine.find_audit(id).await?;
    found.map(|audit| Json(FullAuditView::from(&audit))).ok_or_else(|| Problem::audit_not_found(id))
}
