//! From columns to the types of the core.
//!
//! What the database holds was checked before it was written; a row that does not parse is a database in a wrong
//! state and becomes a [`RowError`] that names the table and the column, never a guess.

use futures_util::TryStreamExt;
use nostro_commit::{BatchId, Part};
use nostro_core::plan::LockedAccount;
use nostro_core::transfer::{Decision, Line};
use nostro_core::{
    Account, AccountKey, AccountNumber, Amount, Balance, BranchCode, BranchNumber, Customer, CustomerNumber, Entry,
    Hold, Link, Name, Operation, Original, Reference, Timestamp, Transfer, TransferId, TransferKind, TransferRecord,
};
use std::collections::BTreeMap;
use std::pin::pin;
use std::str::FromStr;
use std::time::SystemTime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, ToStatement};
use uuid::Uuid;

/// A branch by code and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchId {
    /// In the API and in account numbers.
    pub code: BranchCode,
    /// In account keys.
    pub number: BranchNumber,
}

/// Codes by number, for the accounts of other branches in this one's rows.
pub type Directory = BTreeMap<BranchNumber, BranchCode>;

/// A failure of reading a branch.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The statement failed.
    #[error("the database did not answer a read")]
    Database(#[from] tokio_postgres::Error),
    /// A row holds what this program never writes.
    #[error("a row of {table} holds a {column} that this program cannot have written")]
    Malformed {
        /// Of which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
    },
}

/// A transfer with the batch that recorded it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTransfer {
    /// What was asked for and decided; one branch's row knows its own side only.
    pub record: TransferRecord,
    /// The batch.
    pub batch: BatchId,
    /// The branches in that batch.
    pub parts: Vec<Part>,
}

/// Columns of `account a` in the order of [`locked_account`] and [`crate::place::Places`].
pub(crate) const LOCKED_COLUMNS: &str = "a.id, a.kind, a.currency, a.balance, a.held, a.overdraft_limit, a.state, a.seq, a.last_posted_at, \
     a.last_transfer, a.ctid, a.ceiling, a.limit_exceeded";
/// Columns of `transfer` in the order of [`stored_transfer`].
pub(crate) const TRANSFER_COLUMNS: &str = "id, kind, debit, credit, amount, currency, category, reference, batch, posted_at, \
     refusal, debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous, \
     coalesce((select b.parts from batch b where b.id = transfer.batch), \
              (select p.parts from participation p where p.batch = transfer.batch)), \
     hold, is_final, expires_at, asked, original, is_forced, chain, chain_position, chain_length";
/// Columns of `hold` in the order of [`hold`], and then its serial.
pub(crate) const HOLD_COLUMNS: &str =
    "id, debit, credit, amount, currency, captured, released, state, expires_at, placed_at, ended_at, serial";
/// Columns of `entry` in the order of [`entry`].
pub(crate) const ENTRY_COLUMNS: &str =
    "seq, transfer, kind, side, amount, balance_after, counterparty, reference, posted_at, category";
/// Columns of `account` in the order of [`account`].
pub(crate) const ACCOUNT_COLUMNS: &str =
    "id, customer, kind, currency, balance, held, overdraft_limit, state, opened_at, seq, ceiling, limit_exceeded";

/// The rows of a statement, each read when it comes: all of them as they come would take several times the room.
pub(crate) async fn rows<T>(
    client: &Client,
    statement: &(impl ToStatement + ?Sized),
    parameters: &[&(dyn ToSql + Sync)],
    mut read: impl FnMut(&Row) -> Result<T, RowError>,
) -> Result<Vec<T>, RowError> {
    let mut rows = pin!(client.query_raw(statement, parameters.iter().copied()).await?);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        found.push(read(&row)?);
    }
    Ok(found)
}

pub(crate) fn malformed(table: &'static str, column: &'static str) -> RowError {
    RowError::Malformed { table, column }
}

pub(crate) fn word<T: FromStr>(row: &Row, at: usize, table: &'static str, column: &'static str) -> Result<T, RowError> {
    row.try_get::<_, &str>(at)?.parse().map_err(|_| malformed(table, column))
}

pub(crate) fn time(row: &Row, at: usize) -> Result<Timestamp, RowError> {
    Ok(row.try_get::<_, SystemTime>(at)?.into())
}

fn time_if_any(row: &Row, at: usize) -> Result<Option<Timestamp>, RowError> {
    Ok(row.try_get::<_, Option<SystemTime>>(at)?.map(Timestamp::from))
}

pub(crate) fn balance(row: &Row, at: usize) -> Result<Balance, RowError> {
    Ok(Balance::new(row.try_get(at)?))
}

