//! What an account was at a past instant: final balances, and statements of periods.
//!
//! An answer about a past instant is final: no batch will post at or before it any more. `nostro_store::past` says how
//! one waits for that. An account that a batch in doubt holds cannot be waited for: it is 503 for its own questions, as
//! it is for its own transfers, until the batch is settled.

use crate::answer::Unavailable;
use crate::bank::Bank;
use crate::doubt;
use crate::reading::known;
use crate::register::ReadError;
use futures_util::future::try_join;
use nostro_core::{Account, AccountNumber, Entry, Timestamp};
use nostro_store::lock;
use nostro_store::past::{self, LineRange, Seen, Standing, Sums};

/// Lines that are summed up by one question: about a tenth of a second of the database's time.
const SUMMED_AT_A_TIME: i64 = 10_000;
/// Lines of a statement whose totals are asked for: about a second of the database's time.
pub const TOTALLED_LINES_MAX: i64 = 100_000;
/// Lines that are handed out by one question.
pub const LINES_AT_A_TIME_MAX: i64 = 1_000;

/// An account with where it stood at an instant.
#[derive(Clone, Debug)]
pub struct BalanceAt {
    /// The account as it stands now; its number, kind and currency never change.
    pub account: Account,
    /// The instant.
    pub at: Timestamp,
    /// Where it stood.
    pub standing: Standing,
}

/// A period of an account's history: the lines from one instant on and before another. It is fixed by the numbers of
/// the lines, so that whatever is read of it later fits together.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The account as it stands now; its number, kind and currency never change.
    pub account: Account,
    /// The first instant of the period.
    pub from: Timestamp,
    /// The first instant behind it.
    pub to: Timestamp,
    /// Before the first line.
    pub opening: Standing,
    /// After the last one.
    pub closing: Standing,
}

/// Why nothing is told of a past instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastError {
    /// There is no such account.
    AccountNotFound,
    /// The instant is not past by the branch's clock.
    NotPast {
        /// The clock.
        clock: Timestamp,
    },
    /// Lines that are needed are in the archive.
    Archived,
    /// The period has more lines than are added up: [`TOTALLED_LINES_MAX`].
    TooLong {
        /// So many.
        lines: i64,
    },
    /// The branch could not be asked; or a bug.
    Read(ReadError),
}

impl From<ReadError> for PastError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl Statement {
    /// All of its lines.
    pub fn lines(&self) -> LineRange {
        LineRange { after: self.opening.seq, up_to: self.closing.seq }
    }
}

/// The account as it stands, by the branch's clock. Not final.
pub(crate) async fn balance(bank: &Bank, number: AccountNumber) -> Result<BalanceAt, PastError> {
    let branch = known(bank, number.branch())?.config.branch;
    let lease = bank.reader(branch.code).await?;
    let client = lease.client();
    let seen = bank.ask(branch.code, lease, past::present(&client, branch, number)).await?;
    let Seen { account, clock } = seen.ok_or(PastError::AccountNotFound)?;
    let standing = Standing { seq: account.seq, balance: account.balance };
    Ok(BalanceAt { account, at: clock, standing })
}

/// Where the account stood at a past instant. Final.
pub(crate) async fn balance_at(bank: &Bank, number: AccountNumber, at: Timestamp) -> Result<BalanceAt, PastError> {
    let account = settle(bank, number, at).await?;
    let branch = known(bank, number.branch())?.config.branch;
    let lease = bank.reader(branch.code).await?;
    let client = lease.client();
    let standing = bank.ask(branch.code, lease, past::as_of(&client, branch, number, at)).await?;
    Ok(BalanceAt { account, at, standing: standing.ok_or(PastError::Archived)? })
}

/// A period of the account's history that has ended. Final.
pub(crate) async fn statement(
    bank: &Bank,
    number: AccountNumber,
    from: Timestamp,
    to: Timestamp,
) -> Result<Statement, PastError> {
    // A time has whole microseconds: what is before an instant is at or before the microsecond before it.
    let before = |instant: Timestamp| Timestamp::from_micros(instant.micros().saturating_sub(1));
    let account = settle(bank, number, before(to)).await?;
    let branch = known(bank, number.branch())?.config.branch;
    let lease = bank.reader(branch.code).await?;
    let client = lease.client();
    let question =
        try_join(past::as_of(&client, branch, number, before(from)), past::as_of(&client, branch, number, before(to)));
    match bank.ask(branch.code, lease, question).await? {
        (Some(opening), Some(closing)) => Ok(Statement { account, from, to, opening, closing }),
        (None, _) | (_, None) => Err(PastError::Archived),
    }
}

/// The sums of a statement's lines, a bounded number of them in each question.
pub(crate) async fn totals(bank: &Bank, statement: &Statement) -> Result<Sums, PastError> {
    let LineRange { after, mut up_to } = statement.lines();
    let lines = statement.lines().lines();
    if lines > TOTALLED_LINES_MAX {
        return Err(PastError::TooLong { lines });
    }
    let number = statement.account.number;
    let branch = known(bank, number.branch())?.config.branch;
    let mut totals = Sums::default();
    while up_to > after {
        let range = LineRange { after: after.max(up_to.saturating_sub(SUMMED_AT_A_TIME)), up_to };
        let lease = bank.reader(branch.code).await?;
        let client = lease.client();
        let sums = bank.ask(branch.code, lease, past::sums(&client, branch, number, range)).await?;
        if sums.lines < range.lines() {
            return Err(PastError::Archived);
        }
        totals = Sums {
            lines: totals.lines + sums.lines,
            debits: totals.debits + sums.debits,
            credits: totals.credits + sums.credits,
        };
        up_to = range.after;
    }
    Ok(totals)
}

/// Consecutive lines of an account, oldest first; [`LINES_AT_A_TIME_MAX`] at most.
pub(crate) async fn lines(bank: &Bank, number: AccountNumber, range: LineRange) -> Result<Vec<Entry>, PastError> {
    debug_assert!(range.lines() <= LINES_AT_A_TIME_MAX, "whoever asks for lines bounds them");
    if range.lines() == 0 {
        return Ok(Vec::new());
    }
    let branch = known(bank, number.branch())?.config.branch;
    let lease = bank.reader(branch.code).await?;
    let (client, statements) = (lease.client(), lease.session.statements.clone());
    let question = past::lines(&client, &statements, branch, &bank.directory, number, range);
    let lines = bank.ask(branch.code, lease, question).await?;
    let is_whole = i64::try_from(lines.len()).is_ok_and(|found| found == range.lines());
    if is_whole { Ok(lines) } else { Err(PastError::Archived) }
}

/// Waits until no batch can post to the account at or before the instant any more.
async fn settle(bank: &Bank, number: AccountNumber, at: Timestamp) -> Result<Account, PastError> {
    let branch = known(bank, number.branch())?.config.branch;
    if !bank.doubt.holders(std::iter::once(number)).is_empty() {
        return Err(ReadError::Unavailable(Unavailable::AccountInDoubt(number)).into());
    }
    let lease = bank.reader(branch.code).await?;
    let client = lease.client();
    let question = async {
        match past::settle(&client, branch, number).await {
            Err(error) if lock::is_lock_timeout(&error) => Ok(None),
            seen => seen.map(Some),
        }
    };
    match bank.ask(branch.code, lease, question).await? {
        Some(Some(Seen { account, clock })) if at < clock => Ok(account),
        Some(Some(Seen { clock, .. })) => Err(PastError::NotPast { clock }),
        Some(None) => Err(PastError::AccountNotFound),
        None => Err(ReadError::Unavailable(doubt::holder(bank, number).await?).into()),
    }
}
