//! Customers and accounts: making and opening them.
//!
//! Many are made by one statement, so that all of them happen or none, and one is the case of a single item. A
//! repeated request id finds what the first one made. Rows are inserted in the order of their request ids, whatever
//! the order in which they are asked for: of two statements with ids in common one waits for the other, never each
//! for the other. Numbers are drawn in the order of the request.

use crate::rows::{ACCOUNT_COLUMNS, BranchId, RowError, account, balance, customer};
use nostro_core::account_number::KEY_BASE;
use nostro_core::{Account, AccountKind, AccountNumber, Balance, Currency, Customer, CustomerNumber, Name};
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::{Client, Row};
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

/// A new customer as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct CustomerRequest<'a> {
    /// The request's id.
    pub id: Uuid,
    /// The customer's name.
    pub name: &'a Name,
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
    i64::from(branch.number.get()) * KEY_BASE
}

/// What is there under the ids of a request, each with whether this statement made it.
type Found<T> = HashMap<Uuid, (T, bool)>;

/// Makes customers; what each request met, in their order.
pub async fn create_customers(
    client: &Client,
    branch: BranchId,
    requests: &[CustomerRequest<'_>],
) -> Result<Vec<Registered<Customer>>, RowError> {
    let (ids, names): (Vec<Uuid>, Vec<&str>) =
        requests.iter().map(|request| (request.id, request.name.as_str())).unzip();
    let rows = client
        .query(
            "with numbered as (
               select $1 + nextval('customer_serial') as id, w.request_id, w.name, w.place
               from unnest($2::uuid[], $3::text[]) with ordinality as w (request_id, name, place)
               where not exists (select from customer c where c.request_id = w.request_id)
               order by w.place
             ), made as (
               insert into customer (id, request_id, name)
               select id, request_id, name
               from numbered
               order by request_id, place
               on conflict (request_id) do nothing
               returning *
             )
             select id, name, created_at, request_id, true
             from made
             union all
             select id, name, created_at, request_id, false
             from customer
             where request_id = any($2)",
            &[&base(branch), &ids, &names],
        )
        .await?;
    let read = |row: &Row| -> Result<(Uuid, (Customer, bool)), RowError> {
        Ok((row.try_get(3)?, (customer(row, branch.code)?, row.try_get(4)?)))
    };
    let mut found: Found<Customer> = rows.iter().map(read).collect::<Result<_, RowError>>()?;
    let absent = absent(&ids, &found);
    if !absent.is_empty() {
        // The same requests came in twice at once, and the other ones were first.
        let statement = "select id, name, created_at, request_id, false from customer where request_id = any($1)";
        let rows = client.query(statement, &[&absent]).await?;
        found.extend(rows.iter().map(read).collect::<Result<Vec<_>, RowError>>()?);
    }
    let met = requests.iter().map(|request| {
        let differs = |found: &Customer| (found.name != *request.name).then_some("name");
        meet(&mut found, request.id, differs).unwrap_or(Registered::Conflict("id"))
    });
    Ok(met.collect())
}

/// Opens customers' accounts, and the branch's cash account of each currency that is the first of its kind; what each
/// request met, in their order.
pub async fn open_accounts(
    client: &Client,
    branch: BranchId,
    requests: &[AccountRequest],
) -> Result<Vec<Registered<Account>>, RowError> {
    let ids: Vec<Uuid> = requests.iter().map(|new| new.id).collect();
    let customers: Vec<i64> = requests.iter().map(|new| new.customer.key(branch.number).as_i64()).collect();
    let kinds: Vec<&str> = requests.iter().map(|new| new.kind.as_str()).collect();
    let currencies: Vec<&str> = requests.iter().map(|new| new.currency.code()).collect();
    let limits: Vec<i64> = requests.iter().map(|new| new.overdraft_limit.minor_units()).collect();
    let cash = |currency: Currency| AccountNumber::cash(branch.code, currency).key(branch.number).as_i64();
    let cash: BTreeMap<i64, &str> = requests.iter().map(|new| (cash(new.currency), new.currency.code())).collect();
    let (cash_ids, cash_currencies): (Vec<i64>, Vec<&str>) = cash.into_iter().unzip();
    let statement = format!(
        "with numbered as (
           select $1 + nextval('account_serial') as id, w.*
           from unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[]) with ordinality
             as w (request_id, customer, kind, currency, overdraft_limit, place)
           join customer c on c.id = w.customer
           where not exists (select from account a where a.request_id = w.request_id)
           order by w.place
         ), made as (
           insert into account (id, request_id, customer, kind, currency, overdraft_limit, opened_limit)
           select id, request_id, customer, kind, currency, overdraft_limit, overdraft_limit
           from numbered
           order by request_id, place
           on conflict (request_id) do nothing
           returning *
         ), cash as (
           insert into account (id, kind, currency)
           select w.id, 'cash', w.currency
           from unnest($7::bigint[], $8::text[]) as w (id, currency)
           where w.currency in (select currency from made)
           order by w.id
           on conflict (id) do nothing
         )
         select {ACCOUNT_COLUMNS}, opened_limit, request_id, true
         from made
         union all
         select {ACCOUNT_COLUMNS}, opened_limit, request_id, false
         from account
         where request_id = any($2)"
    );
    let rows = client
        .query(
            &statement,
            &[&base(branch), &ids, &customers, &kinds, &currencies, &limits, &cash_ids, &cash_currencies],
        )
        .await?;
    let read = |row: &Row| -> Result<(Uuid, (Opened, bool)), RowError> {
        let behind = row.len() - 3;
        let opened = Opened { account: account(row, branch.code)?, limit: balance(row, behind)? };
        Ok((row.try_get(behind + 1)?, (opened, row.try_get(behind + 2)?)))
    };
    let mut found: Found<Opened> = rows.iter().map(read).collect::<Result<_, RowError>>()?;
    let absent = absent(&ids, &found);
    if !absent.is_empty() {
        // Their customers do not exist, or the same requests came in twice at once and the other ones were first.
        let statement = format!(
            "select {ACCOUNT_COLUMNS}, opened_limit, request_id, false from account where request_id = any($1)"
        );
        let rows = client.query(&statement, &[&absent]).await?;
        found.extend(rows.iter().map(read).collect::<Result<Vec<_>, RowError>>()?);
    }
    let met = requests.iter().map(|request| {
        meet(&mut found, request.id, |opened| account_differs(request, opened))
            .map_or(Registered::CustomerNotFound, |met| met.map(|opened| opened.account))
    });
    Ok(met.collect())
}

