//! The handle of the engine: what the API calls.

use crate::answer::{Answer, Receipt};
use crate::bank::Bank;
use crate::config::EngineConfig;
use crate::health::{BranchStatus, InDoubtList, ResolveError, Resolved};
use crate::in_flight::InFlight;
use crate::intake::{Intake, Order};
use crate::lane::Lanes;
use crate::lookups::Lookups;
use crate::past::{self, BalanceAt, PastError, Statement};
use crate::reading::{LookedUp, Names};
use crate::register::{Made, MadeUnder, NewAccount, NewCustomer, Page, ReadError, RegisterError};
use crate::selection::{self, Selection};
use crate::watch::{self, Recovering};
use crate::{
    StartAuditError, StartedAudit, account_changes, audit, expiries, full_audit, in_doubt, periods, positions, reading,
    registry,
};
use nostro_commit::recovery::Sweeper;
use nostro_commit::{BatchId, ConnectError};
use nostro_core::audit::AuditReport;
use nostro_core::trial_balance::TrialBalance;
use nostro_core::{
    Account, AccountNumber, Balance, BranchCode, BranchNumber, ChangeRecord, Customer, Entry, EntryFilter, Hold,
    HoldFilter, Timestamp, Transfer, TransferId,
};
use nostro_store::account_change::ChangeRequest;
use nostro_store::audits::FullAudit;
use nostro_store::past::{LineRange, Sums};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// A handle; clones share one engine.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bank: Arc<Bank>,
    lanes: Arc<Lanes>,
    intake: Intake,
    lookups: Lookups,
    stop: tokio::sync::watch::Sender<bool>,
}

/// A recorded transfer, and whether every branch of its batch has finished.
#[derive(Clone, Debug)]
pub struct Found {
    /// The transfer, its batch, and the sides that could be read.
    pub receipt: Receipt,
    /// Whether every branch that it touches shows it.
    pub settled: bool,
    /// How much of it has gone back so far, in minor units, zero or more. `None` of what moved no money that may go back, and
    /// where the branch of the account that was paid was not read, which alone knows it.
    pub reversed: Option<Balance>,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no branch.
    #[error("a bank has at least one branch: none is configured")]
    NoBranch,
    /// Two branches have one code or one number.
    #[error("two branches are configured with the code or the number of {0}")]
    Twice(BranchCode),
    /// A branch answers, but is not what is configured.
    #[error("branch {0} cannot be used")]
    Branch(BranchCode, #[source] ConnectError),
}

impl Engine {
    /// Looks at every branch once and starts. A branch that cannot be reached may come later; one that is not what
    /// the configuration says is an error.
    pub async fn start(config: EngineConfig) -> Result<Self, StartError> {
        if config.branches.is_empty() {
            return Err(StartError::NoBranch);
        }
        for (at, one) in config.branches.iter().enumerate() {
            let same = |other: &crate::BranchConfig| {
                other.branch.code == one.branch.code || other.branch.number == one.branch.number
            };
            if config.branches.iter().take(at).any(same) {
                return Err(StartError::Twice(one.branch.code));
            }
        }
        let bank = Arc::new(Bank::new(config));
        for branch in bank.branches.values() {
            let code = branch.config.branch.code;
            match watch::look(&bank, branch, &mut Sweeper::new(branch.part)).await {
                Ok(_)
                | Err(ConnectError::Unreachable(..) | ConnectError::TimedOut(_) | ConnectError::UnknownPart(_)) => {}
                Err(error) => return Err(StartError::Branch(code, error)),
            }
        }
        let stop = tokio::sync::watch::Sender::new(false);
        let recovering = Recovering::default();
        for code in bank.branches.keys() {
            let watcher = watch::run(Arc::clone(&bank), *code, Arc::clone(&recovering), stop.subscribe());
            bank.tasks.spawn("watcher", watcher);
            bank.tasks.spawn("periods", periods::run(Arc::clone(&bank), *code, stop.subscribe()));
            bank.tasks.spawn("roll-up", positions::run(Arc::clone(&bank), *code, stop.subscribe()));
        }
        let lanes = Arc::new(Lanes::new(Arc::clone(&bank)));
        let in_flight: Arc<InFlight> = Arc::default();
        for code in bank.branches.keys() {
            let (lanes, in_flight) = (Arc::clone(&lanes), Arc::clone(&in_flight));
            bank.tasks.spawn("expiries", expiries::run(Arc::clone(&bank), *code, lanes, in_flight, stop.subscribe()));
        }
        let lookups = Lookups::start(&bank, &stop);
        let intake = Intake::new(Arc::clone(&bank), Arc::clone(&lanes), in_flight);
        Ok(Self { shared: Arc::new(Shared { bank, lanes, intake, lookups, stop }) })
    }

