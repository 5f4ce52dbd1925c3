//! One method for each route; those that move or reserve money are in `moving`.
//!
//! The timeout of a request is longer than the server's own waits, so that the server's answer, even "unknown",
//! comes first. Nothing is sent twice from here, redirects are not followed, and no proxy is taken from the
//! environment: a key goes to the address that was named and nowhere else.

mod moving;

use crate::filter::{EntryFilter, HoldFilter};
use crate::full_audit::{FullAudit, NewAudit};
use crate::items::{self, ItemOutcome, RegisteredResults};
use crate::outcome::{ClientError, Outcome, UnknownCause};
use crate::request::{Accounts, ChangeRequest, Close, Customers, NewAccount, NewCustomer, WantedIds};
use crate::statement::{BalanceAt, Statement};
use crate::statement_csv::{CSV_WAIT_MAX, StatementCsv};
use crate::trial_balance::TrialBalance;
use crate::view::{
    Account, AccountChange, AuditReport, Branch, Customer, Entry, Found, Hold, InDoubtList, Listing, Problem, Resolved,
    Transfer,
};
use nostro_core::{AccountNumber, BranchCode, Timestamp};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// A server that is there accepts at once.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longer than any wait of the server's own.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
/// Where a 503 forgets its Retry-After.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);
const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";

