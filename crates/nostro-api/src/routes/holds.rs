//! Holds: placed, shown, captured, released.

use crate::body::JsonBody;
use crate::cursor::{self, List};
use crate::filters::{self, FilteredList};
use crate::hold_body::{self, NewCapture, NewHold, NewRelease};
use crate::openapi::{BodyRefused, MoneyMoved, Refused, Unavailable};
use crate::parameters::{Parameters, Segment};
use crate::problem::{Code, Problem, ProblemBody};
use crate::router::Api;
use crate::routes::moving::{asked, known_branch, moved};
use crate::routes::{FILTERED_PAGE, cut, page, read_problem};
use crate::view::PageView;
use crate::view::hold::HoldView;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use nostro_core::Hold;
use nostro_engine::{Page, Selection};

/// Reserves money at an account, in favour of another one.
#[utoipa::path(
    post,
    path = "/v1/holds",
    operation_id = "create_hold",
    tag = "holds",
    request_body = NewHold,
    responses(MoneyMoved, Refused, BodyRefused, Unavailable)
)]
pub(crate) async fn create(State(api): State<Api>, body: JsonBody) -> Result<Response, Problem> {
    let transfer = hold_body::hold(body.parse()?, &|code| api.engine.has_branch(code))?;
    Ok(moved(&api, transfer).await)
}

/// Moves reserved money: all of it, or a part.
#[utoipa::path(
    post,
    path = "/v1/holds/{id}/captures",
    operation_id = "capture_hold",
    tag = "holds",
    params(
        ("id" = String, Path, description = "The hold.", example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001"),
        ("branch" = Option<String>, Query, description = "The branch of its debit account; without it all are asked.", example = "AZ")
    ),
    request_body = NewCapture,
    responses(
        MoneyMoved,
        (status = 404, description = "`hold_not_found`: it may still be on its way. This attempt moved nothing; only sending \
            the same id again settles it.", body = ProblemBody, content_type = "application/problem+json"),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn capture(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (hold, branch) = (segment.transfer_id()?, known_branch(&api, parameters)?);
    asked(&api, hold_body::capture(body.parse()?, hold, branch)?).await
}

/// Gives back what is left of a hold.
#[utoipa::path(
    post,
    path = "/v1/holds/{id}/releases",
    operation_id = "release_hold",
    tag = "holds",
    params(
        ("id" = String, Path, description = "The hold.", example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001"),
        ("branch" = Option<String>, Query, description = "The branch of its debit account; without it all are asked.", example = "AZ")
    ),
    request_body = NewRelease,
    responses(
        MoneyMoved,
        (status = 404, description = "`hold_not_found`: it may still be on its way. This attempt moved nothing; only sending \
            the same id again settles it.", body = ProblemBody, content_type = "application/problem+json"),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn release(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
    body: JsonBody,
) -> Result<Response, Problem> {
    let (hold, branch) = (segment.transfer_id()?, known_branch(&api, parameters)?);
    asked(&api, hold_body::release(body.parse()?, hold, branch)?).await
}

/// A hold as it stands. Without `branch` all branches are asked.
#[utoipa::path(
    get,
    path = "/v1/holds/{id}",
    operation_id = "show_hold",
    tag = "holds",
    params(
        ("id" = String, Path, description = "The hold.", example = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c001"),
        ("branch" = Option<String>, Query, description = "The one branch to ask.", example = "AZ")
    ),
    responses(
        (status = 200, description = "The hold.", body = HoldView),
        (status = 404, description = "`hold_not_found`: no proof that it will not be placed; only sending the same id again \
            settles that.", body = ProblemBody, content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn show(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
) -> Result<Json<HoldView>, Problem> {
    Ok(Json(HoldView::from(&found(&api, &segment, parameters).await?)))
}

/// The holds at an account, newest first.
#[utoipa::path(
    get,
    path = "/v1/accounts/{number}/holds",
    operation_id = "list_holds",
    tag = "holds",
    params(
        ("number" = String, Path, description = "The account.", example = "AZ93000000001042"),
        ("state" = Option<String>, Query, description = "Only in this state.", example = "open"),
        ("from" = Option<String>, Query, description = "Only placed at this instant or later, RFC 3339."),
        ("to" = Option<String>, Query, description = "Only placed before this instant, RFC 3339."),
        ("amount_min" = Option<String>, Query, description = "Only of so much or more, minor units.", example = "100"),
        ("amount_max" = Option<String>, Query, description = "Only of so much or less, minor units."),
        ("counterparty" = Option<String>, Query, description = "Only in favour of this account."),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 200; default 50.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, which carries its filters.")
    ),
    responses(
        (status = 200, description = FILTERED_PAGE, body = PageView<HoldView>),
        (status = 404, description = "`account_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn list(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
) -> Result<Json<PageView<HoldView>>, Problem> {
    let number = segment.account_number()?;
    let FilteredList { limit, before, filter, carried } =
        filters::holds(&parameters, number, &|code| api.engine.has_branch(code))?;
    let found = if filter.wants_all() {
        let found = api.engine.holds(number, page(limit, before)).await;
        found.map(|found| {
            found.map(|rows| {
                let (rows, next) = cut(limit, rows, |(serial, _)| *serial);
                Selection { rows: rows.into_iter().map(|(_, hold)| hold).collect(), next }
            })
        })
    } else {
        api.engine.filtered_holds(number, Page { limit, before }, &filter).await
    };
    let found = found.map_err(|error| read_problem(error, number))?;
    let Selection { rows, next } = found.ok_or_else(|| Problem::account_not_found(number))?;
    let data = rows.iter().map(HoldView::from).collect();
    Ok(Json(PageView { data, next_cursor: next.map(|serial| cursor::seal(List::Holds, &carried, serial)) }))
}

async fn found(api: &Api, segment: &Segment, parameters: Parameters) -> Result<Hold, Problem> {
    let id = segment.transfer_id()?;
    let found = api.engine.find_hold(id, parameters.branch()?).await?;
    found.ok_or_else(|| {
        let detail = "no hold with this id is recorded; it may still be on its way: sending it again tells";
        Problem::new(Code::HoldNotFound, detail)
    })
}
