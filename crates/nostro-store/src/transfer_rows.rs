//! The rows of `transfer` that a batch writes at one branch, and the way in: COPY, or a statement each where they are few.
//!
//! Nearly every row is of a plain transfer, so the columns of other operations are left out where no row of the batch has any.

use crate::statements::Statements;
use futures_util::future::join_all;
use nostro_core::transfer::{Decision, Line};
use nostro_core::{
    AccountNumber, BranchCode, BranchNumber, Currency, Link, Operation, Reference, Transfer, TransferRecord,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// Beyond so many rows a COPY costs less than a statement for each.
const FEW_ROWS: usize = 8;

/// Columns of `transfer` in the order of [`COLUMN_TYPES`] and [`TransferRow::columns`]; those from `hold` on are of other
/// operations than plain movements, and of chains.
const COLUMNS: [&str; 27] = [
    "id",
    "period",
    "kind",
    "debit",
    "credit",
    "amount",
    "currency",
    "category",
    "reference",
    "refusal",
    "debit_balance_after",
    "debit_seq",
    "debit_previous",
    "credit_balance_after",
    "credit_seq",
    "credit_previous",
    "batch",
    "posted_at",
    "hold",
    "is_final",
    "expires_at",
    "asked",
    "original",
    "is_forced",
    "chain",
    "chain_position",
    "chain_length",
];
const COLUMN_TYPES: [Type; 27] = [
    Type::UUID,
    Type::INT4,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::INT8,
    Type::UUID,
    Type::INT8,
    Type::INT8,
    Type::UUID,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::UUID,
    Type::BOOL,
    Type::TIMESTAMPTZ,
    Type::INT8,
    Type::UUID,
    Type::BOOL,
    Type::UUID,
    Type::INT4,
    Type::INT4,
];

/// Which columns a batch writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// Those of plain movements.
    Plain,
    /// All columns.
    All,
}

impl Width {
    fn of(records: &[Arc<TransferRecord>]) -> Self {
        let is_particular = |record: &Arc<TransferRecord>| Particulars::of(&record.transfer).is_some();
        if records.iter().any(is_particular) { Self::All } else { Self::Plain }
    }

    fn columns(self) -> usize {
        match self {
            Self::Plain => COLUMNS.len() - 9,
            Self::All => COLUMNS.len(),
        }
    }

    /// The names of the columns, and a place for each.
    pub(crate) fn names_and_places(self) -> (String, String) {
        let places: Vec<String> = (1..=self.columns()).map(|place| format!("${place}")).collect();
        (COLUMNS[..self.columns()].join(", "), places.join(", "))
    }
}

/// The records of a batch that have rows at a branch. A row is made when it is sent, so that it is in memory once.
#[derive(Debug)]
pub(crate) struct TransferRows {
    at: BranchCode,
    numbers: BTreeMap<BranchCode, BranchNumber>,
    records: Vec<Arc<TransferRecord>>,
}

/// What differs between the rows of a batch.
#[derive(Debug)]
struct TransferRow<'r> {
    id: Uuid,
    period: i32,
    kind: &'static str,
    debit: i64,
    credit: i64,
    amount: i64,
    currency: Currency,
    category: i32,
    reference: Option<&'r str>,
    refusal: Option<&'static str>,
    debit_line: LineColumns,
    credit_line: LineColumns,
    particular: Option<Particulars>,
}

/// What other operations than plain movements have, and links of chains.
#[derive(Debug, Default)]
struct Particulars {
    hold: Option<Uuid>,
    is_final: Option<bool>,
    expires_at: Option<SystemTime>,
    asked: Option<i64>,
    original: Option<Uuid>,
    is_forced: Option<bool>,
    chain: Option<Uuid>,
    chain_position: Option<i32>,
    chain_length: Option<i32>,
}

const NO_PARTICULARS: Particulars = Particulars {
    hold: None,
    is_final: None,
    expires_at: None,
    asked: None,
    original: None,
    is_forced: None,
    chain: None,
    chain_position: None,
    chain_length: None,
};

/// All null on a side of another branch, and on both of a refused transfer.
#[derive(Debug, Default)]
struct LineColumns {
    balance_after: Option<i64>,
    seq: Option<i64>,
    previous: Option<Uuid>,
}