/// Which page of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Rows, 1 to 200; the server's default when absent.
    pub limit: Option<u16>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A client of one server, with one key. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    key: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// A status and a body, read to its end.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// For the server at `base_url`, such as `http://127.0.0.1:8000`. Connects when first used.
    pub fn new(base_url: &str, key: &str) -> Self {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WAIT_MAX)
            .timeout(ANSWER_WAIT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("without TLS and proxies nothing of a client can fail to build");
        Self { http, base_url: base_url.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    /// Where the server is.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The branches and how each is.
    pub async fn branches(&self) -> Result<Vec<Branch>, ClientError> {
        self.get::<Listing<Branch>>("/v1/branches", &[]).await.map(|listing| listing.data)
    }

    /// The customers of a branch, newest first.
    pub async fn customers(&self, branch: BranchCode, page: &Page) -> Result<Listing<Customer>, ClientError> {
        self.get("/v1/customers", &query(Some(branch), page)).await
    }

    /// Makes a customer.
    pub async fn create_customer(&self, new: &NewCustomer) -> Result<Customer, ClientError> {
        self.make("/v1/customers", new).await
    }

    /// Makes many customers, each for itself; outcomes in the order of the request.
    pub async fn create_customers(&self, new: &[NewCustomer]) -> Result<Vec<ItemOutcome<Customer>>, ClientError> {
        let read: RegisteredResults<Customer> = self.post("/v1/customers/bulk", &Customers { customers: new }).await?;
        items::registered(new.iter().map(|new| new.id), read.results)
    }

    /// The customers that were made under ids, at most 1,000 of them, at whichever branch.
    pub async fn find_customers(&self, ids: &[Uuid]) -> Result<Found<Customer>, ClientError> {
        self.post("/v1/customers/find", &WantedIds { ids }).await
    }

    /// The accounts of a branch, newest first.
    pub async fn accounts(&self, branch: BranchCode, page: &Page) -> Result<Listing<Account>, ClientError> {
        self.get("/v1/accounts", &query(Some(branch), page)).await
    }

    /// An account with its figures.
    pub async fn account(&self, number: AccountNumber) -> Result<Account, ClientError> {
        self.get(&format!("/v1/accounts/{number}"), &[]).await
    }

    /// Opens an account.
    pub async fn open_account(&self, new: &NewAccount) -> Result<Account, ClientError> {
        self.make("/v1/accounts", new).await
    }

    /// Opens many accounts, each for itself; outcomes in the order of the request.
    pub async fn open_accounts(&self, new: &[NewAccount]) -> Result<Vec<ItemOutcome<Account>>, ClientError> {
        let read: RegisteredResults<Account> = self.post("/v1/accounts/bulk", &Accounts { accounts: new }).await?;
        items::registered(new.iter().map(|new| new.id), read.results)
    }

    /// The accounts that were opened under ids, at most 1,000 of them, at whichever branch.
    pub async fn find_accounts(&self, ids: &[Uuid]) -> Result<Found<Account>, ClientError> {
        self.post("/v1/accounts/find", &WantedIds { ids }).await
    }

    /// Closes an account; `id` is the idempotency key.
    pub async fn close_account(
        &self,
        id: Uuid,
        number: AccountNumber,
        reason: Option<String>,
    ) -> Result<Account, ClientError> {
        self.make(&format!("/v1/accounts/{number}/close"), &Close { id, reason }).await
    }

    /// Changes the limits or the state of an account.
    pub async fn change_account(&self, number: AccountNumber, change: &ChangeRequest) -> Result<Account, ClientError> {
        self.make(&format!("/v1/accounts/{number}/changes"), change).await
    }

    /// What was changed of an account, newest first.
    pub async fn account_changes(
        &self,
        number: AccountNumber,
        page: &Page,
    ) -> Result<Listing<AccountChange>, ClientError> {
        self.get(&format!("/v1/accounts/{number}/changes"), &query(None, page)).await
    }

    /// The entries of an account, newest first.
    pub async fn entries(&self, number: AccountNumber, page: &Page) -> Result<Listing<Entry>, ClientError> {
        self.get(&format!("/v1/accounts/{number}/entries"), &query(None, page)).await
    }

    /// Those of an account's entries that a filter selects, newest first. A page may be shorter than its limit, or empty,
    /// and not the last: go on until `next_cursor` is absent. The filter is the same on every page.
    pub async fn filtered_entries(
        &self,
        number: AccountNumber,
        filter: &EntryFilter,
        page: &Page,
    ) -> Result<Listing<Entry>, ClientError> {
        let query: Vec<_> = filter.query().into_iter().chain(query(None, page)).collect();
        self.get(&format!("/v1/accounts/{number}/entries"), &query).await
    }

    /// An account's balance at a past instant, which never changes; or as it stands now, which is not final.
    pub async fn balance(&self, number: AccountNumber, at: Option<Timestamp>) -> Result<BalanceAt, ClientError> {
        let query: Vec<_> = at.map(|at| ("at", at.to_string())).into_iter().collect();
        self.get(&format!("/v1/accounts/{number}/balance"), &query).await
    }

    /// The period of an account from one instant on and before another, oldest first, in pages. The period's figures
    /// are on the first.
    pub async fn statement(
        &self,
        number: AccountNumber,
        from: Timestamp,
        to: Timestamp,
        page: &Page,
    ) -> Result<Statement, ClientError> {
        let period = [("from", from.to_string()), ("to", to.to_string()), ("format", "json".to_owned())];
        let query: Vec<_> = period.into_iter().chain(query(None, page)).collect();
        self.get(&format!("/v1/accounts/{number}/statement"), &query).await
    }

    /// The same as CSV, as it comes in.
    pub async fn statement_csv(
        &self,
        number: AccountNumber,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<StatementCsv, ClientError> {
        let query = [("from", from.to_string()), ("to", to.to_string()), ("format", "csv".to_owned())];
        let request = self.request(Method::GET, &format!("/v1/accounts/{number}/statement"));
        let response = begun(request.query(&query).timeout(CSV_WAIT_MAX).send().await)?;
        if response.status().is_success() {
            return Ok(StatementCsv::new(response));
        }
        Err(rejection(&whole(response).await?))
    }

    /// A hold as it stands, from one branch or from all.
    pub async fn hold(&self, id: Uuid, branch: Option<BranchCode>) -> Result<Hold, ClientError> {
        self.get(&format!("/v1/holds/{id}"), &query(branch, &Page::default())).await
    }

    /// The holds at an account, newest first.
    pub async fn holds(&self, number: AccountNumber, page: &Page) -> Result<Listing<Hold>, ClientError> {
        self.get(&format!("/v1/accounts/{number}/holds"), &query(None, page)).await
    }

    /// Those of the holds at an account that a filter selects, newest first. Pages are as of
    /// [`Self::filtered_entries`].
    pub async fn filtered_holds(
        &self,
        number: AccountNumber,
        filter: &HoldFilter,
        page: &Page,
    ) -> Result<Listing<Hold>, ClientError> {
        let query: Vec<_> = filter.query().into_iter().chain(query(None, page)).collect();
        self.get(&format!("/v1/accounts/{number}/holds"), &query).await
    }

    /// A recorded transfer, from one branch or from all. That none is found is no proof that none will be posted.
    pub async fn transfer_by_id(&self, id: Uuid, branch: Option<BranchCode>) -> Result<Transfer, ClientError> {
        self.get(&format!("/v1/transfers/{id}"), &query(branch, &Page::default())).await
    }

    /// Prepared transactions that wait for their decision.
    pub async fn in_doubt(&self) -> Result<InDoubtList, ClientError> {
        self.get("/v1/in-doubt", &[]).await
    }

    /// Settles a batch in doubt, such as `AZ-1-4711`, as recovery does. It may be asked again at any time.
    pub async fn resolve_in_doubt(&self, batch: &str) -> Result<Resolved, ClientError> {
        content(&self.send(self.request(Method::POST, &format!("/v1/in-doubt/{batch}/resolve"))).await?)
    }

    /// Adds up all accounts of all branches.
    pub async fn audit(&self) -> Result<AuditReport, ClientError> {
        self.get("/v1/audit", &[]).await
    }

    /// Begins a full audit, or finds the one that was begun under this id; `from_scratch` as it was then.
    pub async fn start_audit(&self, id: Uuid, from_scratch: bool) -> Result<FullAudit, ClientError> {
        self.post("/v1/audits", &NewAudit { id, from_scratch }).await
    }

    /// A full audit: how far it is, or what it came to.
    pub async fn full_audit(&self, id: Uuid) -> Result<FullAudit, ClientError> {
        self.get(&format!("/v1/audits/{id}"), &[]).await
    }

    /// Debits and credits by branch, currency and kind of account.
    pub async fn trial_balance(&self) -> Result<TrialBalance, ClientError> {
        self.get("/v1/reports/trial-balance", &[]).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, ClientError> {
        content(&self.send(self.request(Method::GET, path).query(query)).await?)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        content(&self.send(self.request(Method::POST, path).json(body)).await?)
    }

    /// Posts what makes or changes something else than money; the server may not know whether it did.
    async fn make<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        made(&self.send(self.request(Method::POST, path).json(body)).await?)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base_url)).bearer_auth(&self.key)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, ClientError> {
        whole(begun(request.send().await)?).await
    }
}

/// An answer that has begun, or why there is none.
fn begun(sent: Result<Response, reqwest::Error>) -> Result<Response, ClientError> {
    sent.map_err(|error| {
        // Neither a refused connection nor a request that could not be built has left this machine.
        if error.is_connect() || error.is_builder() { ClientError::Connect { source: error } } else { lost(error) }
    })
}

/// An answer read to its end.
async fn whole(response: Response) -> Result<Reply, ClientError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(lost)?;
    Ok(Reply { status, headers, body: body.to_vec() })
}

