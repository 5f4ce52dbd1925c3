//! What was asked and what was answered: every attempt with the instants of its invocation and of its answer.
//!
//! This is the oracle's own record. It is written by the clients as they go, before a request leaves and after its
//! answer is read, so that "before" in it means before in real time. Accounts are the bare keys of the databases;
//! nothing here knows how the bank decides.

use std::sync::{Mutex, MutexGuard};
use std::time::Instant;
use uuid::Uuid;

/// Microseconds since the run began.
pub type Micros = u64;

/// Which of the three ways to move money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From account to account.
    Transfer,
    /// Cash that comes in.
    Deposit,
    /// Cash that goes out.
    Withdrawal,
}

impl Kind {
    /// The word of the API and of the tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
        }
    }
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// How.
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
}

/// Why nothing is known of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The server itself said unknown.
    SaidUnknown,
    /// A 5xx that is not 503.
    Failed,
    /// The connection broke off.
    Broken,
    /// The client hung up or lost its patience.
    HungUp,
    /// The run ended while it was on its way.
    Abandoned,
}

impl Cause {
    /// For the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::SaidUnknown => "told unknown",
            Self::Failed => "5xx",
            Self::Broken => "connection broken",
            Self::HungUp => "client hung up",
            Self::Abandoned => "never ended",
        }
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Committed at every branch.
    Posted {
        /// By an earlier request.
        replayed: bool,
        /// The batch that is said to have moved it.
        batch: Box<str>,
    },
    /// Decided, not finished everywhere.
    Settling {
        /// The batch.
        batch: Box<str>,
    },
    /// Refused for good.
    Refused {
        /// By an earlier request.
        replayed: bool,
        /// The code.
        code: Box<str>,
    },
    /// The id has other content.
    Conflict,
    /// This attempt moved nothing.
    Unavailable(Box<str>),
    /// Nobody listened.
    NotConnected,
    /// The request is not one, it is said.
    Rejected(Box<str>),
    /// Nobody knows.
    Indeterminate(Cause),
    /// An answer that does not answer the request.
    Nonsense(Box<str>),
}

impl Answer {
    /// Whether the attempt may have moved the money, as far as the answer tells.
    pub fn may_have_moved(&self) -> bool {
        match self {
            Self::Posted { .. } | Self::Settling { .. } | Self::Indeterminate(_) | Self::Nonsense(_) => true,
            Self::Refused { .. } | Self::Conflict | Self::Unavailable(_) | Self::NotConnected | Self::Rejected(_) => {
                false
            }
        }
    }

    /// Whether the same request can only be answered the same from now on.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Posted { .. } | Self::Refused { .. } | Self::Conflict | Self::Rejected(_))
    }
}

/// One request, sent once.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Which of the contents under the id.
    pub content: u8,
    /// Which server.
    pub server: u8,
    /// Before it was sent.
    pub invoked: Micros,
    /// After its answer was read, or given up; `Micros::MAX` if that never came.
    pub completed: Micros,
    /// What was answered.
    pub answer: Answer,
}

/// An id and all that was sent under it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The id.
    pub id: Uuid,
    /// What was asked under it; more than one only where a client breaks the rule on purpose.
    pub contents: Vec<Content>,
    /// Every attempt, in the order of invocation.
    pub attempts: Vec<Attempt>,
}

/// An account as it was shown.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// The account's key.
    pub account: i64,
    /// Before it was asked for.
    pub invoked: Micros,
    /// After it was shown.
    pub completed: Micros,
    /// Its sequence number.
    pub seq: i64,
    /// Its balance, credits minus debits.
    pub balance: i64,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Ids in the order of their first use.
    pub sent: Vec<Sent>,
    /// Accounts that were looked at.
    pub reads: Vec<Read>,
}

/// Writes the history for many clients at once.
#[derive(Debug)]
pub struct Recorder {
    begin: Instant,
    history: Mutex<History>,
}

/// Where an attempt stands in the history.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    sent: usize,
    attempt: usize,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { begin: Instant::now(), history: Mutex::default() }
    }
}

impl Recorder {
    /// Now.
    pub fn now(&self) -> Micros {
        u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(Micros::MAX - 1)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("nobody panics while writing the history")
    }

    /// A new id for this content; its number in the history.
    pub fn open(&self, id: Uuid, content: Content) -> usize {
        let mut history = self.history();
        history.sent.push(Sent { id, contents: vec![content], attempts: Vec::new() });
        history.sent.len() - 1
    }

    /// Another content under the same id.
    pub fn vary(&self, sent: usize, content: Content) -> u8 {
        let mut history = self.history();
        let contents = &mut history.sent[sent].contents;
        contents.push(content);
        u8::try_from(contents.len() - 1).expect("a handful of contents")
    }

    /// The id and a content.
    pub fn request(&self, sent: usize, content: u8) -> (Uuid, Content) {
        let history = self.history();
        let sent = &history.sent[sent];
        (sent.id, sent.contents[usize::from(content)])
    }

    /// A request is about to be sent. Until it is completed it counts as one that never ended.
    pub fn invoke(&self, sent: usize, content: u8, server: usize) -> Place {
        let invoked = self.now();
        let server = u8::try_from(server).expect("a handful of servers");
        let mut history = self.history();
        let attempts = &mut history.sent[sent].attempts;
        let answer = Answer::Indeterminate(Cause::Abandoned);
        attempts.push(Attempt { content, server, invoked, completed: Micros::MAX, answer });
        Place { sent, attempt: attempts.len() - 1 }
    }

    /// A request was answered, or given up.
    pub fn complete(&self, place: Place, answer: Answer) {
        let now = self.now();
        let mut history = self.history();
        let attempt = &mut history.sent[place.sent].attempts[place.attempt];
        attempt.completed = now;
        attempt.answer = answer;
    }

    /// An account was looked at.
    pub fn read(&self, read: Read) {
        self.history().reads.push(read);
    }

    /// The requests that are not settled: open, or settling. With them those of which every attempt moved nothing,
    /// by its own words, except every second one: that half is left alone, and must never be posted.
    pub fn unsettled(&self) -> Vec<(usize, u8)> {
        let history = self.history();
        let mut unsettled = Vec::new();
        for (at, sent) in history.sent.iter().enumerate() {
            for content in 0..u8::try_from(sent.contents.len()).expect("a handful of contents") {
                let attempts = || sent.attempts.iter().filter(|attempt| attempt.content == content);
                let done = attempts().any(|attempt| attempt.answer.is_final());
                let moved_nothing = attempts().all(|attempt| !attempt.answer.may_have_moved());
                if !done && (!moved_nothing || at % 2 == 0) {
                    unsettled.push((at, content));
                }
            }
        }
        unsettled
    }

    /// Everything; what follows begins anew.
    pub fn take(&self) -> History {
        std::mem::take(&mut self.history())
    }
}
