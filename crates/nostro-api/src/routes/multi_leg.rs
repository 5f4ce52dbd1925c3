//! Transfers with many legs: all posted or none.

use crate::answer;
use crate::bulk_intake::BulkBody;
use crate::multi_leg_body::{self, NewMultiLegTransfer};
use crate::openapi::{BodyRefused, Refused, Unavailable};
use crate::problem::Problem;
use crate::problem::ProblemBody;
use crate::router::Api;
use crate::view::multi_leg::MultiLegView;
use crate::view::transfer::UnknownTransfer;
use axum::extract::State;
use axum::response::Response;
use nostro_engine::Order;

/// One account pays many, or many pay one: all legs are posted or none. Their sum is checked.
#[utoipa::path(
    post,
    path = "/v1/transfers/multi-leg",
    operation_id = "create_multi_leg_transfer",
    tag = "transfers",
    request_body = NewMultiLegTransfer,
    responses(
        (status = 201, description = "`posted`: committed at every branch.", body = MultiLegView,
            headers(("Location" = String, description = "The first leg."))),
        (status = 200, description = "The same id and content again.", body = MultiLegView,
            headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 202, description = "`settling`: committed, and a branch has yet to finish; or `unknown`: send the \
            same id again.", body = UnknownTransfer),
        (status = 409, description = "`id_conflict`: the id was used with other content.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "A refusal; `errors` names the leg.", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn create(State(api): State<Api>, bulk: BulkBody) -> Result<Response, Problem> {
    let has_branch = |code| api.engine.has_branch(code);
    let (read, _share) = bulk.read(|body| multi_leg_body::multi_leg(body.parse()?, &has_branch));
    let (chain, shared) = read?;
    let answers = api.engine.orders(vec![Order::Chain(chain.clone())]).await;
    Ok(answer::legs::told(&chain, shared, answers))
}
