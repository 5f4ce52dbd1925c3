//! The table of contents: every route of the API, and what every request passes on its way.

use crate::authentication::{self, Keys};
use crate::body::BODY_BYTES_MAX;
use crate::bulk_intake::BulkIntake;
use crate::config::ApiConfig;
use crate::routes::{
    account_changes, accounts, audits, bank, customers, holds, multi_leg, probes, statements, transfers,
};
use crate::{openapi, origin, request_context, traffic};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::{from_fn, from_fn_with_state};
use metrics_exporter_prometheus::PrometheusHandle;
use nostro_engine::Engine;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the routes share.
#[derive(Clone)]
pub(crate) struct Api {
    /// Does the work.
    pub(crate) engine: Engine,
    /// Draws the page of metrics.
    pub(crate) metrics: PrometheusHandle,
    /// The OpenAPI document as JSON.
    pub(crate) description: Bytes,
    /// How many bytes of bulks may be in hand.
    pub(crate) bulk_intake: BulkIntake,
}

impl FromRef<Api> for BulkIntake {
    fn from_ref(api: &Api) -> Self {
        api.bulk_intake.clone()
    }
}

/// The routes that take a key.
pub(crate) fn v1() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(customers::list, customers::create))
        .routes(routes!(customers::create_bulk))
        .routes(routes!(customers::find))
        .routes(routes!(accounts::list, accounts::open))
        .routes(routes!(accounts::open_bulk))
        .routes(routes!(accounts::find))
        .routes(routes!(accounts::show))
        .routes(routes!(account_changes::list, account_changes::change))
        .routes(routes!(account_changes::close))
        .routes(routes!(accounts::entries))
        .routes(routes!(statements::balance))
        .routes(routes!(statements::statement))
        .routes(routes!(transfers::create))
        .routes(routes!(transfers::create_bulk))
        .routes(routes!(multi_leg::create))
        .routes(routes!(transfers::show))
        .routes(routes!(transfers::reverse))
        .routes(routes!(transfers::deposit))
        .routes(routes!(transfers::withdraw))
        .routes(routes!(holds::create))
        .routes(routes!(holds::show))
        .routes(routes!(holds::capture))
        .routes(routes!(holds::release))
        .routes(routes!(holds::list))
        .routes(routes!(bank::branches))
        .routes(routes!(bank::in_doubt))
        .routes(routes!(bank::resolve))
        .routes(routes!(bank::audit))
        .routes(routes!(audits::create))
        .routes(routes!(audits::show))
        .routes(routes!(bank::trial_balance))
}

/// The routes that take none.
pub(crate) fn open() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(probes::health))
        .routes(routes!(probes::ready))
        .routes(routes!(probes::metrics))
        .routes(routes!(probes::description))
}

/// The whole API over an engine. `metrics` belongs to the recorder that the binary installed.
#[expect(clippy::needless_pass_by_value, reason = "the front door takes its settings and keeps them")]
pub fn router(engine: Engine, config: ApiConfig, metrics: PrometheusHandle) -> Router {
    let origins = origin::origins(&config.console_origins);
    let guarded = v1().route_layer(from_fn_with_state(Keys::new(&config), authentication::guard));
    let (routes, document) = guarded.merge(open()).split_for_parts();
    let description = openapi::json(&document);
    let api = Api { engine, metrics, description, bulk_intake: BulkIntake::default() };
    // The last layer is the first that a request meets.
    routes
        .fallback(probes::not_found)
        .method_not_allowed_fallback(probes::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(request_context::panicked))
        .layer(origin::cross_origin(&origins))
        .layer(from_fn_with_state(origins, origin::guard))
        .layer(from_fn(traffic::measure))
        .layer(from_fn(request_context::with_context))
        .with_state(api)
}
