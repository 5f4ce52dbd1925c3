//! Changes of an account's limits and state, closing among them, and their history.

use crate::answer;
use crate::body::JsonBody;
use crate::change_body::{self, ChangeAccountBody, CloseAccountBody};
use crate::cursor::{self, List};
use crate::openapi::{BodyRefused, Refused, Unavailable};
use crate::parameters::{Parameters, Segment};
use crate::problem::{Problem, ProblemBody};
use crate::router::Api;
use crate::routes::{cut, not_made, page, read_problem};
use crate::view::PageView;
use crate::view::account::AccountView;
use crate::view::account_change::AccountChangeView;
use crate::view::registered::UnknownRequest;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use nostro_engine::ChangeRequest;

/// Changes the limits of an account, freezes it or opens it again.
#[utoipa::path(
    post,
    path = "/v1/accounts/{number}/changes",
    operation_id = "change_account",
    tag = "accounts",
    params(("number" = String, Path, description = "The account.", example = "AZ93000000001042")),
    request_body = ChangeAccountBody,
    responses(
        (status = 200, description = "Changed; with the header, by an earlier request with the same id.",
            body = AccountView, headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 202, description = "`unknown`: the branch did not answer, so it is not known whether it was changed; send the \
            same id again.", body = UnknownRequest),
        (status = 404, description = "`account_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "`id_conflict`: the id was used with other content.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "`account_closed` or `bank_account`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn change(State(api): State<Api>, segment: Segment, body: JsonBody) -> Result<Response, Problem> {
    let number = segment.account_number()?;
    changed(&api, &change_body::change(body.parse()?, number)?).await
}

/// Closes an empty account.
#[utoipa::path(
    post,
    path = "/v1/accounts/{number}/close",
    operation_id = "close_account",
    tag = "accounts",
    params(("number" = String, Path, description = "The account.", example = "AZ93000000001042")),
    request_body = CloseAccountBody,
    responses(
        (status = 200, description = "Closed; with the header, by an earlier request with the same id.",
            body = AccountView, headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 202, description = "`unknown`: the branch did not answer, so it is not known whether it was closed; send the \
            same id again.", body = UnknownRequest),
        (status = 404, description = "`account_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "`id_conflict`: the id was used with other content.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "`account_not_empty`, `account_closed` or `bank_account`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn close(State(api): State<Api>, segment: Segment, body: JsonBody) -> Result<Response, Problem> {
    let number = segment.account_number()?;
    changed(&api, &change_body::close(body.parse()?, number)?).await
}

async fn changed(api: &Api, request: &ChangeRequest) -> Result<Response, Problem> {
    match api.engine.change_account(request).await {
        Ok(changed) => Ok(answer::changed(changed.replayed, AccountView::from(&changed.value))),
        Err(error) => not_made(error, request.id, Some(request.number)),
    }
}

/// What was changed of an account, newest first.
#[utoipa::path(
    get,
    path = "/v1/accounts/{number}/changes",
    operation_id = "list_account_changes",
    tag = "accounts",
    params(
        ("number" = String, Path, description = "The account.", example = "AZ93000000001042"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 200; default 50.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before.")
    ),
    responses(
        (status = 200, description = "A page.", body = PageView<AccountChangeView>),
        (status = 404, description = "`account_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn list(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
) -> Result<Json<PageView<AccountChangeView>>, Problem> {
    let number = segment.account_number()?;
    let asked = parameters.list()?;
    let filter = number.to_string();
    let before = asked.cursor.map(|cursor| cursor::open_for(List::AccountChanges, &filter, &cursor)).transpose()?;
    let found = api.engine.account_changes(number, page(asked.limit, before)).await;
    let found = found.map_err(|error| read_problem(error, number))?;
    let rows = found.ok_or_else(|| Problem::account_not_found(number))?;
    let (rows, last) = cut(asked.limit, rows, |change| change.serial);
    let data = rows.iter().map(AccountChangeView::from).collect();
    Ok(Json(PageView { data, next_cursor: last.map(|serial| cursor::seal(List::AccountChanges, &filter, serial)) }))
}
