//! What a batch has done so far, in memory: its accounts, holds and originals, and the way back if a chain breaks.

use crate::account_number::AccountNumber;
use crate::decide::{Effect, Nothing, Now, Source, Sources, decide};
use crate::hold::Hold;
use crate::locked_accounts::{Accounts, LockedAccount};
use crate::original::Original;
use crate::transfer::{Decision, Transfer, TransferRecord};
use crate::transfer_id::TransferId;
use std::collections::BTreeSet;

/// By the account that pays and the id.
type Name = (AccountNumber, TransferId);

/// The batch's accounts and what its transfers take from, as the transfers so far left them.
pub(crate) struct Ledger {
    accounts: Accounts,
    sources: Sources,
    /// Holds and originals that were changed.
    held: BTreeSet<Name>,
    reversed: BTreeSet<Name>,
    now: Now,
    /// While a chain is decided: what its links changed, oldest first.
    undo: Option<Vec<Before>>,
}

/// A hold or an original before a link changed it.
enum Before {
    Hold(Name, Option<Hold>, bool),
    Original(Name, Option<Original>, bool),
}

/// What the database has to store.
pub(crate) struct Stored {
    pub(crate) accounts: Vec<(AccountNumber, LockedAccount)>,
    pub(crate) has_marked: bool,
    pub(crate) holds: Vec<Hold>,
    pub(crate) originals: Vec<Original>,
}

impl Ledger {
    pub(crate) fn new(accounts: Accounts, holds: Vec<Hold>, originals: Vec<Original>, now: Now) -> Self {
        let sources = Sources {
            holds: holds.into_iter().map(|hold| ((hold.debit, hold.id), hold)).collect(),
            originals: originals.into_iter().map(|original| ((original.credit, original.id), original)).collect(),
        };
        Self { accounts, sources, held: BTreeSet::new(), reversed: BTreeSet::new(), now, undo: None }
    }

    /// Decides a transfer and does what it does; its record if it is posted.
    pub(crate) fn post(&mut self, transfer: &Transfer) -> Result<TransferRecord, Nothing> {
        let posted_at = self.now.posted_at;
        let mut transfer = transfer.clone();
        let (decision, source) = match decide(&transfer, &self.accounts, &self.sources, self.now)? {
            Effect::Moved { debit, credit, source, amount } => {
                transfer.amount = amount;
                let [debit, credit] =
                    [debit, credit].map(|posting| self.accounts.post(&posting, transfer.id, posted_at));
                (Decision::Posted { debit, credit }, source)
            }
            Effect::Reserved { place, held, hold, amount } => {
                self.accounts.reserve(place, held, posted_at);
                transfer.amount = amount;
                (Decision::Posted { debit: None, credit: None }, Some(Source::Hold(hold)))
            }
        };
        match source {
            None => {}
            Some(Source::Hold(hold)) => self.set_hold(hold),
            Some(Source::Original(original)) => self.set_original(original),
        }
        Ok(TransferRecord { transfer, decision, posted_at })
    }

    fn set_hold(&mut self, hold: Hold) {
        let name = (hold.debit, hold.id);
        let before = self.sources.holds.insert(name, hold);
        let is_first = self.held.insert(name);
        if let Some(undo) = &mut self.undo {
            undo.push(Before::Hold(name, before, is_first));
        }
    }

    fn set_original(&mut self, original: Original) {
        let name = (original.credit, original.id);
        let before = self.sources.originals.insert(name, original);
        let is_first = self.reversed.insert(name);
        if let Some(undo) = &mut self.undo {
            undo.push(Before::Original(name, before, is_first));
        }
    }

    /// The transfers until [`Self::keep`] or [`Self::take_back`] are links of a chain.
    pub(crate) fn begin(&mut self) {
        self.undo = Some(Vec::new());
        self.accounts.begin();
    }

    /// The chain is whole.
    pub(crate) fn keep(&mut self) {
        self.undo = None;
        self.accounts.keep();
    }

    /// The chain is broken: nothing of it has happened.
    pub(crate) fn take_back(&mut self) {
        for before in self.undo.take().into_iter().flatten().rev() {
            match before {
                Before::Hold(name, before, is_first) => {
                    put_back(&mut self.sources.holds, name, before);
                    if is_first {
                        self.held.remove(&name);
                    }
                }
                Before::Original(name, before, is_first) => {
                    put_back(&mut self.sources.originals, name, before);
                    if is_first {
                        self.reversed.remove(&name);
                    }
                }
            }
        }
        self.accounts.take_back();
    }

    /// What is to be stored.
    pub(crate) fn stored(self) -> Stored {
        let Sources { holds, originals } = self.sources;
        Stored {
            has_marked: self.accounts.has_marked(),
            accounts: self.accounts.posted(),
            holds: self.held.iter().filter_map(|name| holds.get(name).copied()).collect(),
            originals: self.reversed.iter().filter_map(|name| originals.get(name).copied()).collect(),
        }
    }
}

fn put_back<T>(all: &mut foldhash::HashMap<Name, T>, name: Name, before: Option<T>) {
    match before {
        Some(before) => {
            all.insert(name, before);
        }
        None => {
            all.remove(&name);
        }
    }
}
