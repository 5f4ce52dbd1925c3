//! Customers and accounts: making and opening them.
//!
//! Each request is one statement, so it happens whole or not at all; a repeated request id finds what the first
//! one made.

use crate::rows::{ACCOUNT_COLUMNS, BranchId, RowError, account, customer};
use nostro_core::{Account, AccountKind, AccountNumber, Balance, Currency, Customer, CustomerNumber, Name};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// What a request to make something met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registered<T> {
    /// It was made now.
    Made(T),
    /// The same request had made it.
    Replayed(T),
    /// The request id belongs to a request with other content; the field that differs.
    Conflict(&'static str),
    /// The customer does not exist.
    CustomerNotFound,
}

/// A new account as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct AccountRequest {
    /// The request's id.
    pub id: Uuid,
    /// Whose it will be.
    pub customer: CustomerNumber,
    /// Checking or savings.
    pub kind: AccountKind,
    /// Its currency.
    pub currency: Currency,
    /// How far below zero it may go.
    pub overdraft_limit: Balance,
}

fn base(branch: BranchId) -> i64 {
    i64::from(branch.number.get()) * 1_000_000_000_000
}

/// Makes a customer.
pub async fn create_customer(
    client: &Client,
    branch: BranchId,
    id: Uuid,
    name: &Name,
) -> Result<Registered<Customer>, RowError> {
    if let Some(found) = customer_by_request(client, branch, id, name).await? {
        return Ok(found);
    }
    let inserted = client
        .query_opt(
            "insert into customer (id, request_id, name)
             values ($1 + nextval('customer_serial'), $2, $3)
             on conflict (request_id) do nothing
             returning id, name, created_at",
            &[&base(branch), &id, &name.as_str()],
        )
        .await?;
    match inserted {
        Some(row) => Ok(Registered::Made(customer(&row, branch.code)?)),
        // The same request came in twice at once, and the other one was first.
        None => Ok(customer_by_request(client, branch, id, name).await?.unwrap_or(Registered::Conflict("id"))),
    }
}

async fn customer_by_request(
    client: &Client,
    branch: BranchId,
    id: Uuid,
    name: &Name,
) -> Result<Option<Registered<Customer>>, RowError> {
    let row = client.query_opt("select id, name, created_at from customer where request_id = $1", &[&id]).await?;
    let Some(row) = row else { return Ok(None) };
    let found = customer(&row, branch.code)?;
    Ok(Some(if found.name == *name { Registered::Replayed(found) } else { Registered::Conflict("name") }))
}

/// Opens a customer's account, and the branch's cash account of the currency when it is the first of it.
pub async fn open_account(
    client: &Client,
    branch: BranchId,
    new: &AccountRequest,
) -> Result<Registered<Account>, RowError> {
    if let Some(found) = account_by_request(client, branch, new).await? {
        return Ok(found);
    }
    let inserted = client
        .query_opt(
            &format!(
                "with cash as (
                   insert into account (id, kind, currency)
                   values ($1, 'cash', $6::text)
                   on conflict (id) do nothing
                 )
                 insert into account (id, request_id, customer, kind, currency, overdraft_limit)
                 values ($2 + nextval('account_serial'), $3, $4, $5, $6::text, $7)
                 on conflict (request_id) do nothing
                 returning {ACCOUNT_COLUMNS}"
            ),
            &[
                &AccountNumber::cash(branch.code, new.currency).key(branch.number).as_i64(),
                &base(branch),
                &new.id,
                &new.customer.key(branch.number).as_i64(),
                &new.kind.as_str(),
                &new.currency.code(),
                &new.overdraft_limit.minor_units(),
            ],
        )
        .await;
    match inserted {
        Ok(Some(row)) => Ok(Registered::Made(account(&row, branch.code)?)),
        Ok(None) => Ok(account_by_request(client, branch, new).await?.unwrap_or(Registered::Conflict("id"))),
        Err(error) if violates(&error, &SqlState::FOREIGN_KEY_VIOLATION, "account_customer_fkey") => {
            Ok(Registered::CustomerNotFound)
        }
        Err(error) => Err(error.into()),
    }
}

async fn account_by_request(
    client: &Client,
    branch: BranchId,
    new: &AccountRequest,
) -> Result<Option<Registered<Account>>, RowError> {
    let statement = format!("select {ACCOUNT_COLUMNS} from account where request_id = $1");
    let Some(row) = client.query_opt(&statement, &[&new.id]).await? else { return Ok(None) };
    let found = account(&row, branch.code)?;
    let differs = [
        (found.customer != Some(new.customer), "customer"),
        (found.kind != new.kind, "kind"),
        (found.currency != new.currency, "currency"),
        (found.overdraft_limit != new.overdraft_limit, "overdraft_limit"),
    ];
    let field = differs.into_iter().find_map(|(differs, field)| differs.then_some(field));
    Ok(Some(field.map_or(Registered::Replayed(found), Registered::Conflict)))
}

fn violates(error: &Error, code: &SqlState, constraint: &str) -> bool {
    error.as_db_error().is_some_and(|error| error.code() == code && error.constraint() == Some(constraint))
}