    /// Moves money. The commit runs in a task of the engine's own: dropping this future does not stop it.
    /// The two accounts must differ and their branches be known ([`Self::has_branch`]).
    pub async fn transfer(&self, transfer: Transfer) -> Answer {
        self.orders([Order::Transfer(transfer)]).await.pop().unwrap_or(Answer::Unknown)
    }

    /// Moves money, each order for itself; an answer for each of their transfers, in the order of the request.
    pub async fn orders(&self, orders: impl IntoIterator<Item = Order>) -> Vec<Answer> {
        self.shared.intake.answer(orders).await
    }

    /// Whether the bank has this branch.
    pub fn has_branch(&self, code: BranchCode) -> bool {
        self.shared.bank.branch(code).is_some()
    }

    /// The number of a branch in account keys.
    pub fn branch_number(&self, code: BranchCode) -> Option<BranchNumber> {
        self.shared.bank.branch(code).map(|branch| branch.config.branch.number)
    }

    /// Makes a customer.
    pub async fn create_customer(&self, new: NewCustomer) -> Result<Made<Customer>, RegisterError> {
        registry::create_customers(&self.shared.bank, &[new]).await.pop().unwrap_or(Err(RegisterError::Bug))
    }

    /// Makes customers, each for itself; what became of each, in the order of the request.
    pub async fn create_customers(&self, new: &[NewCustomer]) -> Vec<Result<Made<Customer>, RegisterError>> {
        registry::create_customers(&self.shared.bank, new).await
    }

    /// Opens a customer's account.
    pub async fn open_account(&self, new: NewAccount) -> Result<Made<Account>, RegisterError> {
        registry::open_accounts(&self.shared.bank, &[new]).await.pop().unwrap_or(Err(RegisterError::Bug))
    }

    /// Opens customers' accounts, each for itself; what became of each, in the order of the request.
    pub async fn open_accounts(&self, new: &[NewAccount]) -> Vec<Result<Made<Account>, RegisterError>> {
        registry::open_accounts(&self.shared.bank, new).await
    }

    /// The customers that were made under these ids, at whichever branch.
    pub async fn find_customers(&self, ids: &[Uuid]) -> Result<MadeUnder<Customer>, ReadError> {
        registry::find_customers(&self.shared.bank, ids).await
    }

    /// The accounts that were opened under these ids, at whichever branch.
    pub async fn find_accounts(&self, ids: &[Uuid]) -> Result<MadeUnder<Account>, ReadError> {
        registry::find_accounts(&self.shared.bank, ids).await
    }

    /// Changes the limits or the state of a customer's account.
    pub async fn change_account(&self, request: &ChangeRequest) -> Result<Made<Account>, RegisterError> {
        account_changes::change(&self.shared.bank, request).await
    }

    /// What was changed of an account, newest first; `None` if there is no such account.
    pub async fn account_changes(
        &self,
        number: AccountNumber,
        page: Page,
    ) -> Result<Option<Vec<ChangeRecord>>, ReadError> {
        account_changes::list(&self.shared.bank, number, page).await
    }

    /// Customers of a branch, newest first.
    pub async fn customers(&self, branch: BranchCode, page: Page) -> Result<Vec<Customer>, ReadError> {
        reading::customers(&self.shared.bank, branch, page).await
    }

    /// Accounts of a branch, newest first, the bank's own last.
    pub async fn accounts(&self, branch: BranchCode, page: Page) -> Result<Vec<Account>, ReadError> {
        reading::accounts(&self.shared.bank, branch, page).await
    }

    /// One account.
    pub async fn account(&self, number: AccountNumber) -> Result<Option<Account>, ReadError> {
        self.shared.lookups.account(number).await
    }

    /// An account and its entries, newest first; `None` if there is no such account.
    pub async fn entries(&self, number: AccountNumber, page: Page) -> Result<Option<(Account, Vec<Entry>)>, ReadError> {
        reading::entries(&self.shared.bank, number, page).await
    }

    /// An account and those of its entries that a filter selects, newest first; `None` if there is no such account.
    pub async fn filtered_entries(
        &self,
        number: AccountNumber,
        page: Page,
        filter: &EntryFilter,
    ) -> Result<Option<(Account, Selection<Entry>)>, ReadError> {
        selection::entries(&self.shared.bank, number, page, filter).await
    }

    /// Those of the holds at an account that a filter selects, newest first; `None` if there is no such account.
    pub async fn filtered_holds(
        &self,
        number: AccountNumber,
        page: Page,
        filter: &HoldFilter,
    ) -> Result<Option<Selection<Hold>>, ReadError> {
        selection::holds(&self.shared.bank, number, page, filter).await
    }

    /// An account's balance as it stands, with the branch's clock. A batch under way may still post with an earlier time.
    pub async fn balance(&self, number: AccountNumber) -> Result<BalanceAt, PastError> {
        past::balance(&self.shared.bank, number).await
    }

