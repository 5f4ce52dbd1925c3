//! Moving money: transfers one by one or in bulk, deposits, withdrawals.

use crate::answer;
use crate::body::JsonBody;
use crate::bulk;
use crate::bulk_body::{self, Bulk, NewTransfers};
use crate::bulk_intake::BulkBody;
use crate::openapi::{BodyRefused, MoneyMoved, Refused, Unavailable};
use crate::parameters::{Parameters, Segment};
use crate::problem::{Code, Problem, ProblemBody};
use crate::request_context::RequestContext;
use crate::router::Api;
use crate::routes::moving::{asked, known_branch, moved};
use crate::transfer_body::{self, CashMovement, NewCashMovement, NewReversal, NewTransfer};
use crate::view::transfer::{BulkResults, TransferView};
use crate::wire::{self, Named};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use nostro_core::Transfer;
use nostro_engine::{Found, Order};

/// What a bulk asks for.
enum Read {
    /// Nothing but plain transfers, each for itself.
    Plain(Vec<Transfer>),
    Mixed(Bulk),
}

/// Moves money from one account to another, also between branches.
#[utoipa::path(
    post,
    path = "/v1/transfers",
    operation_id = "create_transfer",
    tag = "transfers",
    request_body = NewTransfer,
    responses(MoneyMoved, Refused, BodyRefused, Unavailable)
)]
pub(crate) async fn create(State(api): State<Api>, body: JsonBody) -> Result<Response, Problem> {
    let transfer = wire::read_transfer(body.bytes(), &|code| api.engine.has_branch(code))?;
    let answer = api.engine.transfer(transfer.clone()).await;
    Ok(wire::write_answer(&transfer, answer))
}

/// Many transfers, each for itself, or linked to chains of which all links are posted or none. Holds, captures, releases,
/// reversals and cash are among them by their `kind`.
#[utoipa::path(
    post,
    path = "/v1/transfers/bulk",
    operation_id = "create_transfers",
    tag = "transfers",
    request_body = NewTransfers,
    responses(
        (status = 200, description = "What became of each, in the order of the request.", body = BulkResults),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn create_bulk(
    State(api): State<Api>,
    Extension(context): Extension<RequestContext>,
    bulk: BulkBody,
) -> Result<Response, Problem> {
    let has_branch = |code| api.engine.has_branch(code);
    let (read, _share) = bulk.read(|body| match wire::read_plain_transfers(body.bytes(), &has_branch) {
        Some(transfers) => Ok(Read::Plain(transfers)),
        None => bulk_body::bulk(body.parse()?, &has_branch).map(Read::Mixed),
    });
    let results = match read? {
        Read::Plain(transfers) => {
            let named: Vec<Named> = transfers.iter().map(Named::from).collect();
            let answers = api.engine.orders(transfers.into_iter().map(Order::Transfer)).await;
            wire::write_answers(&named, answers, &context)
        }
        Read::Mixed(items) => bulk::moved(&api.engine, items, &context).await?,
    };
    Ok(([(CONTENT_TYPE, answer::JSON)], results).into_response())
}

/// Cash comes in: from the branch's cash to a customer's account.
#[utoipa::path(
    post,
    path = "/v1/deposits",
    operation_id = "deposit",
    tag = "transfers",
    request_body = NewCashMovement,
    responses(MoneyMoved, Refused, BodyRefused, Unavailable)
)]
pub(crate) async fn deposit(State(api): State<Api>, body: JsonBody) -> Result<Response, Problem> {
    move_cash(&api, &body, CashMovement::Deposit).await
}

/// Cash goes out: from a customer's account to the branch's cash.
#[utoipa::path(
    post,
    path = "/v1/withdrawals",
    operation_id = "withdraw",
    tag = "transfers",
    request_body = NewCashMovement,
    responses(MoneyMoved, Refused, BodyRefused, Unavailable)
)]
pub(crate) async fn withdraw(State(api): State<Api>, body: JsonBody) -> Result<Response, Problem> {
    move_cash(&api, &body, CashMovement::Withdrawal).await
}

/// A recorded transfer. Without `branch` all branches are asked.
#[utoipa::path(
    get,
    path = "/v1/transfers/{id}",
    operation_id = "show_transfer",
    tag = "transfers",
    params(
        ("id" = String, Path, description = "The client's id.", example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001"),
        ("branch" = Option<String>, Query, description = "The one branch to ask.", example = "AZ")
    ),
    responses(
        (status = 200, description = "The transfer: posted, settling or refused.", body = TransferView),
        (status = 404, description = "`transfer_not_found`: no proof that it will not be posted; only sending the \
            same id again settles that.", body = ProblemBody, content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn show(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
) -> Result<Json<TransferView>, Problem> {
    let found = found(&api, &segment, parameters).await?;
    Ok(Json(TransferView::new(&found.receipt, found.settled).with_reversed(found.reversed)))
}

/// Money of a posted transfer goes back: all of it, or a part.
#[utoipa::path(
    post,
    path = "/v1/transfers/{id}/reversals",
    operation_id = "reverse_transfer",
    tag = "transfers",
    params(
        ("id" = String, Path, description = "The transfer.", example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001"),
        ("branch" = Option<String>, Query, description = "A branch of it; without it all are asked.", example = "AZ")
    ),
    request_body = NewReversal,
    responses(
        MoneyMoved,
        (status = 404, description = "`transfer_not_found`: it may still be on its way. This attempt moved nothing; only \
            sending the same id again settles it.", body = ProblemBody, content_type = "application/problem+json"),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn reverse(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (original, branch) = (segment.transfer_id()?, known_branch(&api, parameters)?);
    asked(&api, transfer_body::reversal(body.parse()?, original, branch)?).await
}

async fn found(api: &Api, segment: &Segment, parameters: Parameters) -> Result<Found, Problem> {
    let id = segment.transfer_id()?;
    let found = api.engine.find_transfer(id, parameters.branch()?).await?;
    found.ok_or_else(|| {
        let detail = "no transfer with this id is recorded; it may still be on its way: sending it again tells";
        Problem::new(Code::TransferNotFound, detail)
    })
}

async fn move_cash(api: &Api, body: &JsonBody, movement: CashMovement) -> Result<Response, Problem> {
    let transfer = transfer_body::cash(body.parse()?, movement, &|code| api.engine.has_branch(code))?;
    Ok(moved(api, transfer).await)
}
