//! Clients: every kind of transfer, hot accounts, requests that must be refused, the same id again in every way.
//!
//! A client does what a careful one does (the same id again until there is an answer), and what a careless one does
//! (gives up, hangs up, sends an id twice at once, to both servers, with other content). What was sent and answered
//! goes into the history; nothing here judges it.

use crate::history::{Answer, Cause, Content, Kind, Micros, Place, Recorder};
use crate::stage::Stage;
use fastrand::Rng;
use nostro_client::{
    BulkItem, CashRequest, Client, ClientError, NewAccount, NewCustomer, Outcome, Transfer, TransferRequest,
    UnknownCause,
};
use nostro_core::{AccountNumber, Amount};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Accounts of each branch by what they are like.
const HOT: usize = 3;
const POOR: usize = 2;
const WITH_LIMIT: usize = 3;
const COMMON: usize = 22;
const MONEY: i64 = 1_000_000;
const LIMIT: i64 = 50_000;

/// Longer than any wait of the server's own.
const PATIENCE: Duration = Duration::from_secs(25);
/// Transfers of one bulk request.
const BULK: std::ops::Range<usize> = 5..100;
/// While settling: transfers of one bulk request, and how long until all must be final.
const SETTLE_BULK: usize = 400;
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// Ids that a client may send again later.
const REMEMBERED: usize = 64;
/// Serial of an account that nobody has.
const NOBODY: i64 = 899_999_999_999;
const KEY_BASE: i64 = 1_000_000_000_000;

/// Who plays.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    /// By branch: hot, poor, with a limit, common, in this order.
    accounts: [Vec<i64>; 2],
    numbers: BTreeMap<i64, AccountNumber>,
    cash: [i64; 2],
}

fn key(number: AccountNumber) -> i64 {
    let text = number.to_string();
    let branch = if text.starts_with("AZ") { 1 } else { 2 };
    let serial: i64 = text[text.len() - 12..].parse().expect("twelve digits");
    branch * KEY_BASE + serial
}

fn number(key: i64) -> AccountNumber {
    let code = if key / KEY_BASE == 1 { "AZ" } else { "TX" };
    let serial = u64::try_from(key % KEY_BASE).expect("positive");
    AccountNumber::new(crate::money::code(code), serial).expect("a serial of an account")
}

impl Cast {
    /// Opens all accounts and pays in.
    pub async fn open(stage: &Stage, recorder: &Recorder) -> Self {
        let client = stage.client(0);
        let mut cast = Self::default();
        for (at, branch) in ["AZ", "TX"].into_iter().enumerate() {
            let name = format!("Customer of {branch}");
            let customer = NewCustomer { id: Uuid::now_v7(), branch: crate::money::code(branch), name };
            let customer = client.create_customer(&customer).await.unwrap();
            cast.cash[at] = (i64::try_from(at).expect("two branches") + 1) * KEY_BASE + 840;
            for place in 0..HOT + POOR + WITH_LIMIT + COMMON {
                let is_limited = (HOT + POOR..HOT + POOR + WITH_LIMIT).contains(&place);
                let new = NewAccount {
                    id: Uuid::now_v7(),
                    customer: customer.number,
                    kind: "checking".into(),
                    currency: crate::money::dollars(),
                    overdraft_limit: if is_limited { LIMIT } else { 0 },
                };
                let number = client.open_account(&new).await.unwrap().number;
                let account = key(number);
                cast.accounts[at].push(account);
                cast.numbers.insert(account, number);
                if !(HOT..HOT + POOR + WITH_LIMIT).contains(&place) {
                    let content = Content {
                        kind: Kind::Deposit,
                        debit: cast.cash[at],
                        credit: account,
                        amount: MONEY,
                        currency: "USD",
                        category: 0,
                        reference: None,
                        doomed: None,
                    };
                    let sent = recorder.open(Uuid::now_v7(), content);
                    let answer = send(&client, recorder, sent, 0, 0, PATIENCE).await;
                    assert!(matches!(answer, Answer::Posted { .. }), "{answer:?}");
                }
            }
        }
        cast
    }

    /// All accounts, those of the bank included.
    pub fn all(&self) -> Vec<(i64, AccountNumber)> {
        let own = self.cash.iter().map(|account| (*account, number(*account)));
        self.numbers.iter().map(|(account, number)| (*account, *number)).chain(own).collect()
    }

