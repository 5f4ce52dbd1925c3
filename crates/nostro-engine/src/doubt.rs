//! Accounts held by batches in doubt, as far as a transfer has met them.
//!
//! A prepared transaction keeps its row locks until it is finished. Which accounts it holds cannot be read, so
//! the first transfer that meets one waits for the short lock timeout; it is remembered until the prepared
//! transaction is gone, and later transfers of that account are answered at once while all others go on.

use crate::answer::{Answer, Receipt, Unavailable};
use crate::attempt::path;
use crate::bank::Bank;
use crate::item::{Item, answer_each};
use crate::mutex::locked;
use crate::reading::known;
use crate::register::ReadError;
use futures_util::future::join_all;
use nostro_commit::{BatchId, Gid, Part};
use nostro_core::transfer::{Decision, Field};
use nostro_core::{AccountNumber, BranchCode, Transfer, TransferId};
use nostro_store::rows::{RowError, StoredTransfer};
use nostro_store::{BranchId, lock, read};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Between PREPARE and COMMIT PREPARED a live batch takes less; the row lock was waited for as long.
const LIVE_AGE_MAX: Duration = Duration::from_millis(400);

/// A transfer or a chain with those of its accounts that are held.
type HeldItem = (Item, Vec<(AccountNumber, BatchId)>);

/// Accounts in doubt, with the prepared transaction that holds each.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    held: Mutex<HashMap<AccountNumber, Gid>>,
}

impl Doubt {
    /// Remembers that a prepared transaction holds an account.
    fn remember(&self, account: AccountNumber, gid: Gid) {
        locked(&self.held).insert(account, gid);
    }

    /// Those of the accounts that are held, each with the batch that holds it.
    pub(crate) fn holders(&self, accounts: impl Iterator<Item = AccountNumber>) -> Vec<(AccountNumber, BatchId)> {
        let held = locked(&self.held);
        accounts.filter_map(|account| Some((account, held.get(&account)?.batch))).collect()
    }

    /// Forgets what a part no longer lists as prepared.
    pub(crate) fn settle(&self, part: Part, listed: &HashSet<Gid>) {
        locked(&self.held).retain(|_, gid| gid.participant != part || listed.contains(gid));
    }

    /// The accounts met so far, by prepared transaction.
    pub(crate) fn by_gid(&self) -> BTreeMap<Gid, Vec<AccountNumber>> {
        let mut by_gid: BTreeMap<Gid, Vec<AccountNumber>> = BTreeMap::new();
        for (account, gid) in &*locked(&self.held) {
            by_gid.entry(gid.clone()).or_default().push(*account);
        }
        by_gid
    }
}

/// After a row lock was not given: asks each branch which of the transfers' accounts a prepared transaction
/// holds. What only a live batch holds is not remembered, it is waited for.
pub(crate) async fn learn(bank: &Bank, items: &[Item]) {
    let asked = bank.branches.values().map(|branch| async move {
        let branch = branch.config.branch;
        let accounts: Vec<AccountNumber> =
            items.iter().flat_map(Item::accounts).filter(|number| number.branch() == branch.code).collect();
        if !accounts.is_empty() {
            // What cannot be asked now is asked when the lock is not given again.
            let _ = remember_held(bank, branch, &accounts).await;
        }
    });
    join_all(asked).await;
}

/// Why one account's row was not given: a batch in doubt holds it, which is remembered as when a transfer meets it; or
/// batches that live.
pub(crate) async fn holder(bank: &Bank, number: AccountNumber) -> Result<Unavailable, ReadError> {
    let branch = known(bank, number.branch())?.config.branch;
    let in_doubt = remember_held(bank, branch, &[number]).await?;
    Ok(if in_doubt.is_empty() { Unavailable::Busy } else { Unavailable::AccountInDoubt(number) })
}