/// An account, and the overdraft limit that it was opened with, which may have been changed since.
#[derive(Clone)]
struct Opened {
    account: Account,
    limit: Balance,
}

impl<T> Registered<T> {
    fn map<U>(self, told: impl FnOnce(T) -> U) -> Registered<U> {
        match self {
            Self::Made(value) => Registered::Made(told(value)),
            Self::Replayed(value) => Registered::Replayed(told(value)),
            Self::Conflict(field) => Registered::Conflict(field),
            Self::CustomerNotFound => Registered::CustomerNotFound,
        }
    }
}

/// The ids under which nothing was found.
fn absent<T>(ids: &[Uuid], found: &Found<T>) -> Vec<Uuid> {
    ids.iter().copied().filter(|id| !found.contains_key(id)).collect()
}

/// What a request met under its id; `None` if there is nothing. Of two requests with one id the first made it.
fn meet<T: Clone>(
    found: &mut Found<T>,
    id: Uuid,
    differs: impl Fn(&T) -> Option<&'static str>,
) -> Option<Registered<T>> {
    let (value, is_made) = found.get_mut(&id)?;
    Some(match differs(value) {
        Some(field) => Registered::Conflict(field),
        None if std::mem::take(is_made) => Registered::Made(value.clone()),
        None => Registered::Replayed(value.clone()),
    })
}

/// The first field in which an account was not opened as is asked for.
fn account_differs(new: &AccountRequest, opened: &Opened) -> Option<&'static str> {
    let Opened { account: found, limit } = opened;
    let differs = [
        (found.customer != Some(new.customer), "customer"),
        (found.kind != new.kind, "kind"),
        (found.currency != new.currency, "currency"),
        (*limit != new.overdraft_limit, "overdraft_limit"),
    ];
    differs.into_iter().find_map(|(differs, field)| differs.then_some(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What requests (an id and a content) meet, where the statement left these under the ids.
    fn met(
        found: &[(u128, &'static str, bool)],
        requests: &[(u128, &'static str)],
    ) -> Vec<Option<Registered<&'static str>>> {
        let row = |(id, content, is_made): &(u128, &'static str, bool)| (Uuid::from_u128(*id), (*content, *is_made));
        let mut found: Found<&'static str> = found.iter().map(row).collect();
        let requests = requests.iter();
        let met = requests
            .map(|(id, content)| meet(&mut found, Uuid::from_u128(*id), |value| (value != content).then_some("name")));
        met.collect()
    }

    #[test]
    fn each_request_meets_what_is_under_its_id() {
        let found = [(1, "new", true), (2, "old", false)];
        assert_eq!(
            met(&found, &[(1, "new"), (2, "old"), (2, "other"), (3, "absent")]),
            [
                Some(Registered::Made("new")),
                Some(Registered::Replayed("old")),
                Some(Registered::Conflict("name")),
                None
            ]
        );
    }

    #[test]
    fn of_one_id_twice_in_a_request_the_first_made_it() {
        let made = Some(Registered::Made("new"));
        assert_eq!(
            met(&[(1, "new", true)], &[(1, "new"), (1, "new")]),
            [made.clone(), Some(Registered::Replayed("new"))]
        );
        assert_eq!(met(&[(1, "new", true)], &[(1, "new"), (1, "other")]), [made, Some(Registered::Conflict("name"))]);
    }
}
