//! What one transfer does to its accounts and its hold, or why it does nothing.
//!
//! Refusals are met in their order of precedence: first what does not exist, then currencies, then the hold, then
//! the states of accounts, then money. Nothing is changed here; the planner applies an [`Effect`] as a whole.

use crate::account::{AccountState, available};
use crate::account_number::AccountNumber;
use crate::amount::{Amount, Balance};
use crate::hold::{Hold, HoldState};
use crate::locked_accounts::{Accounts, LockedAccount, Place};
use crate::operation::Operation;
use crate::original::Original;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::transfer::Transfer;
use crate::transfer_id::TransferId;
use foldhash::HashMap;

/// What an account has after a transfer that leaves a line on it.
pub(crate) struct Posting {
    pub(crate) place: Place,
    pub(crate) balance: Balance,
    pub(crate) held: Balance,
    pub(crate) seq: i64,
    /// Whether it may take the account outside its limits.
    pub(crate) may_exceed: bool,
}

/// What a transfer changes.
pub(crate) enum Effect {
    /// Both accounts, and what the money came from.
    Moved { debit: Posting, credit: Posting, source: Option<Source>, amount: Amount },
    /// What is reserved at the debit account, and the hold that reserves it. The amount is what was reserved or given back.
    Reserved { place: Place, held: Balance, hold: Hold, amount: Amount },
}

/// Beside its accounts, what money comes from.
pub(crate) enum Source {
    /// A hold, as the capture leaves it.
    Hold(Hold),
    /// A transfer, as the reversal leaves it.
    Original(Original),
}

/// Why a transfer changes nothing.
pub(crate) enum Nothing {
    /// The first refusal in order of precedence.
    Refused(Refusal),
    /// An expiry of what needs none any more, or not yet: nobody asked for it.
    Moot,
}

impl From<Refusal> for Nothing {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What the transfers of a batch take from, as read under the locks and as the transfers before left it: by the account
/// that pays and the id, since two branches may know one id for different things.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(crate) holds: HashMap<(AccountNumber, TransferId), Hold>,
    pub(crate) originals: HashMap<(AccountNumber, TransferId), Original>,
}

/// When a batch is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// The latest clock of its branches: what the times of holds are held against.
    pub(crate) clock: Timestamp,
    /// The batch's time, which an account's last posting may have moved ahead of every clock.
    pub(crate) posted_at: Timestamp,
}

/// What the transfer does at this instant.
pub(crate) fn decide(transfer: &Transfer, accounts: &Accounts, sources: &Sources, now: Now) -> Result<Effect, Nothing> {
    let holds = &sources.holds;
    let named = |hold: TransferId| holds.get(&(transfer.debit, hold));
    match transfer.operation {
        Operation::Transfer | Operation::Deposit | Operation::Withdrawal | Operation::UpTo { .. } => {
            Ok(moved(transfer, accounts)?)
        }
        Operation::Hold { expires_at } => Ok(placed(transfer, expires_at, accounts, now)?),
        Operation::Capture { hold, is_final } => Ok(captured(transfer, named(hold), is_final, accounts, now)?),
        Operation::Reversal { original, is_forced } => {
            Ok(reversed(transfer, (original, is_forced), accounts, sources)?)
        }
        Operation::Release { hold } => {
            let (place, account) = accounts.find(transfer.debit).ok_or(Refusal::DebitAccountNotFound)?;
            let hold = own(transfer, named(hold))?;
            hold.open_at(now.clock)?;
            Ok(given_back(place, account, hold, HoldState::Released, now.posted_at)?)
        }
        Operation::Expiry { hold } => {
            let due = named(hold).filter(|hold| hold.state == HoldState::Open && hold.is_due(now.clock));
            let (hold, (place, account)) = due.zip(accounts.find(transfer.debit)).ok_or(Nothing::Moot)?;
            Ok(given_back(place, account, hold, HoldState::Expired, now.posted_at)?)
        }
    }
}