/// Asks a branch which of its accounts batches in doubt hold, and remembers these. What other deployments prepared,
/// and what a live batch holds, is none of them.
async fn remember_held(
    bank: &Bank,
    branch: BranchId,
    accounts: &[AccountNumber],
) -> Result<Vec<AccountNumber>, ReadError> {
    let lease = bank.reader(branch.code).await?;
    let client = lease.client();
    let question = async { lock::held_accounts(&client, branch, accounts).await.map_err(RowError::from) };
    let mut in_doubt = Vec::new();
    for held in bank.ask(branch.code, lease, question).await? {
        let Ok(gid) = held.gid.parse::<Gid>() else { continue };
        let Ok(number) = AccountNumber::from_key(branch.code, held.key) else { continue };
        let is_ours = gid.deployment == *bank.connector.deployment();
        if is_ours && !bank.is_live(gid.batch) && held.age > LIVE_AGE_MAX {
            tracing::info!(account = %number, batch = %gid.batch, "an account is held by a batch in doubt");
            bank.doubt.remember(number, gid);
            in_doubt.push(number);
        }
    }
    Ok(in_doubt)
}

/// Has the transfers of accounts in doubt answered, and returns the others, which wait for none of it.
pub(crate) fn turn_away(bank: &Arc<Bank>, items: Vec<Item>) -> Vec<Item> {
    if locked(&bank.doubt.held).is_empty() {
        return items;
    }
    let mut others = Vec::new();
    let mut held = Vec::new();
    for item in items {
        let holders = bank.doubt.holders(item.accounts());
        if holders.is_empty() {
            others.push(item);
        } else {
            held.push((item, holders));
        }
    }
    if !held.is_empty() {
        bank.tasks.spawn("answers in doubt", answer_held(Arc::clone(bank), held));
    }
    others
}

/// An id that its home already knows is answered from there; a chain if all its links are known.
async fn answer_held(bank: Arc<Bank>, held: Vec<HeldItem>) {
    let bank = &*bank;
    let mut ids: BTreeMap<BranchCode, Vec<TransferId>> = BTreeMap::new();
    for transfer in held.iter().flat_map(|(item, _)| item.transfers()) {
        ids.entry(transfer.home()).or_default().push(transfer.id);
    }
    let mut known = HashMap::new();
    for (home, ids) in ids {
        for row in recorded(bank, home, ids).await {
            known.insert((home, row.record.transfer.id), row);
        }
    }
    let told = |(item, holders): HeldItem| {
        let answer = |transfer: &Transfer| {
            let row = known.get(&(transfer.home(), transfer.id))?;
            Some(known_answer(bank, transfer, row, &holders))
        };
        let answers: Option<Vec<Answer>> = item.transfers().iter().map(answer).collect();
        let answers = match answers {
            None => item.alike(&Answer::Unavailable(Unavailable::AccountInDoubt(holders[0].0))),
            Some(answers) => item.answers(&mut same_chain(answers).into_iter()),
        };
        (item, answers)
    };
    answer_each(held.into_iter().map(told).collect());
}

/// What a recorded id of an account in doubt is answered.
fn known_answer(
    bank: &Bank,
    transfer: &Transfer,
    row: &StoredTransfer,
    holders: &[(AccountNumber, BatchId)],
) -> Answer {
    if let Some(field) = transfer.differs_from(&row.record.transfer) {
        return Answer::Conflict(field);
    }
    let commit = Arc::new(path(bank, row));
    let receipt = Receipt { record: Arc::new(row.record.clone()), batch: row.batch, commit };
    let posted = matches!(row.record.decision, Decision::Posted { .. });
    // Its own batch holds an account: decided at home, not finished everywhere.
    let own = holders.iter().any(|(_, batch)| *batch == row.batch);
    if posted && own { Answer::Settling(receipt) } else { Answer::Replayed(receipt) }
}

/// Of a chain, if one link is a conflict, all are.
fn same_chain(answers: Vec<Answer>) -> Vec<Answer> {
    let is_conflict = |answer: &Answer| matches!(answer, Answer::Conflict(_));
    if !answers.iter().any(is_conflict) {
        return answers;
    }
    let told = |answer| if is_conflict(&answer) { answer } else { Answer::Conflict(Field::Chain) };
    answers.into_iter().map(told).collect()
}

async fn recorded(bank: &Bank, home: BranchCode, ids: Vec<TransferId>) -> Vec<StoredTransfer> {
    let Ok(lease) = bank.reader(home).await else { return Vec::new() };
    let client = lease.client();
    bank.ask(home, lease, read::find_transfers(&client, &bank.directory, ids)).await.unwrap_or_default()
}
