//! What was asked and what was answered: every attempt with the instants of its invocation and of its answer.
//!
//! This is the oracle's own record. It is written by the clients as they go, before a request leaves and after its
//! answer is read, so that "before" in it means before in real time. Accounts are the bare keys of the databases;
//! nothing here knows how the bank decides. What is asked for is in `content`, changes of accounts are in `change`.

mod change;
mod content;

pub use change::{Change, ChangeAnswer, NewTerms};
pub use content::{Chain, Content, Kind, Link, Shape, Unit};

use std::sync::{Mutex, MutexGuard};
use std::time::Instant;
use uuid::Uuid;

/// Microseconds since the run began.
pub type Micros = u64;

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
        /// So much was moved, reserved or given back, it says.
        amount: i64,
    },
    /// Decided, not finished everywhere.
    Settling {
        /// The batch.
        batch: Box<str>,
        /// So much was moved, reserved or given back, it says.
        amount: i64,
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
    /// Lists of requests that were sent as chains.
    pub chains: Vec<Chain>,
    /// Changes of accounts.
    pub changes: Vec<Change>,
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
        vary(&mut self.history(), sent, content)
    }

    /// New ids for contents that are one chain in their order; its number.
    pub fn open_chain(&self, shape: Shape, links: &[(Uuid, Content)]) -> usize {
        let mut history = self.history();
        let first = history.sent.len();
        let numbered: Vec<(usize, Content)> =
            links.iter().enumerate().map(|(at, (_, content))| (first + at, *content)).collect();
        let ids = links.iter().map(|(id, _)| *id);
        history.sent.extend(ids.map(|id| Sent { id, contents: Vec::new(), attempts: Vec::new() }));
        link(&mut history, shape, &numbered)
    }

    /// Another list of ids that are there, with contents of their own; its number.
    pub fn vary_chain(&self, shape: Shape, links: &[(usize, Content)]) -> usize {
        link(&mut self.history(), shape, links)
    }

    /// A chain.
    pub fn chain(&self, at: usize) -> Chain {
        self.history().chains[at].clone()
    }

    /// The requests of a unit, in their order.
    pub fn items(&self, unit: Unit) -> Vec<(usize, u8)> {
        match unit {
            Unit::Request(sent, content) => vec![(sent, content)],
            Unit::Chain(at) => self.chain(at).links,
        }
    }

    /// The id and a content.
    pub fn request(&self, sent: usize, content: u8) -> (Uuid, Content) {
        let history = self.history();
        let sent = &history.sent[sent];
        (sent.id, sent.contents[usize::from(content)])
    }

    /// Requests are about to be sent as one. Until they are completed they count as some that never ended. All are
    /// written at once, so that the attempts at a chain have one order at all of its links.
    pub fn invoke(&self, items: &[(usize, u8)], server: usize) -> Vec<Place> {
        let invoked = self.now();
        let server = u8::try_from(server).expect("a handful of servers");
        let mut history = self.history();
        let mut places = Vec::with_capacity(items.len());
        for (sent, content) in items {
            let attempts = &mut history.sent[*sent].attempts;
            let answer = Answer::Indeterminate(Cause::Abandoned);
            attempts.push(Attempt { content: *content, server, invoked, completed: Micros::MAX, answer });
            places.push(Place { sent: *sent, attempt: attempts.len() - 1 });
        }
        places
    }

    /// Requests were answered, or given up.
    pub fn complete(&self, places: &[Place], answers: &[Answer]) {
        let now = self.now();
        let mut history = self.history();
        for (place, answer) in places.iter().zip(answers) {
            let attempt = &mut history.sent[place.sent].attempts[place.attempt];
            attempt.completed = now;
            attempt.answer = answer.clone();
        }
    }

    /// A change is about to be sent; its number.
    pub fn open_change(&self, account: i64, terms: NewTerms) -> (usize, Uuid) {
        let mut history = self.history();
        let id = Uuid::now_v7();
        history.changes.push(Change { id, account, terms, answers: Vec::new() });
        (history.changes.len() - 1, id)
    }

    /// A change was answered.
    pub fn tell_change(&self, at: usize, answer: ChangeAnswer) {
        self.history().changes[at].answers.push(answer);
    }

    /// An account was looked at.
    pub fn read(&self, read: Read) {
        self.history().reads.push(read);
    }

    /// What is not settled: open, or settling. With it that of which every attempt moved nothing, by its own words,
    /// except every second one: that half is left alone, and must never be posted.
    pub fn unsettled(&self) -> Vec<Unit> {
        let history = self.history();
        let mut unsettled = Vec::new();
        for (at, sent) in history.sent.iter().enumerate() {
            for (content, asked) in (0_u8..).zip(&sent.contents) {
                if asked.link.is_none() && is_left(&history, &[(at, content)], at) {
                    unsettled.push(Unit::Request(at, content));
                }
            }
        }
        for (at, chain) in history.chains.iter().enumerate() {
            if is_left(&history, &chain.links, at) {
                unsettled.push(Unit::Chain(at));
            }
        }
        unsettled
    }

    /// Everything; what follows begins anew.
    pub fn take(&self) -> History {
        std::mem::take(&mut self.history())
    }
}

fn vary(history: &mut History, sent: usize, content: Content) -> u8 {
    let contents = &mut history.sent[sent].contents;
    contents.push(content);
    u8::try_from(contents.len() - 1).expect("a handful of contents")
}

/// Makes a chain of contents of ids that are there.
fn link(history: &mut History, shape: Shape, links: &[(usize, Content)]) -> usize {
    let chain = history.sent[links[0].0].id;
    let length = u16::try_from(links.len()).expect("a handful of links");
    let linked = (0_u16..).zip(links).map(|(position, (sent, content))| {
        let content = Content { link: Some(Link { chain, position, length }), ..*content };
        (*sent, vary(history, *sent, content))
    });
    let links = linked.collect();
    history.chains.push(Chain { shape, links });
    history.chains.len() - 1
}

/// Whether requests that go as one are to be sent again once the faults are over.
fn is_left(history: &History, items: &[(usize, u8)], number: usize) -> bool {
    let is_done = items.iter().all(|item| attempts(history, *item).any(|attempt| attempt.answer.is_final()));
    let mut all = items.iter().flat_map(|item| attempts(history, *item));
    let moved_nothing = all.all(|attempt| !attempt.answer.may_have_moved());
    !is_done && (!moved_nothing || number.is_multiple_of(2))
}

/// The attempts with a content.
fn attempts(history: &History, (sent, content): (usize, u8)) -> impl Iterator<Item = &Attempt> {
    history.sent[sent].attempts.iter().filter(move |attempt| attempt.content == content)
}
