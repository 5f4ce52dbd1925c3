//! Accounts held by batches in doubt, as far as a transfer has met them.
//!
//! A prepared transaction keeps its row locks until it is finished. Which accounts it holds cannot be read, so
//! the first transfer that meets one waits for the short lock timeout; it is remembered until the prepared
//! transaction is gone, and later transfers of that account are answered at once while all others go on.

use crate::answer::{Answer, Receipt, Unavailable};
use crate::attempt::path;
use crate::bank::Bank;
use crate::lane::Item;
use nostro_commit::{BatchId, Gid, Part};
use nostro_core::transfer::Decision;
use nostro_core::{AccountNumber, BranchCode, TransferId};
use nostro_store::rows::{RowError, StoredTransfer};
use nostro_store::{lock, read};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between PREPARE and COMMIT PREPARED a live batch takes less; the row lock was waited for as long.
const LIVE_AGE_MAX: Duration = Duration::from_millis(400);

/// A transfer with those of its accounts that are held.
type HeldItem = (Item, Vec<(AccountNumber, BatchId)>);

/// Accounts in doubt, with the prepared transaction that holds each.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    held: Mutex<HashMap<AccountNumber, Gid>>,
}

impl Doubt {
    /// Remembers that a prepared transaction holds an account.
    pub(crate) fn remember(&self, account: AccountNumber, gid: Gid) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(account, gid);
    }

    /// Those of the accounts that are held, each with the batch that holds it.
    pub(crate) fn holders(&self, accounts: impl Iterator<Item = AccountNumber>) -> Vec<(AccountNumber, BatchId)> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.filter_map(|account| Some((account, held.get(&account)?.batch))).collect()
    }

    /// Forgets what a part no longer lists as prepared.
    pub(crate) fn settle(&self, part: Part, listed: &HashSet<Gid>) {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, gid| gid.participant != part || listed.contains(gid));
    }

    /// The accounts met so far, by prepared transaction.
    pub(crate) fn by_gid(&self) -> BTreeMap<Gid, Vec<AccountNumber>> {
        let mut by_gid: BTreeMap<Gid, Vec<AccountNumber>> = BTreeMap::new();
        for (account, gid) in &*self.held.lock().unwrap_or_else(PoisonError::into_inner) {
            by_gid.entry(gid.clone()).or_default().push(*account);
        }
        by_gid
    }
}

/// After a row lock was not given: asks each branch which of the transfers' accounts a prepared transaction
/// holds. What only a live batch holds is not remembered, it is waited for.
pub(crate) async fn learn(bank: &Bank, items: &[Item]) {
    for branch in bank.branches.values() {
        let id = branch.config.branch;
        let accounts: Vec<AccountNumber> = items
            .iter()
            .flat_map(|item| item.transfer.accounts())
            .filter(|number| number.branch() == id.code)
            .collect();
        if accounts.is_empty() {
            continue;
        }
        let Ok(lease) = bank.reader(id.code).await else { continue };
        let client = Arc::clone(lease.session.link.client());
        let question = async { lock::held_accounts(&client, id, &accounts).await.map_err(RowError::from) };
        let Ok(held) = bank.ask(id.code, lease, question).await else { continue };
        for held in held {
            let Ok(gid) = held.gid.parse::<Gid>() else { continue };
            let Ok(number) = AccountNumber::from_key(id.code, held.key) else { continue };
            if gid.deployment == *bank.connector.deployment() && !bank.is_live(gid.batch) && held.age > LIVE_AGE_MAX {
                tracing::info!(account = %number, batch = %gid.batch, "an account is held by a batch in doubt");
                bank.doubt.remember(number, gid);
            }
        }
    }
}

/// Has the transfers of accounts in doubt answered, and returns the others, which wait for none of it.
pub(crate) fn turn_away(bank: &Arc<Bank>, items: Vec<Item>) -> Vec<Item> {
    let mut others = Vec::new();
    let mut held: BTreeMap<BranchCode, Vec<HeldItem>> = BTreeMap::new();
    for item in items {
        let holders = bank.doubt.holders(item.transfer.accounts());
        match holders.first() {
            None => others.push(item),
            Some(_) => held.entry(item.transfer.home()).or_default().push((item, holders)),
        }
    }
    if !held.is_empty() {
        bank.tasks.spawn("answers in doubt", answer_held(Arc::clone(bank), held));
    }
    others
}

/// An id that its home already knows is answered from there.
async fn answer_held(bank: Arc<Bank>, held: BTreeMap<BranchCode, Vec<HeldItem>>) {
    let bank = &*bank;
    for (home, items) in held {
        let known = recorded(bank, home, &items).await;
        for (item, holders) in items {
            let answer = match known.get(&item.transfer.id) {
                None => Answer::Unavailable(Unavailable::AccountInDoubt(holders[0].0)),
                Some(row) => match item.transfer.differs_from(&row.record.transfer) {
                    Some(field) => Answer::Conflict(field),
                    None => {
                        let receipt = Arc::new(Receipt {
                            record: row.record.clone(),
                            batch: row.batch,
                            commit: Arc::new(path(bank, row)),
                        });
                        let posted = matches!(row.record.decision, Decision::Posted { .. });
                        // Its own batch holds an account: decided at home, not finished everywhere.
                        let own = holders.iter().any(|(_, batch)| *batch == row.batch);
                        if posted && own { Answer::Settling(receipt) } else { Answer::Replayed(receipt) }
                    }
                },
            };
            item.answer(answer);
        }
    }
}

async fn recorded(bank: &Bank, home: BranchCode, items: &[HeldItem]) -> HashMap<TransferId, StoredTransfer> {
    let ids = items.iter().map(|(item, ..)| item.transfer.id);
    let Ok(lease) = bank.reader(home).await else { return HashMap::new() };
    let client = Arc::clone(lease.session.link.client());
    let found = bank.ask(home, lease, read::find_transfers(&client, &bank.directory, ids)).await;
    found.unwrap_or_default().into_iter().map(|row| (row.record.transfer.id, row)).collect()
}
