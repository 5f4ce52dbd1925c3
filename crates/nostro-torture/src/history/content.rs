//! What a request asks for, in the words of the tables.

use uuid::Uuid;

/// What is done with money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From account to account.
    Transfer,
    /// From account to account, as much as is available; the amount is the most.
    UpTo,
    /// Cash that comes in.
    Deposit,
    /// Cash that goes out.
    Withdrawal,
    /// Money that is reserved.
    Hold {
        /// Microseconds of the Unix epoch; never if absent.
        expires_at: Option<i64>,
    },
    /// Reserved money that moves.
    Capture {
        /// Out of this hold.
        hold: Uuid,
        /// Whether the rest is given back.
        is_final: bool,
    },
    /// What is left of a hold is given back. Its content's amount is the hold's.
    Release {
        /// This one.
        hold: Uuid,
    },
    /// Money that goes back.
    Reversal {
        /// Of this transfer.
        original: Uuid,
        /// All that it moved: then the request names no amount.
        is_whole: bool,
        /// Whether the account that was paid may be overdrawn by it.
        is_forced: bool,
    },
}

impl Kind {
    /// The word of the API and of the tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transfer | Self::UpTo => "transfer",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::Hold { .. } => "hold",
            Self::Capture { .. } => "capture",
            Self::Release { .. } => "release",
            Self::Reversal { .. } => "reversal",
        }
    }

    /// For the report, which tells apart what the tables do not.
    pub fn name(self) -> &'static str {
        match self {
            Self::UpTo => "up to",
            Self::Hold { expires_at: Some(_) } => "hold that expires",
            Self::Capture { is_final: true, .. } => "final capture",
            Self::Reversal { is_forced: true, .. } => "forced reversal",
            Self::Transfer
            | Self::Deposit
            | Self::Withdrawal
            | Self::Hold { expires_at: None }
            | Self::Capture { is_final: false, .. }
            | Self::Release { .. }
            | Self::Reversal { is_forced: false, .. } => self.word(),
        }
    }

    /// Whether money moves. What does not stays at the debit account, at its branch alone.
    pub fn moves_money(self) -> bool {
        match self {
            Self::Transfer
            | Self::UpTo
            | Self::Deposit
            | Self::Withdrawal
            | Self::Capture { .. }
            | Self::Reversal { .. } => true,
            Self::Hold { .. } | Self::Release { .. } => false,
        }
    }
}

/// A place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The id of the first link.
    pub chain: Uuid,
    /// 0 for the first.
    pub position: u16,
    /// How many links there are.
    pub length: u16,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// What it does.
    pub kind: Kind,
    /// Key of the account that pays.
    pub debit: i64,
    /// Key of the account that is paid.
    pub credit: i64,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: &'static str,
    /// 0 to 65535.
    pub category: u16,
    /// Text for the statement.
    pub reference: Option<&'static str>,
    /// The one refusal that is right, where the request can never be posted.
    pub doomed: Option<&'static str>,
    /// Its place in the chain that it is of.
    pub link: Option<Link>,
}

/// How a chain is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As items of a bulk that are linked.
    Linked,
    /// As a bulk that is atomic.
    Atomic,
    /// As a transfer with many legs.
    MultiLeg,
}

/// Requests that are posted together or not at all, each with the number of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// How it is sent.
    pub shape: Shape,
    /// In their order.
    pub links: Vec<(usize, u8)>,
}

/// What is sent, and sent again, as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A request by itself, and the number of its content.
    Request(usize, u8),
    /// A chain, by its number.
    Chain(usize),
}