    /// A transfer from one branch to the other, between common accounts.
    pub fn across(&self, from: usize) -> Content {
        Content {
            kind: Kind::Transfer,
            debit: self.accounts[from][HOT + POOR + WITH_LIMIT],
            credit: self.accounts[1 - from][HOT + POOR + WITH_LIMIT],
            amount: 1,
            currency: "USD",
            category: 0,
            reference: Some("after the faults"),
            doomed: None,
        }
    }

    fn draw(&self, random: &mut Rng, branch: usize) -> i64 {
        let accounts = &self.accounts[branch];
        if random.u32(..100) < 35 { accounts[random.usize(..HOT)] } else { accounts[random.usize(..accounts.len())] }
    }

    fn content(&self, random: &mut Rng, kind: Kind) -> Content {
        let branch = random.usize(..2);
        let reference = match random.u32(..10) {
            0 => Some("rent"),
            1 => Some("Übertrag 'für' \"zwei\" €"),
            _ => None,
        };
        let amount = if random.u32(..50) == 0 { random.i64(100_000..2_000_000) } else { random.i64(1..5_000) };
        let category = random.u16(..4);
        let account = self.draw(random, branch);
        let mut content = Content {
            kind,
            debit: account,
            credit: self.cash[branch],
            amount,
            currency: "USD",
            category,
            reference,
            doomed: None,
        };
        match kind {
            Kind::Withdrawal => {}
            Kind::Deposit => (content.debit, content.credit) = (content.credit, content.debit),
            Kind::Transfer => {
                let to = if random.u32(..100) < 65 { 1 - branch } else { branch };
                content.credit = self.draw(random, to);
                while content.credit == content.debit {
                    content.credit = self.accounts[to][random.usize(..self.accounts[to].len())];
                }
                self.maybe_doom(random, &mut content);
            }
        }
        content
    }

    /// One in thirty can never be posted.
    fn maybe_doom(&self, random: &mut Rng, content: &mut Content) {
        let nobody = |account: i64| account / KEY_BASE * KEY_BASE + NOBODY;
        match random.u32(..120) {
            0 => (content.debit, content.doomed) = (nobody(content.debit), Some("debit_account_not_found")),
            1 => (content.credit, content.doomed) = (nobody(content.credit), Some("credit_account_not_found")),
            2 => (content.currency, content.doomed) = ("EUR", Some("currency_mismatch")),
            3 => (content.amount, content.doomed) = (1_000_000_000_000_000, Some("insufficient_funds")),
            _ => {}
        }
    }

    /// Another content that touches the same branches, so that one of the two is recorded.
    fn vary(&self, random: &mut Rng, mut content: Content) -> Content {
        content.doomed = None;
        match random.u32(..3) {
            0 => content.amount = if content.amount > 1 { content.amount - 1 } else { 2 },
            1 => content.category += 1,
            _ if content.kind == Kind::Transfer => {
                let accounts = &self.accounts[usize::from(content.credit / KEY_BASE == 2)];
                let before = content.credit;
                while content.credit == before || content.credit == content.debit {
                    content.credit = accounts[random.usize(..accounts.len())];
                }
            }
            _ => content.reference = Some("other"),
        }
        content
    }
}

/// What a client needs.
#[derive(Clone)]
pub struct Crowd {
    /// The servers.
    pub stage: Arc<Stage>,
    /// The history.
    pub recorder: Arc<Recorder>,
    /// The accounts.
    pub cast: Arc<Cast>,
    /// Told to stop.
    pub stop: Arc<AtomicBool>,
}