/// An account and where it stands.
type Found<'a> = (Place, &'a LockedAccount);

fn both<'a>(transfer: &Transfer, accounts: &'a Accounts) -> Result<[Found<'a>; 2], Refusal> {
    let debit = accounts.find(transfer.debit).ok_or(Refusal::DebitAccountNotFound)?;
    let credit = accounts.find(transfer.credit).ok_or(Refusal::CreditAccountNotFound)?;
    if debit.1.currency != transfer.currency || credit.1.currency != transfer.currency {
        return Err(Refusal::CurrencyMismatch);
    }
    Ok([debit, credit])
}

/// Whether the states of both allow it. Closed comes before frozen, on whichever side.
fn both_take([debit, credit]: [Found<'_>; 2]) -> Result<(), Refusal> {
    if debit.1.state == AccountState::Closed {
        Err(Refusal::DebitAccountClosed)
    } else if credit.1.state == AccountState::Closed {
        Err(Refusal::CreditAccountClosed)
    } else if debit.1.state.freezes_debits() {
        Err(Refusal::DebitAccountFrozen)
    } else if credit.1.state.freezes_credits() {
        Err(Refusal::CreditAccountFrozen)
    } else {
        Ok(())
    }
}

fn covers(account: &LockedAccount, amount: Amount) -> Result<(), Refusal> {
    let available = available(account.kind, account.balance, account.held, account.overdraft_limit);
    let is_short = available.is_some_and(|available| available.minor_units() < amount.minor_units());
    if is_short { Err(Refusal::InsufficientFunds) } else { Ok(()) }
}

/// The two postings of money that moves, of which so much was reserved.
fn postings([debit, credit]: [Found<'_>; 2], amount: Amount, freed: Balance) -> Result<[Posting; 2], Refusal> {
    let is_above = |balance: Balance| credit.1.ceiling.is_some_and(|ceiling| balance > ceiling);
    if credit.1.balance.credited(amount).is_some_and(is_above) {
        return Err(Refusal::CeilingExceeded);
    }
    sides([debit, credit], amount, freed).ok_or(Refusal::BalanceOutOfRange)
}

fn sides([debit, credit]: [Found<'_>; 2], amount: Amount, freed: Balance) -> Option<[Posting; 2]> {
    let posting = |(place, account): Found<'_>, balance: Option<Balance>, held: Option<Balance>| {
        Some(Posting { place, balance: balance?, held: held?, seq: account.seq.checked_add(1)?, may_exceed: false })
    };
    let debited = posting(debit, debit.1.balance.debited(amount), debit.1.held.minus(freed))?;
    let credited = posting(credit, credit.1.balance.credited(amount), Some(credit.1.held))?;
    Some([debited, credited])
}

fn moved(transfer: &Transfer, accounts: &Accounts) -> Result<Effect, Refusal> {
    let [debit, credit] = both(transfer, accounts)?;
    both_take([debit, credit])?;
    let amount = transfer.operation.asked().map_or(Ok(transfer.amount), |asked| at_most(debit.1, asked))?;
    covers(debit.1, amount)?;
    let [debit, credit] = postings([debit, credit], amount, Balance::ZERO)?;
    Ok(Effect::Moved { debit, credit, source: None, amount })
}

/// As much as is available, and no more than was asked for; nothing is a refusal.
fn at_most(account: &LockedAccount, asked: Amount) -> Result<Amount, Refusal> {
    let available = available(account.kind, account.balance, account.held, account.overdraft_limit);
    available.map_or(Ok(asked), |available| {
        let most = available.minor_units().min(asked.minor_units());
        Amount::new(most).map_err(|_| Refusal::InsufficientFunds)
    })
}

/// The credit account is another branch's business, and looked at when the hold is captured.
fn placed(
    transfer: &Transfer,
    expires_at: Option<Timestamp>,
    accounts: &Accounts,
    now: Now,
) -> Result<Effect, Refusal> {
    let (place, account) = accounts.find(transfer.debit).ok_or(Refusal::DebitAccountNotFound)?;
    if account.currency != transfer.currency {
        return Err(Refusal::CurrencyMismatch);
    }
    let hold = Hold {
        id: transfer.id,
        debit: transfer.debit,
        credit: transfer.credit,
        amount: transfer.amount,
        currency: transfer.currency,
        captured: Balance::ZERO,
        released: Balance::ZERO,
        state: HoldState::Open,
        expires_at,
        placed_at: now.posted_at,
        ended_at: None,
    };
    hold.open_at(now.clock)?;
    if account.state == AccountState::Closed {
        return Err(Refusal::DebitAccountClosed);
    }
    if account.state.freezes_debits() {
        return Err(Refusal::DebitAccountFrozen);
    }
    covers(account, transfer.amount)?;
    let held = account.held.credited(transfer.amount).ok_or(Refusal::BalanceOutOfRange)?;
    Ok(Effect::Reserved { place, held, hold, amount: transfer.amount })
}

/// What was reserved is there, so funds are not asked for again.
fn captured(
    transfer: &Transfer,
    hold: Option<&Hold>,
    is_final: bool,
    accounts: &Accounts,
    now: Now,
) -> Result<Effect, Refusal> {
    let sides = both(transfer, accounts)?;
    let hold = own(transfer, hold)?;
    hold.open_at(now.clock)?;
    both_take(sides)?;
    let after = hold.captured(transfer.amount, is_final, now.posted_at).ok_or(Refusal::HoldExceeded)?;
    let freed = hold.remaining().zip(after.remaining()).and_then(|(before, after)| before.minus(after));
    let [debit, credit] = postings(sides, transfer.amount, freed.ok_or(Refusal::BalanceOutOfRange)?)?;
    Ok(Effect::Moved { debit, credit, source: Some(Source::Hold(after)), amount: transfer.amount })
}

/// The account that was paid pays back; where an operator forces it, with money that it does not have.
fn reversed(
    transfer: &Transfer,
    (original, is_forced): (TransferId, bool),
    accounts: &Accounts,
    sources: &Sources,
) -> Result<Effect, Refusal> {
    let sides = both(transfer, accounts)?;
    let is_own = |original: &&Original| original.debit == transfer.credit && original.credit == transfer.debit;
    let original =
        sources.originals.get(&(transfer.debit, original)).filter(is_own).filter(|original| original.is_reversible());
    let original = original.ok_or(Refusal::NotReversible)?;
    both_take(sides)?;
    let after = original.reversed_by(transfer.amount).ok_or(Refusal::ReversalExceeded)?;
    let [debit, _] = sides;
    if !is_forced {
        covers(debit.1, transfer.amount).map_err(|_| Refusal::ReversalNotCovered)?;
    }
    let [debit, credit] = postings(sides, transfer.amount, Balance::ZERO)?;
    let debit = Posting { may_exceed: is_forced, ..debit };
    Ok(Effect::Moved { debit, credit, source: Some(Source::Original(after)), amount: transfer.amount })
}

fn given_back(
    place: Place,
    account: &LockedAccount,
    hold: &Hold,
    state: HoldState,
    now: Timestamp,
) -> Result<Effect, Refusal> {
    let rest = hold.remaining().ok_or(Refusal::BalanceOutOfRange)?;
    let amount = Amount::new(rest.minor_units()).map_err(|_| Refusal::BalanceOutOfRange)?;
    let held = account.held.minus(rest).ok_or(Refusal::BalanceOutOfRange)?;
    let hold = hold.ended(state, now).ok_or(Refusal::BalanceOutOfRange)?;
    Ok(Effect::Reserved { place, held, hold, amount })
}

/// The hold that the transfer names, if it is of these accounts.
fn own<'a>(transfer: &Transfer, hold: Option<&'a Hold>) -> Result<&'a Hold, Refusal> {
    hold.filter(|hold| hold.debit == transfer.debit && hold.credit == transfer.credit).ok_or(Refusal::HoldMismatch)
}
