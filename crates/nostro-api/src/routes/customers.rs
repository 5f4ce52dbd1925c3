//! Customers of a branch.

use crate::answer;
use crate::body::JsonBody;
use crate::bulk_intake::BulkBody;
use crate::cursor::{self, List};
use crate::fields::Pointer;
use crate::openapi::{BodyRefused, Refused, Unavailable};
use crate::parameters::Parameters;
use crate::problem::{Problem, ProblemBody};
use crate::register_body::{self, NewCustomerBody, NewCustomersBody, WantedIdsBody};
use crate::request_context::RequestContext;
use crate::router::Api;
use crate::routes::{branch_list, cut, not_made, page, registered};
use crate::view::PageView;
use crate::view::account::CustomerView;
use crate::view::registered::{CustomerResult, CustomerResults, FoundCustomers, UnknownRequest};
use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use nostro_core::Customer;
use nostro_engine::{Made, NewCustomer, RegisterError};

/// Makes a customer.
#[utoipa::path(
    post,
    path = "/v1/customers",
    operation_id = "create_customer",
    tag = "customers",
    request_body = NewCustomerBody,
    responses(
        (status = 201, description = "Made.", body = CustomerView),
        (status = 200, description = "Made by an earlier request with the same id.", body = CustomerView,
            headers(("Idempotent-Replayed" = String, description = "`true`"))),
        (status = 202, description = "`unknown`: the branch did not answer, so it is not known whether it was made; send the \
            same id again.", body = UnknownRequest),
        (status = 409, description = "`id_conflict`: the id was used with other content.", body = ProblemBody,
            content_type = "application/problem+json"),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn create(State(api): State<Api>, body: JsonBody) -> Result<Response, Problem> {
    let new = register_body::new_customer(body.parse()?, &|code| api.engine.has_branch(code))?;
    let id = new.id;
    match api.engine.create_customer(new).await {
        Ok(made) => Ok(answer::made(made.replayed, None, CustomerView::from(&made.value))),
        Err(error) => not_made(error, id, None),
    }
}

/// Makes many customers, each for itself.
#[utoipa::path(
    post,
    path = "/v1/customers/bulk",
    operation_id = "create_customers",
    tag = "customers",
    request_body = NewCustomersBody,
    responses(
        (status = 200, description = "What became of each, in the order of the request.", body = CustomerResults),
        Refused, BodyRefused, Unavailable
    )
)]
pub(crate) async fn create_bulk(
    State(api): State<Api>,
    Extension(context): Extension<RequestContext>,
    bulk: BulkBody,
) -> Result<Json<CustomerResults>, Problem> {
    let has_branch = |code| api.engine.has_branch(code);
    let (new, _share) = bulk.read(|body| register_body::new_customers(body.parse()?, &has_branch));
    let new = new?;
    let answers = api.engine.create_customers(&new).await;
    let result = |(at, (new, answer)): (usize, (&NewCustomer, Result<Made<Customer>, RegisterError>))| {
        let (state, customer, problem) = registered(Pointer::Item { list: "customers", at }, answer);
        let problem = problem.map(|problem| problem.body(&context.path, &context.request_id));
        CustomerResult { id: new.id, state, customer: customer.as_ref().map(CustomerView::from), problem }
    };
    Ok(Json(CustomerResults { results: new.iter().zip(answers).enumerate().map(result).collect() }))
}

/// The customers that were made under ids, at whichever branch.
#[utoipa::path(
    post,
    path = "/v1/customers/find",
    operation_id = "find_customers",
    tag = "customers",
    request_body = WantedIdsBody,
    responses(
        (status = 200, description = "What is found, and the branches that could not be asked.", body = FoundCustomers),
        Refused, BodyRefused
    )
)]
pub(crate) async fn find(State(api): State<Api>, body: JsonBody) -> Result<Json<FoundCustomers>, Problem> {
    let ids = register_body::wanted_ids(body.parse()?)?;
    Ok(Json(FoundCustomers::from(&api.engine.find_customers(&ids).await?)))
}

/// The customers of a branch, newest first.
#[utoipa::path(
    get,
    path = "/v1/customers",
    operation_id = "list_customers",
    tag = "customers",
    params(
        ("branch" = Option<String>, Query, description = "The branch; may be left out beside a cursor.", example = "AZ"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 200; default 50.", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before.")
    ),
    responses((status = 200, description = "A page.", body = PageView<CustomerView>), Refused, Unavailable)
)]
pub(crate) async fn list(
    State(api): State<Api>,
    parameters: Parameters,
) -> Result<Json<PageView<CustomerView>>, Problem> {
    let asked = parameters.branch_list()?;
    let (branch, before) = branch_list(&api.engine, List::Customers, asked.branch, asked.cursor.as_deref())?;
    let rows = api.engine.customers(branch, page(asked.limit, before)).await?;
    let (rows, last) = cut(asked.limit, rows, |customer| customer.number);
    let key = last.and_then(|number| Some(number.key(api.engine.branch_number(branch)?).as_i64()));
    let next_cursor = key.map(|key| cursor::seal(List::Customers, branch.as_str(), key));
    Ok(Json(PageView { data: rows.iter().map(CustomerView::from).collect(), next_cursor }))
}