/// The number of any account whose branch is in the directory.
pub(crate) fn number_of(key: i64, directory: &Directory, table: &'static str) -> Result<AccountNumber, RowError> {
    let key = AccountKey::from_i64(key);
    let branch = key.branch_number().and_then(|number| directory.get(&number)).ok_or(malformed(table, "branch"))?;
    AccountNumber::from_key(*branch, key).map_err(|_| malformed(table, "serial"))
}

pub(crate) fn locked_account(row: &Row, branch: BranchId) -> Result<(AccountNumber, LockedAccount), RowError> {
    let table = "account";
    let number = AccountNumber::from_key(branch.code, AccountKey::from_i64(row.try_get(0)?))
        .map_err(|_| malformed(table, "id"))?;
    let account = LockedAccount {
        kind: word(row, 1, table, "kind")?,
        currency: word(row, 2, table, "currency")?,
        balance: balance(row, 3)?,
        held: balance(row, 4)?,
        overdraft_limit: balance(row, 5)?,
        ceiling: row.try_get::<_, Option<i64>>(11)?.map(Balance::new),
        limit_exceeded: row.try_get(12)?,
        state: word(row, 6, table, "state")?,
        seq: row.try_get(7)?,
        last_transfer: row.try_get::<_, Option<Uuid>>(9)?.map(TransferId),
        last_posted_at: row.try_get::<_, Option<SystemTime>>(8)?.map(Timestamp::from),
    };
    Ok((number, account))
}

pub(crate) fn stored_transfer(row: &Row, directory: &Directory) -> Result<StoredTransfer, RowError> {
    let table = "transfer";
    let reference: Option<&str> = row.try_get(7)?;
    let transfer = Transfer {
        id: TransferId(row.try_get(0)?),
        operation: operation(row)?,
        debit: number_of(row.try_get(2)?, directory, table)?,
        credit: number_of(row.try_get(3)?, directory, table)?,
        amount: Amount::new(row.try_get(4)?).map_err(|_| malformed(table, "amount"))?,
        currency: word(row, 5, table, "currency")?,
        category: u16::try_from(row.try_get::<_, i32>(6)?).map_err(|_| malformed(table, "category"))?,
        reference: reference.map(Reference::new).transpose().map_err(|_| malformed(table, "reference"))?,
        link: link(row)?,
    };
    let refusal: Option<&str> = row.try_get(10)?;
    // Three columns: the balance after it, its number, the transfer before it.
    let line = |at: usize| -> Result<Option<Line>, RowError> {
        let after: Option<i64> = row.try_get(at)?;
        let seq: Option<i64> = row.try_get(at + 1)?;
        let previous = row.try_get::<_, Option<Uuid>>(at + 2)?.map(TransferId);
        Ok(after.zip(seq).map(|(after, seq)| Line { balance_after: Balance::new(after), seq, previous }))
    };
    let decision = match refusal {
        Some(code) => Decision::Refused(code.parse().map_err(|_| malformed(table, "refusal"))?),
        None => Decision::Posted { debit: line(11)?, credit: line(14)? },
    };
    let record = TransferRecord { transfer, decision, posted_at: time(row, 9)? };
    let parts: Vec<&str> = row.try_get(17)?;
    let parts = parts.iter().map(|part| part.parse().map_err(|_| malformed("batch", "parts")));
    Ok(StoredTransfer { record, batch: word(row, 8, table, "batch")?, parts: parts.collect::<Result<_, _>>()? })
}

/// What a row of [`TRANSFER_COLUMNS`] did.
fn operation(row: &Row) -> Result<Operation, RowError> {
    let table = "transfer";
    let hold = || row.try_get::<_, Option<Uuid>>(18)?.map(TransferId).ok_or(malformed(table, "hold"));
    Ok(match word(row, 1, table, "kind")? {
        TransferKind::Transfer => match row.try_get::<_, Option<i64>>(21)? {
            None => Operation::Transfer,
            Some(asked) => Operation::UpTo { asked: Amount::new(asked).map_err(|_| malformed(table, "asked"))? },
        },
        TransferKind::Deposit => Operation::Deposit,
        TransferKind::Withdrawal => Operation::Withdrawal,
        TransferKind::Hold => Operation::Hold { expires_at: time_if_any(row, 20)? },
        TransferKind::Capture => {
            let is_final = row.try_get::<_, Option<bool>>(19)?.ok_or(malformed(table, "is_final"))?;
            Operation::Capture { hold: hold()?, is_final }
        }
        TransferKind::Release => Operation::Release { hold: hold()? },
        TransferKind::Expiry => Operation::Expiry { hold: hold()? },
        TransferKind::Reversal => {
            let original = row.try_get::<_, Option<Uuid>>(22)?.ok_or(malformed(table, "original"))?;
            let is_forced = row.try_get::<_, Option<bool>>(23)?.unwrap_or(false);
            Operation::Reversal { original: TransferId(original), is_forced }
        }
    })
}

