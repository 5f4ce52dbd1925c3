//! The calls that move or reserve money. Whatever comes of them, a lost answer is [`ClientError::Unknown`].

use super::{Client, Page, outcome, query};
use crate::items::{self, ItemOutcome};
use crate::outcome::{ClientError, Outcome};
use crate::request::{
    Bulk, BulkOperation, BulkOrder, CaptureRequest, CashRequest, HoldRequest, MultiLegRequest, ReleaseRequest,
    ReversalRequest, TransferRequest,
};
use crate::view::{BulkItem, BulkResults, MultiLegTransfer, Transfer};
use nostro_core::BranchCode;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

impl Client {
    /// Moves money from account to account.
    pub async fn transfer(&self, request: &TransferRequest) -> Result<Outcome, ClientError> {
        self.moved("/v1/transfers", request.id, None, request).await
    }

    /// Many transfers, each for itself; results in the order of the request.
    pub async fn transfers_bulk(&self, transfers: &[TransferRequest]) -> Result<Vec<BulkItem>, ClientError> {
        self.moved_together(transfers, false).await
    }

    /// Whatever moves or reserves money, each by itself or linked to a chain; results in the order of the request.
    pub async fn bulk(&self, transfers: &[BulkOrder]) -> Result<Vec<BulkItem>, ClientError> {
        self.moved_together(transfers, false).await
    }

    /// All of them or none; results in the order of the request.
    pub async fn atomic_bulk(&self, transfers: &[BulkOrder]) -> Result<Vec<BulkItem>, ClientError> {
        self.moved_together(transfers, true).await
    }

    /// One account pays many, or many pay one: all legs or none.
    pub async fn multi_leg(&self, request: &MultiLegRequest) -> Result<Outcome<MultiLegTransfer>, ClientError> {
        self.moved("/v1/transfers/multi-leg", request.id, None, request).await
    }

    /// Takes cash in.
    pub async fn deposit(&self, request: &CashRequest) -> Result<Outcome, ClientError> {
        self.moved("/v1/deposits", request.id, None, request).await
    }

    /// Takes much cash in, each deposit for itself; outcomes in the order of the request.
    pub async fn deposits(&self, requests: &[CashRequest]) -> Result<Vec<ItemOutcome<Transfer>>, ClientError> {
        let orders: Vec<BulkOrder> =
            requests.iter().map(|request| BulkOperation::Deposit(request.clone()).into()).collect();
        let results = self.moved_together(&orders, false).await?;
        items::moved(requests.iter().map(|request| request.id), results)
    }

    /// Pays cash out.
    pub async fn withdraw(&self, request: &CashRequest) -> Result<Outcome, ClientError> {
        self.moved("/v1/withdrawals", request.id, None, request).await
    }

    /// Moves money of a transfer back. `branch` is one of its branches; without it all are asked.
    pub async fn reverse(
        &self,
        original: Uuid,
        branch: Option<BranchCode>,
        request: &ReversalRequest,
    ) -> Result<Outcome, ClientError> {
        self.moved(&format!("/v1/transfers/{original}/reversals"), request.id, branch, request).await
    }

    /// Reserves money at an account.
    pub async fn place_hold(&self, request: &HoldRequest) -> Result<Outcome, ClientError> {
        self.moved("/v1/holds", request.id, None, request).await
    }

    /// Moves money out of a hold. `branch` is that of its debit account; without it all branches are asked.
    pub async fn capture_hold(
        &self,
        hold: Uuid,
        branch: Option<BranchCode>,
        request: &CaptureRequest,
    ) -> Result<Outcome, ClientError> {
        self.moved(&format!("/v1/holds/{hold}/captures"), request.id, branch, request).await
    }

    /// Gives back what is left of a hold. `branch` is that of its debit account; without it all branches are asked.
    pub async fn release_hold(
        &self,
        hold: Uuid,
        branch: Option<BranchCode>,
        request: &ReleaseRequest,
    ) -> Result<Outcome, ClientError> {
        self.moved(&format!("/v1/holds/{hold}/releases"), request.id, branch, request).await
    }

    async fn moved<T: DeserializeOwned>(
        &self,
        path: &str,
        id: Uuid,
        branch: Option<BranchCode>,
        body: &impl Serialize,
    ) -> Result<Outcome<T>, ClientError> {
        let sent = self.request(Method::POST, path).query(&query(branch, &Page::default())).json(body);
        outcome(id, &self.send(sent).await?)
    }

    async fn moved_together<T: Serialize>(&self, transfers: &[T], atomic: bool) -> Result<Vec<BulkItem>, ClientError> {
        let results: BulkResults = self.post("/v1/transfers/bulk", &Bulk { transfers, atomic }).await?;
        Ok(results.results)
    }
}