fn query(branch: Option<BranchCode>, page: &Page) -> Vec<(&'static str, String)> {
    let branch = branch.map(|branch| ("branch", branch.to_string()));
    let limit = page.limit.map(|limit| ("limit", limit.to_string()));
    let cursor = page.cursor.clone().map(|cursor| ("cursor", cursor));
    branch.into_iter().chain(limit).chain(cursor).collect()
}

pub(crate) fn lost(error: reqwest::Error) -> ClientError {
    ClientError::Unknown { source: UnknownCause::Transport(error) }
}

/// The body of a 2xx, or why there is none.
fn content<T: DeserializeOwned>(reply: &Reply) -> Result<T, ClientError> {
    if reply.status.is_success() { read(&reply.body) } else { Err(rejection(reply)) }
}

/// The same of a request that makes or changes something: 202 says that it is not known whether it did.
fn made<T: DeserializeOwned>(reply: &Reply) -> Result<T, ClientError> {
    if reply.status == StatusCode::ACCEPTED {
        return Err(ClientError::Unknown { source: UnknownCause::Told });
    }
    content(reply)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Unknown { source: UnknownCause::Body(error) })
}

/// What the answer to a request to move money says.
fn outcome<T: DeserializeOwned>(id: Uuid, reply: &Reply) -> Result<Outcome<T>, ClientError> {
    let replayed = reply.headers.contains_key(IDEMPOTENT_REPLAYED);
    match reply.status.as_u16() {
        200 | 201 => Ok(Outcome::Posted { transfer: read(&reply.body)?, replayed }),
        202 => {
            #[derive(serde::Deserialize)]
            struct Accepted {
                state: String,
            }
            let accepted: Accepted = read(&reply.body)?;
            if accepted.state == "settling" {
                Ok(Outcome::Settling(read(&reply.body)?))
            } else {
                Ok(Outcome::Unknown { id })
            }
        }
        409 => Ok(Outcome::Conflict(read(&reply.body)?)),
        422 => Ok(Outcome::Refused { problem: read(&reply.body)?, replayed }),
        503 => match problem(reply) {
            Some(problem) => Ok(Outcome::Unavailable { problem, retry_after: retry_after(&reply.headers) }),
            // A 503 that is not ours comes from something between, and says nothing about the server.
            None => Err(unreliable(reply)),
        },
        _ => Err(rejection(reply)),
    }
}

/// An answer that is not the one hoped for.
fn rejection(reply: &Reply) -> ClientError {
    let Some(problem) = problem(reply) else {
        return unreliable(reply);
    };
    if reply.status == StatusCode::SERVICE_UNAVAILABLE {
        return ClientError::Unavailable { problem, retry_after: retry_after(&reply.headers) };
    }
    if reply.status.is_client_error() { ClientError::Rejected(problem) } else { unreliable(reply) }
}

fn unreliable(reply: &Reply) -> ClientError {
    let source = UnknownCause::Status { status: reply.status.as_u16(), problem: problem(reply) };
    ClientError::Unknown { source }
}

fn problem(reply: &Reply) -> Option<Box<Problem>> {
    serde_json::from_slice(&reply.body).ok()
}

fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(RETRY_AFTER_DEFAULT, Duration::from_secs)
}

#[cfg(test)]
mod tests;