/// The place in a chain of a row of [`TRANSFER_COLUMNS`].
fn link(row: &Row) -> Result<Option<Link>, RowError> {
    let Some(chain) = row.try_get::<_, Option<Uuid>>(24)? else { return Ok(None) };
    let figure = |at: usize| -> Result<u16, RowError> {
        let figure: Option<i32> = row.try_get(at)?;
        figure.and_then(|figure| u16::try_from(figure).ok()).ok_or(malformed("transfer", "chain"))
    };
    Ok(Some(Link { chain: TransferId(chain), position: figure(25)?, length: figure(26)? }))
}

pub(crate) fn hold(row: &Row, directory: &Directory) -> Result<Hold, RowError> {
    let table = "hold";
    Ok(Hold {
        id: TransferId(row.try_get(0)?),
        debit: number_of(row.try_get(1)?, directory, table)?,
        credit: number_of(row.try_get(2)?, directory, table)?,
        amount: Amount::new(row.try_get(3)?).map_err(|_| malformed(table, "amount"))?,
        currency: word(row, 4, table, "currency")?,
        captured: balance(row, 5)?,
        released: balance(row, 6)?,
        state: word(row, 7, table, "state")?,
        expires_at: time_if_any(row, 8)?,
        placed_at: time(row, 9)?,
        ended_at: time_if_any(row, 10)?,
    })
}

/// Columns: id, kind, debit, credit, amount, currency, reversed.
pub(crate) fn original(row: &Row, directory: &Directory) -> Result<Original, RowError> {
    let table = "transfer";
    Ok(Original {
        id: TransferId(row.try_get(0)?),
        kind: word(row, 1, table, "kind")?,
        debit: number_of(row.try_get(2)?, directory, table)?,
        credit: number_of(row.try_get(3)?, directory, table)?,
        amount: Amount::new(row.try_get(4)?).map_err(|_| malformed(table, "amount"))?,
        currency: word(row, 5, table, "currency")?,
        reversed: balance(row, 6)?,
    })
}

pub(crate) fn account(row: &Row, branch: BranchCode) -> Result<Account, RowError> {
    let table = "account";
    let customer: Option<i64> = row.try_get(1)?;
    Ok(Account {
        number: AccountNumber::from_key(branch, AccountKey::from_i64(row.try_get(0)?))
            .map_err(|_| malformed(table, "id"))?,
        customer: customer
            .map(|key| CustomerNumber::from_key(branch, AccountKey::from_i64(key)))
            .transpose()
            .map_err(|_| malformed(table, "customer"))?,
        kind: word(row, 2, table, "kind")?,
        currency: word(row, 3, table, "currency")?,
        balance: balance(row, 4)?,
        held: balance(row, 5)?,
        overdraft_limit: balance(row, 6)?,
        ceiling: row.try_get::<_, Option<i64>>(10)?.map(Balance::new),
        limit_exceeded: row.try_get(11)?,
        state: word(row, 7, table, "state")?,
        opened_at: time(row, 8)?,
        seq: row.try_get(9)?,
    })
}

/// Columns: id, name, created_at.
pub(crate) fn customer(row: &Row, branch: BranchCode) -> Result<Customer, RowError> {
    let table = "customer";
    Ok(Customer {
        number: CustomerNumber::from_key(branch, AccountKey::from_i64(row.try_get(0)?))
            .map_err(|_| malformed(table, "id"))?,
        name: Name::new(row.try_get(1)?).map_err(|_| malformed(table, "name"))?,
        created_at: time(row, 2)?,
    })
}

/// Columns: [`ENTRY_COLUMNS`].
pub(crate) fn entry(row: &Row, directory: &Directory) -> Result<Entry, RowError> {
    let table = "entry";
    let reference: Option<&str> = row.try_get(7)?;
    Ok(Entry {
        seq: row.try_get(0)?,
        transfer: TransferId(row.try_get(1)?),
        kind: word(row, 2, table, "kind")?,
        side: word(row, 3, table, "side")?,
        amount: Amount::new(row.try_get(4)?).map_err(|_| malformed(table, "amount"))?,
        balance_after: balance(row, 5)?,
        counterparty: number_of(row.try_get(6)?, directory, table)?,
        category: u16::try_from(row.try_get::<_, i32>(9)?).map_err(|_| malformed(table, "category"))?,
        reference: reference.map(Reference::new).transpose().map_err(|_| malformed(table, "reference"))?,
        posted_at: time(row, 8)?,
    })
}
