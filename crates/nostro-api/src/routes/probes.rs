//! For load balancers, for Prometheus, and for readers of the description. These take no key.

use crate::problem::{Code, Problem, ProblemBody};
use crate::router::Api;
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The text format of Prometheus.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A probe that is content.
#[derive(Serialize, ToSchema)]
pub(crate) struct Probe {
    /// `ok` or `ready`.
    status: &'static str,
}

/// Whether the process runs.
#[utoipa::path(
    get, path = "/healthz", tag = "probes", security(()),
    responses((status = 200, description = "It does.", body = Probe))
)]
pub(crate) async fn health() -> Json<Probe> {
    Json(Probe { status: "ok" })
}

/// Whether intake is open and at least one branch is reachable.
#[utoipa::path(
    get, path = "/readyz", tag = "probes", security(()),
    responses(
        (status = 200, description = "They are.", body = Probe),
        (status = 503, description = "`not_ready`", body = ProblemBody, content_type = "application/problem+json",
            headers(("Retry-After" = String, description = "Seconds.")))
    )
)]
pub(crate) async fn ready(State(api): State<Api>) -> Result<Json<Probe>, Problem> {
    if api.engine.is_ready() {
        Ok(Json(Probe { status: "ready" }))
    } else {
        Err(Problem::new(Code::NotReady, "intake is closed or no branch is reachable"))
    }
}

/// Counters and histograms for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "probes", security(()),
    responses((status = 200, description = "Prometheus text format.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    ([(CONTENT_TYPE, PROMETHEUS_TEXT)], api.metrics.render()).into_response()
}

/// This description.
#[utoipa::path(
    get, path = "/openapi.json", tag = "probes", security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = Object, content_type = "application/json"))
)]
pub(crate) async fn description(State(api): State<Api>) -> Response {
    ([(CONTENT_TYPE, "application/json")], api.description).into_response()
}

/// What no route took.
pub(crate) async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "nothing is here; /openapi.json lists what is")
}

/// What a route has no method for.
pub(crate) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "this path does not take this method; the header Allow lists those it takes")
}
