//! What a request asks for, as it was said: whole, or naming a hold or a transfer that its accounts follow from.
//!
//! What the branches know of that is in [`crate::facts`].

use crate::hold_body::{self, Reserved};
use crate::transfer_body::{self, Classified};
use nostro_core::{Amount, BranchCode, Operation, Transfer, TransferId};

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

/// What is done to a hold of these accounts.
pub(crate) fn of_hold(hold: TransferId, what: OfHold, classified: &Classified, reserved: Reserved) -> Transfer {
    let (operation, amount) = match what {
        OfHold::Capture { amount, is_final } => (Operation::Capture { hold, is_final }, amount),
        // Its amount is what is left, which only the branch knows.
        OfHold::Release => (Operation::Release { hold }, reserved.amount),
    };
    hold_body::of_hold(reserved, operation, amount, classified.clone())
}

/// A reversal of a transfer.
pub(crate) fn of_original(
    original: &Transfer,
    amount: Option<Amount>,
    is_forced: bool,
    classified: &Classified,
) -> Transfer {
    transfer_body::of_original(original, amount, is_forced, classified.clone())
}
