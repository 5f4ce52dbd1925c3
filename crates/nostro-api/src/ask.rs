//! What a request asks for, as it was said: whole, or naming a hold or a transfer that its accounts follow from.
//!
//! The bodies are read into it; what the branches know of what it names is in [`crate::facts`], and the two make a transfer.

use nostro_core::{AccountNumber, Amount, BranchCode, Currency, Hold, Operation, Reference, Transfer, TransferId};

/// A movement that is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// All is said.
    Whole(Transfer),
    /// Of a hold.
    OfHold { hold: TransferId, what: OfHold, classified: Classified, branch: Option<BranchCode> },
    /// A reversal of so much, or of all.
    Reversal {
        original: TransferId,
        amount: Option<Amount>,
        is_forced: bool,
        classified: Classified,
        branch: Option<BranchCode>,
    },
}

/// What is asked for of a hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OfHold {
    /// So much of it, perhaps for the last time.
    Capture { amount: Amount, is_final: bool },
    /// The end of it.
    Release,
}

/// What a client calls a transfer, whatever it does.
#[derive(Clone, Debug)]
pub(crate) struct Classified {
    pub(crate) id: TransferId,
    pub(crate) category: u16,
    pub(crate) reference: Option<Reference>,
}

/// Of a hold, what the transfers that end it or take from it need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserved {
    pub(crate) debit: AccountNumber,
    pub(crate) credit: AccountNumber,
    pub(crate) amount: Amount,
    pub(crate) currency: Currency,
}

impl From<&Hold> for Reserved {
    fn from(hold: &Hold) -> Self {
        let Hold { debit, credit, amount, currency, .. } = *hold;
        Self { debit, credit, amount, currency }
    }
}

impl From<&Transfer> for Reserved {
    /// Of the transfer that places it.
    fn from(transfer: &Transfer) -> Self {
        let Transfer { debit, credit, amount, currency, .. } = *transfer;
        Self { debit, credit, amount, currency }
    }
}

impl Ask {
    /// The client's id.
    pub(crate) fn id(&self) -> TransferId {
        match self {
            Self::Whole(transfer) => transfer.id,
            Self::OfHold { classified, .. } | Self::Reversal { classified, .. } => classified.id,
        }
    }

    /// The hold that it names.
    pub(crate) fn hold(&self) -> Option<TransferId> {
        match self {
            Self::Whole(_) | Self::Reversal { .. } => None,
            Self::OfHold { hold, .. } => Some(*hold),
        }
    }

    /// The transfer that it names.
    pub(crate) fn original(&self) -> Option<TransferId> {
        match self {
            Self::Whole(_) | Self::OfHold { .. } => None,
            Self::Reversal { original, .. } => Some(*original),
        }
    }

    /// The branch that it names, where two may know what it names.
    pub(crate) fn branch(&self) -> Option<BranchCode> {
        match self {
            Self::Whole(_) => None,
            Self::OfHold { branch, .. } | Self::Reversal { branch, .. } => *branch,
        }
    }
}

/// What is done to a hold: its accounts and its currency are the hold's.
pub(crate) fn of_hold(hold: TransferId, what: OfHold, classified: &Classified, reserved: Reserved) -> Transfer {
    let (operation, amount) = match what {
        OfHold::Capture { amount, is_final } => (Operation::Capture { hold, is_final }, amount),
        // Its amount is what is left, which only the branch knows.
        OfHold::Release => (Operation::Release { hold }, reserved.amount),
    };
    let Reserved { debit, credit, currency, .. } = reserved;
    let Classified { id, category, reference } = classified.clone();
    Transfer { id, operation, debit, credit, amount, currency, category, reference, link: None }
}

/// A reversal of so much of a transfer, or of all: the account that was paid pays back.
pub(crate) fn of_original(
    original: &Transfer,
    amount: Option<Amount>,
    is_forced: bool,
    classified: &Classified,
) -> Transfer {
    let Classified { id, category, reference } = classified.clone();
    Transfer {
        id,
        operation: Operation::Reversal { original: original.id, is_forced },
        debit: original.credit,
        credit: original.debit,
        amount: amount.unwrap_or(original.amount),
        currency: original.currency,
        category,
        reference,
        link: None,
    }
}