    /// An account's balance at a past instant, which never changes.
    pub async fn balance_at(&self, number: AccountNumber, at: Timestamp) -> Result<BalanceAt, PastError> {
        past::balance_at(&self.shared.bank, number, at).await
    }

    /// The period of an account from one instant on and before another, later one that is not in the future.
    pub async fn statement(
        &self,
        number: AccountNumber,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Statement, PastError> {
        past::statement(&self.shared.bank, number, from, to).await
    }

    /// The sums of a statement's lines; an error if there are more than [`crate::TOTALLED_LINES_MAX`].
    pub async fn statement_totals(&self, statement: &Statement) -> Result<Sums, PastError> {
        past::totals(&self.shared.bank, statement).await
    }

    /// Consecutive lines of an account, oldest first; at most [`crate::LINES_AT_A_TIME_MAX`].
    pub async fn lines(&self, number: AccountNumber, range: LineRange) -> Result<Vec<Entry>, PastError> {
        past::lines(&self.shared.bank, number, range).await
    }

    /// Holds at an account with their serials, newest first; `None` if there is no such account.
    pub async fn holds(&self, number: AccountNumber, page: Page) -> Result<Option<Vec<(i64, Hold)>>, ReadError> {
        reading::holds(&self.shared.bank, number, page).await
    }

    /// Asks one branch for a hold, or all of them; an error while one that could have it is unreachable.
    pub async fn find_hold(&self, id: TransferId, branch: Option<BranchCode>) -> Result<Option<Hold>, ReadError> {
        reading::find_hold(&self.shared.bank, id, branch).await
    }

    /// What the branches know of what an order names.
    pub async fn look_up(&self, names: &Names) -> LookedUp {
        reading::look_up(&self.shared.bank, names).await
    }

    /// Asks one branch for a transfer, or all of them; an error while one that could have it is unreachable.
    pub async fn find_transfer(&self, id: TransferId, branch: Option<BranchCode>) -> Result<Option<Found>, ReadError> {
        reading::find_transfer(&self.shared.bank, id, branch).await
    }

    /// The branches with their health, in branch order.
    pub fn branches(&self) -> Vec<BranchStatus> {
        let status = |branch: &crate::bank::Branch| BranchStatus {
            code: branch.config.branch.code,
            number: branch.config.branch.number,
            name: branch.config.name.clone(),
            time_zone: branch.config.time_zone.clone(),
            address: branch.config.address.clone(),
            health: branch.state().health,
            in_doubt: branch.state().in_doubt,
        };
        self.shared.bank.branches.values().map(status).collect()
    }

    /// The prepared transactions that no coordinator of this server is committing right now, and the branches that
    /// could not be asked.
    pub async fn in_doubt(&self) -> Result<InDoubtList, ReadError> {
        in_doubt::list(&self.shared.bank).await
    }

    /// Resolves a batch in doubt as recovery would, now. Home's row decides; nobody can say which way.
    pub async fn resolve(&self, batch: BatchId) -> Result<Resolved, ResolveError> {
        in_doubt::resolve(&self.shared.bank, batch).await
    }

    /// Totals of the bank from which half a transfer is left out.
    pub async fn audit(&self) -> Result<AuditReport, ReadError> {
        audit::run(&self.shared.bank).await
    }

    /// Begins a full audit; a task of the engine's own makes it. From scratch, nothing that was kept of closed months is relied on.
    pub async fn start_audit(&self, id: Uuid, from_scratch: bool) -> Result<StartedAudit, StartAuditError> {
        full_audit::start(&self.shared.bank, self.shared.stop.subscribe(), id, from_scratch).await
    }

    /// A full audit, running or ended.
    pub async fn find_audit(&self, id: Uuid) -> Result<Option<FullAudit>, ReadError> {
        full_audit::find(&self.shared.bank, id).await
    }

    /// Debits and credits by branch, currency and kind of account.
    pub async fn trial_balance(&self) -> Result<TrialBalance, ReadError> {
        audit::trial_balance(&self.shared.bank).await
    }

    /// Intake is open and at least one branch takes transfers.
    pub fn is_ready(&self) -> bool {
        self.shared.bank.is_ready()
    }

    /// Returns when one of the engine's tasks has died: the process should stop then.
    pub async fn failure(&self) {
        self.shared.bank.tasks.failure().await;
    }

    /// Closes the intake, finishes what is queued and in flight, and ends; `false` if that took longer than `limit`.
    /// What is then left is settled by the next server's recovery.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.shared.bank.close_intake();
        self.shared.lanes.close();
        self.shared.stop.send_replace(true);
        timeout(limit, self.shared.bank.tasks.ended()).await.is_ok()
    }
}
