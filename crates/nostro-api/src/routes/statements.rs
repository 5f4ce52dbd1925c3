//! What an account was at a past instant: balances and statements.

use crate::cursor;
use crate::fields;
use crate::openapi::{Refused, Unavailable};
use crate::parameters::{Parameters, Segment};
use crate::problem::{Code, Problem, ProblemBody};
use crate::request_context::RequestContext;
use crate::router::Api;
use crate::routes::read_problem;
use crate::statement_csv;
use crate::statement_parameters::{PageStart, Span, StatementParameters};
use crate::view::statement::{BalanceView, Heading, StatementView};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use nostro_core::AccountNumber;
use nostro_engine::{LineRange, PastError, TOTALLED_LINES_MAX};

/// An account's balance at a past instant, which never changes once it was told; or now.
#[utoipa::path(
    get,
    path = "/v1/accounts/{number}/balance",
    operation_id = "show_balance",
    tag = "accounts",
    params(
        ("number" = String, Path, description = "The account.", example = "AZ93000000001042"),
        ("at" = Option<String>, Query, description = "A past instant, RFC 3339; without it now, which is not final.",
            example = "2026-11-23T08:00:00Z")
    ),
    responses(
        (status = 200, description = "The balance.", body = BalanceView),
        (status = 404, description = "`account_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 410, description = "`history_archived`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn balance(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
) -> Result<Json<BalanceView>, Problem> {
    let number = segment.account_number()?;
    parameters.only(&["at"])?;
    let found = match parameters.read("at", fields::time)? {
        Some(at) => api.engine.balance_at(number, at).await,
        None => api.engine.balance(number).await,
    };
    let found = found.map_err(|error| past_problem(error, number, "at"))?;
    Ok(Json(BalanceView::from(&found)))
}

/// The entries of a period, oldest first, between its opening and its closing balance. It never changes once it was told.
#[utoipa::path(
    get,
    path = "/v1/accounts/{number}/statement",
    operation_id = "show_statement",
    tag = "accounts",
    params(
        ("number" = String, Path, description = "The account.", example = "AZ93000000001042"),
        ("from" = Option<String>, Query, description = "The first instant of the period, RFC 3339; may be left out beside a cursor.",
            example = "2026-11-01T00:00:00Z"),
        ("to" = Option<String>, Query, description = "The first instant after it, not in the future; may be left out beside a cursor.",
            example = "2026-12-01T00:00:00Z"),
        ("format" = Option<String>, Query, description = "`json` in pages, or `csv` whole. Default: CSV if `Accept` names `text/csv` \
            and not `application/json`, else JSON.", example = "json"),
        ("limit" = Option<u16>, Query, description = "Entries of a page, 1 to 200; default 50.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before.")
    ),
    responses(
        (status = 200, description = "A page, or the whole as CSV.",
            content((StatementView = "application/json"), (String = "text/csv"))),
        (status = 404, description = "`account_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 410, description = "`history_archived`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn statement(
    State(api): State<Api>,
    Extension(context): Extension<RequestContext>,
    segment: Segment,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let number = segment.account_number()?;
    let told = match StatementParameters::read(&parameters, number, &headers)? {
        StatementParameters::First { period, limit } => first_page(&api, number, period, limit).await,
        StatementParameters::Next { start, limit } => return next_page(&api, number, start, limit).await,
        StatementParameters::Csv { period } => whole(&api, number, period, context).await,
    };
    told.map_err(|error| past_problem(error, number, "to"))
}

async fn whole(api: &Api, number: AccountNumber, period: Span, context: RequestContext) -> Result<Response, PastError> {
    let statement = api.engine.statement(number, period.from, period.to).await?;
    statement_csv::response(api.engine.clone(), statement, context.request_id).await
}

async fn first_page(api: &Api, number: AccountNumber, period: Span, limit: u16) -> Result<Response, PastError> {
    let statement = api.engine.statement(number, period.from, period.to).await?;
    let totals = api.engine.statement_totals(&statement).await?;
    let lines = statement.lines();
    let page = page(lines, lines.after, limit);
    let entries = api.engine.lines(number, page).await?;
    let heading = Heading { account: &statement.account, from: period.from, to: period.to, lines };
    let next = cursor_behind(page, PageStart { period, lines, after: page.up_to }, number);
    let view = StatementView::page(&heading, &entries, next).with_figures(&statement, &totals);
    Ok(Json(view).into_response())
}

/// Its lines are fixed by what the first page found.
async fn next_page(api: &Api, number: AccountNumber, start: PageStart, limit: u16) -> Result<Response, Problem> {
    let account = api.engine.account(number).await.map_err(|error| read_problem(error, number))?;
    let account = account.ok_or_else(|| Problem::account_not_found(number))?;
    let PageStart { period, lines, after } = start;
    if lines.up_to > account.seq {
        return Err(cursor::foreign());
    }
    let page = page(lines, after, limit);
    let entries = api.engine.lines(number, page).await.map_err(|error| past_problem(error, number, "to"))?;
    let heading = Heading { account: &account, from: period.from, to: period.to, lines };
    let next = cursor_behind(page, PageStart { after: page.up_to, ..start }, number);
    Ok(Json(StatementView::page(&heading, &entries, next)).into_response())
}

fn page(lines: LineRange, after: i64, limit: u16) -> LineRange {
    LineRange { after, up_to: lines.up_to.min(after.saturating_add(i64::from(limit))) }
}

fn cursor_behind(page: LineRange, next: PageStart, number: AccountNumber) -> Option<String> {
    (page.up_to < next.lines.up_to).then(|| next.seal(number))
}

/// `field` is the instant that must be past.
fn past_problem(error: PastError, number: AccountNumber, field: &'static str) -> Problem {
    let invalid = |detail: String| Problem::new(Code::InvalidRequest, detail);
    match error {
        PastError::AccountNotFound => Problem::account_not_found(number),
        PastError::NotPast { clock } if field == "at" => {
            invalid(format!("at: must lie before the branch's clock, which is {clock}"))
        }
        PastError::NotPast { clock } => {
            invalid(format!("{field}: must not be later than the branch's clock, which is {clock}"))
        }
        PastError::Archived => Problem::history_archived(number),
        PastError::TooLong { lines } => invalid(format!(
            "{field}: the period has {lines} entries, more than the {TOTALLED_LINES_MAX} of a statement as JSON; name a \
             shorter one, or take it as CSV"
        )),
        PastError::Read(error) => read_problem(error, number),
    }
}