impl TransferRows {
    /// Those of the records that the branch has a row of: refused ones at their home only.
    pub(crate) fn at(
        at: BranchCode,
        records: &[&Arc<TransferRecord>],
        numbers: &BTreeMap<BranchCode, BranchNumber>,
    ) -> Self {
        let stands_here = |record: &Arc<TransferRecord>| match record.decision {
            Decision::Refused(_) => record.transfer.home() == at,
            Decision::Posted { .. } => record.transfer.touches(at),
        };
        Self {
            at,
            numbers: numbers.clone(),
            records: records.iter().copied().filter(|record| stands_here(record)).cloned().collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Writes them; how many were written. A COPY is answered before its rows may be sent, so a few rows go in faster one by one, all
    /// sent together.
    pub(crate) async fn insert(
        &self,
        client: &Client,
        statements: &Statements,
        batch: &str,
        posted_at: SystemTime,
    ) -> Result<u64, Error> {
        let width = Width::of(&self.records);
        if self.records.len() > FEW_ROWS {
            return self.copy(width, client, statements, batch, posted_at).await;
        }
        let inserted = self.rows().map(|row| async move {
            let currency = row.currency.code();
            let columns = row.columns(&currency, &batch, &posted_at);
            client.execute(statements.insert_transfer(width), &columns[..width.columns()]).await
        });
        // All are polled, so all are sent, before any is heard of.
        join_all(inserted).await.into_iter().sum()
    }

    /// What is sent behind it waits on the wire until the last row is there.
    async fn copy(
        &self,
        width: Width,
        client: &Client,
        statements: &Statements,
        batch: &str,
        posted_at: SystemTime,
    ) -> Result<u64, Error> {
        let sink = client.copy_in(statements.copy_transfers(width)).await?;
        let mut writer = std::pin::pin!(BinaryCopyInWriter::new(sink, &COLUMN_TYPES[..width.columns()]));
        for row in self.rows() {
            let currency = row.currency.code();
            let columns = row.columns(&currency, &batch, &posted_at);
            writer.as_mut().write(&columns[..width.columns()]).await?;
        }
        writer.finish().await
    }

    fn rows(&self) -> impl Iterator<Item = TransferRow<'_>> {
        self.records.iter().map(|record| TransferRow::of(record, self.at, &self.numbers))
    }
}

impl<'r> TransferRow<'r> {
    /// The row of a record at a branch.
    fn of(record: &'r TransferRecord, at: BranchCode, numbers: &BTreeMap<BranchCode, BranchNumber>) -> Self {
        let transfer = &record.transfer;
        let (refusal, debit, credit) = match record.decision {
            Decision::Refused(refusal) => (Some(refusal.code()), None, None),
            Decision::Posted { debit, credit } => (
                None,
                debit.filter(|_| transfer.debit.branch() == at),
                credit.filter(|_| transfer.credit.branch() == at),
            ),
        };
        Self {
            id: transfer.id.0,
            period: transfer.id.period().as_i32(),
            kind: transfer.kind().as_str(),
            debit: key(transfer.debit, numbers),
            credit: key(transfer.credit, numbers),
            amount: transfer.amount.minor_units(),
            currency: transfer.currency,
            category: i32::from(transfer.category),
            reference: transfer.reference.as_ref().map(Reference::as_str),
            refusal,
            debit_line: debit.map(LineColumns::from).unwrap_or_default(),
            credit_line: credit.map(LineColumns::from).unwrap_or_default(),
            particular: Particulars::of(transfer),
        }
    }

    /// In the order of [`COLUMNS`].
    fn columns<'a>(
        &'a self,
        currency: &'a &'a str,
        batch: &'a &'a str,
        posted_at: &'a SystemTime,
    ) -> [&'a (dyn ToSql + Sync); 27] {
        let (d, c, h) = (&self.debit_line, &self.credit_line, self.particular.as_ref().unwrap_or(&NO_PARTICULARS));
        [
            &self.id,
            &self.period,
            &self.kind,
            &self.debit,
            &self.credit,
            &self.amount,
            currency,
            &self.category,
            &self.reference,
            &self.refusal,
            &d.balance_after,
            &d.seq,
            &d.previous,
            &c.balance_after,
            &c.seq,
            &c.previous,
            batch,
            posted_at,
            &h.hold,
            &h.is_final,
            &h.expires_at,
            &h.asked,
            &h.original,
            &h.is_forced,
            &h.chain,
            &h.chain_position,
            &h.chain_length,
        ]
    }
}

impl Particulars {
    fn of(transfer: &Transfer) -> Option<Self> {
        let Some(Link { chain, position, length }) = transfer.link else {
            return Self::of_operation(transfer.operation);
        };
        Some(Self {
            chain: Some(chain.0),
            chain_position: Some(i32::from(position)),
            chain_length: Some(i32::from(length)),
            ..Self::of_operation(transfer.operation).unwrap_or_default()
        })
    }

    fn of_operation(operation: Operation) -> Option<Self> {
        let id = |id: nostro_core::TransferId| Some(id.0);
        match operation {
            Operation::Transfer | Operation::Deposit | Operation::Withdrawal => None,
            Operation::Reversal { original, is_forced } => {
                Some(Self { original: id(original), is_forced: is_forced.then_some(true), ..Self::default() })
            }
            Operation::UpTo { asked } => Some(Self { asked: Some(asked.minor_units()), ..Self::default() }),
            Operation::Hold { expires_at } => {
                Some(Self { expires_at: expires_at.map(SystemTime::from), ..Self::default() })
            }
            Operation::Capture { hold: of, is_final } => {
                Some(Self { hold: id(of), is_final: Some(is_final), ..Self::default() })
            }
            Operation::Release { hold: of } | Operation::Expiry { hold: of } => {
                Some(Self { hold: id(of), ..Self::default() })
            }
        }
    }
}

impl From<Line> for LineColumns {
    fn from(line: Line) -> Self {
        Self {
            balance_after: Some(line.balance_after.minor_units()),
            seq: Some(line.seq),
            previous: line.previous.map(|id| id.0),
        }
    }
}

/// The key of an account of any branch.
pub(crate) fn key(account: AccountNumber, numbers: &BTreeMap<BranchCode, BranchNumber>) -> i64 {
    let number = numbers.get(&account.branch()).expect("the engine routes to branches in the directory only");
    account.key(*number).as_i64()
}