impl Crowd {
    /// One client, until told to stop.
    pub async fn work(self, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let mut remembered: Vec<(usize, u8)> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let kind = match random.u32(..100) {
                0..12 => Kind::Deposit,
                12..22 => Kind::Withdrawal,
                _ => Kind::Transfer,
            };
            let content = self.cast.content(&mut random, kind);
            let known = match random.u32(..100) {
                0..18 => self.bulk(&mut random).await,
                18..23 => self.twice_at_once(&mut random, content).await,
                23..28 => self.with_other_content(&mut random, content).await,
                28..34 if !remembered.is_empty() => {
                    let (sent, content) = remembered[random.usize(..remembered.len())];
                    self.pursue(&mut random, sent, content).await;
                    None
                }
                _ => {
                    let sent = self.recorder.open(Uuid::now_v7(), content);
                    self.pursue(&mut random, sent, 0).await;
                    Some((sent, 0))
                }
            };
            if let Some(known) = known {
                if remembered.len() == REMEMBERED {
                    remembered.swap_remove(random.usize(..REMEMBERED));
                }
                remembered.push(known);
            }
            tokio::time::sleep(Duration::from_millis(random.u64(10..90))).await;
        }
    }

    fn server(&self, random: &mut Rng) -> usize {
        random.usize(..self.stage.servers())
    }

    async fn send(&self, server: usize, sent: usize, content: u8, patience: Duration) -> Answer {
        let client = self.stage.client(server);
        send(&client, &self.recorder, sent, content, server, patience).await
    }

    /// Sends once, and a few times more where there is no final answer; then it is left for the end.
    async fn pursue(&self, random: &mut Rng, sent: usize, content: u8) {
        for _ in 0..random.u32(1..5) {
            let server = self.server(random);
            // One in twenty-five hangs up.
            let hangs_up = random.u32(..25) == 0;
            let patience = if hangs_up { Duration::from_millis(random.u64(1..150)) } else { PATIENCE };
            let answer = self.send(server, sent, content, patience).await;
            if answer.is_final() || self.stop.load(Ordering::Relaxed) {
                return;
            }
            let pause = if answer.may_have_moved() { 0..200 } else { 50..400 };
            tokio::time::sleep(Duration::from_millis(random.u64(pause))).await;
        }
    }

    /// The same id twice at the same time, to one server or to two.
    async fn twice_at_once(&self, random: &mut Rng, content: Content) -> Option<(usize, u8)> {
        let sent = self.recorder.open(Uuid::now_v7(), content);
        let servers = [self.server(random), self.server(random)];
        tokio::join!(self.send(servers[0], sent, 0, PATIENCE), self.send(servers[1], sent, 0, PATIENCE));
        Some((sent, 0))
    }

    /// The same id with other content, after the first or at the same time.
    async fn with_other_content(&self, random: &mut Rng, content: Content) -> Option<(usize, u8)> {
        let sent = self.recorder.open(Uuid::now_v7(), content);
        let other = self.recorder.vary(sent, self.cast.vary(random, content));
        let servers = [self.server(random), self.server(random)];
        if random.bool() {
            tokio::join!(self.send(servers[0], sent, 0, PATIENCE), self.send(servers[1], sent, other, PATIENCE));
        } else {
            self.send(servers[0], sent, 0, PATIENCE).await;
            self.send(servers[1], sent, other, PATIENCE).await;
        }
        Some((sent, random.u8(..2)))
    }

    /// Many transfers in one request; one id in it may stand there twice.
    async fn bulk(&self, random: &mut Rng) -> Option<(usize, u8)> {
        let mut items: Vec<(usize, u8)> = Vec::new();
        for _ in 0..random.usize(BULK) {
            let content = self.cast.content(random, Kind::Transfer);
            items.push((self.recorder.open(Uuid::now_v7(), content), 0));
        }
        if random.u32(..8) == 0 {
            items.push(items[random.usize(..items.len())]);
        }
        for _ in 0..random.u32(1..4) {
            let server = self.server(random);
            let answers = send_bulk(&self.stage.client(server), &self.recorder, &items, server).await;
            let open = items.iter().zip(&answers).filter(|(_, answer)| !answer.is_final());
            items = open.map(|(item, _)| *item).collect();
            if items.is_empty() || self.stop.load(Ordering::Relaxed) {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(random.u64(0..400))).await;
        }
        items.last().copied()
    }

    /// After the faults: sends what is not final until it is. What is left then, and how many there were.
    pub async fn settle(&self) -> (usize, usize) {
        let begin = Instant::now();
        let mut server = 0;
        let first = self.recorder.unsettled().len();
        loop {
            let unsettled = self.recorder.unsettled();
            if unsettled.is_empty() || begin.elapsed() > SETTLE_MAX {
                return (unsettled.len(), first);
            }
            let is_transfer = |item: &(usize, u8)| self.recorder.request(item.0, item.1).1.kind == Kind::Transfer;
            let (transfers, cash): (Vec<_>, Vec<_>) = unsettled.into_iter().partition(is_transfer);
            for items in transfers.chunks(SETTLE_BULK) {
                server = (server + 1) % self.stage.servers();
                send_bulk(&self.stage.client(server), &self.recorder, items, server).await;
            }
            for (sent, content) in cash {
                server = (server + 1) % self.stage.servers();
                self.send(server, sent, content, PATIENCE).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A fresh transfer, sent until it is posted; false if it is not in time.
    pub async fn posts(&self, server: usize, content: Content, until: Instant) -> bool {
        let sent = self.recorder.open(Uuid::now_v7(), content);
        while Instant::now() < until {
            let answer = self.send(server, sent, 0, until.saturating_duration_since(Instant::now())).await;
            if matches!(answer, Answer::Posted { .. }) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

fn transfer_request(id: Uuid, content: &Content) -> TransferRequest {
    TransferRequest {
        id,
        debit_account: number(content.debit),
        credit_account: number(content.credit),
        amount: Amount::new(content.amount).expect("an amount"),
        currency: content.currency.parse().expect("a currency"),
        category: content.category,
        reference: content.reference.map(str::to_owned),
    }
}

async fn send(
    client: &Client,
    recorder: &Recorder,
    sent: usize,
    content: u8,
    server: usize,
    patience: Duration,
) -> Answer {
    let (id, asked) = recorder.request(sent, content);
    let cash = |account: i64| CashRequest {
        id,
        account: number(account),
        amount: Amount::new(asked.amount).expect("an amount"),
        currency: asked.currency.parse().expect("a currency"),
        category: asked.category,
        reference: asked.reference.map(str::to_owned),
    };
    let place: Place = recorder.invoke(sent, content, server);
    let sending = async {
        match asked.kind {
            Kind::Transfer => client.transfer(&transfer_request(id, &asked)).await,
            Kind::Deposit => client.deposit(&cash(asked.credit)).await,
            Kind::Withdrawal => client.withdraw(&cash(asked.debit)).await,
        }
    };
    let answer = match tokio::time::timeout(patience, sending).await {
        Ok(outcome) => answer(outcome, id, &asked),
        Err(_) => Answer::Indeterminate(Cause::HungUp),
    };
    recorder.complete(place, answer.clone());
    answer
}

async fn send_bulk(client: &Client, recorder: &Recorder, items: &[(usize, u8)], server: usize) -> Vec<Answer> {
    let asked: Vec<(Uuid, Content)> = items.iter().map(|(sent, content)| recorder.request(*sent, *content)).collect();
    let requests: Vec<TransferRequest> = asked.iter().map(|(id, content)| transfer_request(*id, content)).collect();
    let places: Vec<Place> = items.iter().map(|(sent, content)| recorder.invoke(*sent, *content, server)).collect();
    let answers: Vec<Answer> = match tokio::time::timeout(PATIENCE, client.transfers_bulk(&requests)).await {
        Ok(Ok(results)) if results.len() == items.len() => {
            results.iter().zip(&asked).map(|(item, (id, content))| item_answer(item, *id, content)).collect()
        }
        Ok(Ok(results)) => vec![nonsense(format!("{} results for {}", results.len(), items.len())); items.len()],
        Ok(Err(error)) => vec![no_answer(error); items.len()],
        Err(_) => vec![Answer::Indeterminate(Cause::HungUp); items.len()],
    };
    for (place, answer) in places.into_iter().zip(&answers) {
        recorder.complete(place, answer.clone());
    }
    answers
}

fn nonsense(what: String) -> Answer {
    Answer::Nonsense(what.into())
}

/// Whether a transfer that is shown is the one that was asked for.
fn is_the_one(transfer: &Transfer, id: Uuid, asked: &Content) -> bool {
    transfer.id == id
        && transfer.kind == asked.kind.word()
        && (key(transfer.debit_account), key(transfer.credit_account)) == (asked.debit, asked.credit)
        && transfer.amount == asked.amount
        && transfer.currency.code() == asked.currency
        && transfer.category == asked.category
        && transfer.reference.as_deref() == asked.reference
}

fn answer(outcome: Result<Outcome, ClientError>, id: Uuid, asked: &Content) -> Answer {
    match outcome {
        Ok(Outcome::Posted { transfer, replayed }) => {
            if transfer.state == "posted" && is_the_one(&transfer, id, asked) {
                Answer::Posted { replayed, batch: transfer.batch.into() }
            } else {
                nonsense(format!("{transfer:?}"))
            }
        }
        Ok(Outcome::Settling(transfer)) => {
            if is_the_one(&transfer, id, asked) {
                Answer::Settling { batch: transfer.batch.into() }
            } else {
                nonsense(format!("{transfer:?}"))
            }
        }
        Ok(Outcome::Unknown { id: of }) if of == id => Answer::Indeterminate(Cause::SaidUnknown),
        Ok(Outcome::Unknown { id: of }) => nonsense(format!("unknown of {of}")),
        Ok(Outcome::Refused { problem, replayed }) => Answer::Refused { replayed, code: problem.code.into() },
        Ok(Outcome::Conflict(problem)) if problem.code == "id_conflict" => Answer::Conflict,
        Ok(Outcome::Conflict(problem)) => nonsense(format!("{problem:?}")),
        Ok(Outcome::Unavailable { problem, .. }) => Answer::Unavailable(problem.code.into()),
        Err(error) => no_answer(error),
    }
}

fn no_answer(error: ClientError) -> Answer {
    match error {
        ClientError::Rejected(problem) => Answer::Rejected(problem.code.into()),
        ClientError::Unavailable { problem, .. } => Answer::Unavailable(problem.code.into()),
        ClientError::Connect { .. } => Answer::NotConnected,
        ClientError::Unknown { source: UnknownCause::Status { .. } } => Answer::Indeterminate(Cause::Failed),
        ClientError::Unknown { source: UnknownCause::Body(error) } => nonsense(error.to_string()),
        ClientError::Unknown { source: UnknownCause::Transport(_) | UnknownCause::EarlierAttempt } => {
            Answer::Indeterminate(Cause::Broken)
        }
    }
}

fn item_answer(item: &BulkItem, id: Uuid, asked: &Content) -> Answer {
    let code = || item.problem.as_ref().map_or("none", |problem| &problem.code);
    if item.id != id {
        return nonsense(format!("the result of {} in place of {id}", item.id));
    }
    match (item.state.as_str(), &item.transfer) {
        ("posted", Some(transfer)) if is_the_one(transfer, id, asked) => {
            Answer::Posted { replayed: item.replayed, batch: transfer.batch.as_str().into() }
        }
        ("settling", Some(transfer)) if is_the_one(transfer, id, asked) => {
            Answer::Settling { batch: transfer.batch.as_str().into() }
        }
        ("refused", _) => Answer::Refused { replayed: item.replayed, code: code().into() },
        ("conflict", _) => Answer::Conflict,
        ("unavailable", _) => Answer::Unavailable(code().into()),
        ("unknown", _) if item.problem.is_some() => Answer::Indeterminate(Cause::Failed),
        ("unknown", _) => Answer::Indeterminate(Cause::SaidUnknown),
        _ => nonsense(format!("{item:?}")),
    }
}

/// Of all that was answered, by what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Ids that were answered posted.
    pub posted_ids: usize,
    /// Ids that were answered refused.
    pub refused_ids: usize,
    /// All ids.
    pub ids: usize,
    /// Answers by their words.
    pub by_word: BTreeMap<String, usize>,
    /// Answers from which nothing is known, by cause.
    pub indeterminate: BTreeMap<Cause, usize>,
    /// The longest that an answer took, in microseconds.
    pub longest: Micros,
}

impl Answers {
    /// Counts a history.
    pub fn of(history: &crate::history::History) -> Self {
        let mut answers = Self { ids: history.sent.len(), ..Self::default() };
        for sent in &history.sent {
            let any = |is: fn(&Answer) -> bool| usize::from(sent.attempts.iter().any(|attempt| is(&attempt.answer)));
            answers.posted_ids += any(|answer| matches!(answer, Answer::Posted { .. }));
            answers.refused_ids += any(|answer| matches!(answer, Answer::Refused { .. }));
            for attempt in &sent.attempts {
                let word = match &attempt.answer {
                    Answer::Posted { replayed: false, .. } => "posted",
                    Answer::Posted { replayed: true, .. } => "replayed",
                    Answer::Settling { .. } => "settling",
                    Answer::Refused { replayed: false, .. } => "refused",
                    Answer::Refused { replayed: true, .. } => "refused again",
                    Answer::Conflict => "conflict",
                    Answer::Unavailable(code) => &format!("unavailable: {code}"),
                    Answer::NotConnected => "not connected",
                    Answer::Rejected(_) => "rejected",
                    Answer::Nonsense(_) => "nonsense",
                    Answer::Indeterminate(cause) => {
                        *answers.indeterminate.entry(*cause).or_default() += 1;
                        "indeterminate"
                    }
                };
                *answers.by_word.entry(word.to_owned()).or_default() += 1;
                if attempt.completed != Micros::MAX {
                    answers.longest = answers.longest.max(attempt.completed - attempt.invoked);
                }
            }
        }
        answers
    }
}
