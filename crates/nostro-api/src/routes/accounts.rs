//! Accounts and their entries.

use crate::answer;
use crate::body::JsonBody;
use crate::bulk_intake::BulkBody;
use crate::cursor::{self, List};
use crate::fields::Pointer;
use crate::filters::{self, FilteredList};
use crate::openapi::{BodyRefused, Refused, Unavailable};
use crate::parameters::{Parameters, Segment};
use crate::problem::{Problem, ProblemBody};
use crate::register_body::{self, NewAccountBody, NewAccountsBody, WantedIdsBody};
use crate::request_context::RequestContext;
use crate::router::Api;
use crate::routes::{FILTERED_PAGE, branch_list, cut, not_made, page, read_problem, registered};
use crate::view::PageView;
use crate::view::account::{AccountView, EntryView};
use crate::view::registered::{AccountResult, AccountResults, FoundAccounts, UnknownRequest};
use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use nostro_core::Account;
use nostro_engine::{Made, NewAccount, Page, RegisterError, Selection};

/// Opens an account for a customer, at the customer's branch.
#[utoipa::path(
    post,
    path = "/v1/accounts",
    operation_id = "open_account",
    tag = "accounts",
    request_body = NewAccountBody,
    responses(
        (status = 201, description = "Opened.", body = AccountView,
            headers(("Location" = String, description = "The account."))),
        (status = 200, description = "Opened by an earlier request with the same id.", body = AccountView,
            headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 202, description = "`unknown`: the branch did not answer, so it is not known whether it was opened; send the \
            same id again.", body = UnknownRequest),
        (status = 409, description = "`id_conflict`: the id was used with other content.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "`customer_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn open(State(api): State<Api>, body: JsonBody) -> Result<Response, Problem> {
    let new = register_body::new_account(body.parse()?, &|code| api.engine.has_branch(code))?;
    let id = new.id;
    match api.engine.open_account(new).await {
        Ok(made) => {
            let location = format!("/v1/accounts/{}", made.value.number);
            let location = (!made.replayed).then_some(location.as_str());
            Ok(answer::made(made.replayed, location, AccountView::from(&made.value)))
        }
        Err(error) => not_made(error, id, None),
    }
}

/// Opens many accounts, each for itself.
#[utoipa::path(
    post,
    path = "/v1/accounts/bulk",
    operation_id = "open_accounts",
    tag = "accounts",
    request_body = NewAccountsBody,
    responses(
        (status = 200, description = "What became of each, in the order of the request.", body = AccountResults),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn open_bulk(
    State(api): State<Api>,
    Extension(context): Extension<RequestContext>,
    bulk: BulkBody,
) -> Result<Json<AccountResults>, Problem> {
    let has_branch = |code| api.engine.has_branch(code);
    let (new, _share) = bulk.read(|body| register_body::new_accounts(body.parse()?, &has_branch));
    let new = new?;
    let answers = api.engine.open_accounts(&new).await;
    let result = |(at, (new, answer)): (usize, (&NewAccount, Result<Made<Account>, RegisterError>))| {
        let (state, account, problem) = registered(Pointer::Item { list: "accounts", at }, answer);
        let problem = problem.map(|problem| problem.body(&context.path, &context.request_id));
        AccountResult { id: new.id, state, account: account.as_ref().map(AccountView::from), problem }
    };
    Ok(Json(AccountResults { results: new.iter().zip(answers).enumerate().map(result).collect() }))
}

/// The accounts that were opened under ids, at whichever branch.
#[utoipa::path(
    post,
    path = "/v1/accounts/find",
    operation_id = "find_accounts",
    tag = "accounts",
    request_body = WantedIdsBody,
    responses(
        (status = 200, description = "What is found, and the branches that could not be asked.", body = FoundAccounts),
        Refused, BodyRefused
    )
)]
pub(crate) async fn find(State(api): State<Api>, body: JsonBody) -> Result<Json<FoundAccounts>, Problem> {
    let ids = register_body::wanted_ids(body.parse()?)?;
    Ok(Json(FoundAccounts::from(&api.engine.find_accounts(&ids).await?)))
}

/// The accounts of a branch, the bank's own among them, newest first.
#[utoipa::path(
    get,
    path = "/v1/accounts",
    operation_id = "list_accounts",
    tag = "accounts",
    params(
        ("branch" = Option<String>, Query, description = "The branch; may be left out beside a cursor.", example = "AZ"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 200; default 50.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before.")
    ),
    responses((status = 200, description = "A page.", body = PageView<AccountView>), Refused, Unavailable)
)]
pub(crate) async fn list(
    State(api): State<Api>,
    parameters: Parameters,
) -> Result<Json<PageView<AccountView>>, Problem> {
    let asked = parameters.branch_list()?;
    let (branch, before) = branch_list(&api.engine, List::Accounts, asked.branch, asked.cursor.as_deref())?;
    let rows = api.engine.accounts(branch, page(asked.limit, before)).await?;
    let (rows, last) = cut(asked.limit, rows, |account| account.number);
    let key = last.and_then(|number| Some(number.key(api.engine.branch_number(branch)?).as_i64()));
    let next_cursor = key.map(|key| cursor::seal(List::Accounts, branch.as_str(), key));
    Ok(Json(PageView { data: rows.iter().map(AccountView::from).collect(), next_cursor }))
}

/// An account with its figures.
#[utoipa::path(
    get,
    path = "/v1/accounts/{number}",
    operation_id = "show_account",
    tag = "accounts",
    params(("number" = String, Path, description = "The account.", example = "AZ93000000001042")),
    responses(
        (status = 200, description = "The account.", body = AccountView),
        (status = 404, description = "`account_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn show(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
) -> Result<Json<AccountView>, Problem> {
    let number = segment.account_number()?;
    parameters.none()?;
    let account = api.engine.account(number).await.map_err(|error| read_problem(error, number))?;
    let account = account.ok_or_else(|| Problem::account_not_found(number))?;
    Ok(Json(AccountView::from(&account)))
}

/// The entries of an account, newest first.
#[utoipa::path(
    get,
    path = "/v1/accounts/{number}/entries",
    operation_id = "list_entries",
    tag = "accounts",
    params(
        ("number" = String, Path, description = "The account.", example = "AZ93000000001042"),
        ("kind" = Option<String>, Query, description = "Only of this kind of transfer.", example = "transfer"),
        ("category" = Option<u16>, Query, description = "Only of this category."),
        ("reference" = Option<String>, Query, description = "Only with exactly this text."),
        ("from" = Option<String>, Query, description = "Only of this instant or later, RFC 3339."),
        ("to" = Option<String>, Query, description = "Only before this instant, RFC 3339."),
        ("amount_min" = Option<String>, Query, description = "Only of so much or more, minor units.", example = "100"),
        ("amount_max" = Option<String>, Query, description = "Only of so much or less, minor units."),
        ("counterparty" = Option<String>, Query, description = "Only with this account on the other side."),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 200; default 50.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before, which carries its filters.")
    ),
    responses(
        (status = 200, description = FILTERED_PAGE, body = PageView<EntryView>),
        (status = 404, description = "`account_not_found`", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, Unavailable
    )
)]
pub(crate) async fn entries(
    State(api): State<Api>,
    segment: Segment,
    parameters: Parameters,
) -> Result<Json<PageView<EntryView>>, Problem> {
    let number = segment.account_number()?;
    let FilteredList { limit, before, filter, carried } =
        filters::entries(&parameters, number, &|code| api.engine.has_branch(code))?;
    let found = if filter.wants_all() {
        let found = api.engine.entries(number, page(limit, before)).await;
        found.map(|found| {
            found.map(|(account, rows)| {
                let (rows, next) = cut(limit, rows, |entry| entry.seq);
                (account, Selection { rows, next })
            })
        })
    } else {
        api.engine.filtered_entries(number, Page { limit, before }, &filter).await
    };
    let found = found.map_err(|error| read_problem(error, number))?;
    let (account, Selection { rows, next }) = found.ok_or_else(|| Problem::account_not_found(number))?;
    let side = account.kind.normal_side();
    let data = rows.iter().map(|entry| EntryView::new(entry, side)).collect();
    Ok(Json(PageView { data, next_cursor: next.map(|seq| cursor::seal(List::Entries, &carried, seq)) }))
}
