//! Clients: every kind of transfer, by itself and in chains, hot accounts, requests that must be refused, the same id again in every way.
//!
//! A client does what a careful one does (the same id again until there is an answer), and what a careless one does
//! (gives up, hangs up, sends an id twice at once, to both servers, with other content). What was sent and answered
//! goes into the history; nothing here judges it.

mod answers;
mod calls;
mod cast;
mod chains;
mod changes;
mod known;
mod requests;
mod shown;

pub use answers::Answers;
pub use cast::Cast;
pub use known::Known;

use crate::history::{Answer, Content, Kind, Recorder, Shape, Unit};
use crate::stage::Stage;
use fastrand::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Longer than any wait of the server's own.
const PATIENCE: Duration = Duration::from_secs(25);
/// Transfers of one bulk request.
const BULK: std::ops::Range<usize> = 5..100;
/// Requests and chains of one bulk request that has both.
const MIXED_BULK: std::ops::Range<usize> = 2..12;
/// While settling: transfers of one bulk request, and how long until all must be final.
const SETTLE_BULK: usize = 400;
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// Ids that a client may send again later.
const REMEMBERED: usize = 64;

/// What a client needs.
#[derive(Clone)]
pub struct Crowd {
    /// The servers.
    pub stage: Arc<Stage>,
    /// The history.
    pub recorder: Arc<Recorder>,
    /// The accounts.
    pub cast: Arc<Cast>,
    /// What is posted.
    pub known: Arc<Known>,
    /// Told to stop.
    pub stop: Arc<AtomicBool>,
}

impl Crowd {
    /// One client, until told to stop.
    pub async fn work(self, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let mut remembered: Vec<Unit> = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let known = match random.u32(..100) {
                0..14 => self.bulk(&mut random).await,
                14..20 => self.mixed_bulk(&mut random).await,
                20..24 => self.twice_at_once(&mut random).await,
                24..28 => self.with_other_content(&mut random).await,
                28..40 => self.chain(&mut random).await,
                40..43 => self.chain_with_other_content(&mut random).await,
                43..45 => self.change(&mut random).await,
                45..51 if !remembered.is_empty() => {
                    let unit = remembered[random.usize(..remembered.len())];
                    self.pursue(&mut random, unit).await;
                    None
                }
                _ => {
                    let unit = self.open(&mut random);
                    self.pursue(&mut random, unit).await;
                    Some(unit)
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

    /// A new request by itself, of any kind.
    fn open(&self, random: &mut Rng) -> Unit {
        let branches = self.cast.branches(random);
        let content = self.cast.any(random, &self.known, branches);
        Unit::Request(self.recorder.open(Uuid::now_v7(), content), 0)
    }

    fn server(&self, random: &mut Rng) -> usize {
        random.usize(..self.stage.servers())
    }

    /// Sends it; the first of its answers, which tells for all of a chain whether it is final.
    async fn send(&self, server: usize, unit: Unit, patience: Duration) -> Answer {
        let client = self.stage.client(server);
        let mut answers = calls::send(&client, &self.recorder, unit, server, patience).await;
        self.note(&[unit], &answers);
        answers.swap_remove(0)
    }

    /// Sends many as one; those that have no final answer.
    async fn send_bulk(&self, server: usize, units: &[Unit]) -> Vec<Unit> {
        let client = self.stage.client(server);
        let answers = calls::send_bulk(&client, &self.recorder, units, server, PATIENCE).await;
        self.note(units, &answers);
        let mut rest = answers.as_slice();
        let mut open = Vec::new();
        for unit in units {
            let (now, later) = rest.split_at(self.recorder.items(*unit).len());
            if !now.iter().all(Answer::is_final) {
                open.push(*unit);
            }
            rest = later;
        }
        open
    }

    /// Remembers what is posted, for captures and reversals of it.
    fn note(&self, units: &[Unit], answers: &[Answer]) {
        let items = units.iter().flat_map(|unit| self.recorder.items(*unit));
        for ((sent, content), answer) in items.zip(answers) {
            let (id, content) = self.recorder.request(sent, content);
            self.known.note(id, content, answer);
        }
    }

    /// Sends once, and a few times more where there is no final answer; then it is left for the end.
    async fn pursue(&self, random: &mut Rng, unit: Unit) {
        for _ in 0..random.u32(1..5) {
            let server = self.server(random);
            // One in twenty-five hangs up.
            let hangs_up = random.u32(..25) == 0;
            let patience = if hangs_up { Duration::from_millis(random.u64(1..150)) } else { PATIENCE };
            let answer = self.send(server, unit, patience).await;
            if answer.is_final() || self.stop.load(Ordering::Relaxed) {
                return;
            }
            let pause = if answer.may_have_moved() { 0..200 } else { 50..400 };
            tokio::time::sleep(Duration::from_millis(random.u64(pause))).await;
        }
    }

    /// The same id twice at the same time, to one server or to two.
    async fn twice_at_once(&self, random: &mut Rng) -> Option<Unit> {
        let unit = if random.u32(..4) == 0 { self.open_chain(random) } else { self.open(random) };
        let servers = [self.server(random), self.server(random)];
        tokio::join!(self.send(servers[0], unit, PATIENCE), self.send(servers[1], unit, PATIENCE));
        Some(unit)
    }

    /// The same id with other content, after the first or at the same time.
    async fn with_other_content(&self, random: &mut Rng) -> Option<Unit> {
        let branches = self.cast.branches(random);
        let content = self.cast.any(random, &self.known, branches);
        let sent = self.recorder.open(Uuid::now_v7(), content);
        let other = self.recorder.vary(sent, self.cast.vary(random, content));
        Some(self.both(random, [Unit::Request(sent, 0), Unit::Request(sent, other)]).await)
    }

    /// Sends both, the second one after the first or at the same time; one of them.
    async fn both(&self, random: &mut Rng, units: [Unit; 2]) -> Unit {
        let servers = [self.server(random), self.server(random)];
        if random.bool() {
            tokio::join!(self.send(servers[0], units[0], PATIENCE), self.send(servers[1], units[1], PATIENCE));
        } else {
            self.send(servers[0], units[0], PATIENCE).await;
            self.send(servers[1], units[1], PATIENCE).await;
        }
        units[random.usize(..2)]
    }

    /// Many transfers in one request; one id in it may stand there twice.
    async fn bulk(&self, random: &mut Rng) -> Option<Unit> {
        let mut units = Vec::new();
        for _ in 0..random.usize(BULK) {
            let branches = self.cast.branches(random);
            let content = self.cast.content(random, Kind::Transfer, branches);
            units.push(Unit::Request(self.recorder.open(Uuid::now_v7(), content), 0));
        }
        if random.u32(..8) == 0 {
            units.push(units[random.usize(..units.len())]);
        }
        self.pursue_bulk(random, units).await
    }

    /// Whatever there is in one request, chains among it.
    async fn mixed_bulk(&self, random: &mut Rng) -> Option<Unit> {
        let mut units = Vec::new();
        for _ in 0..random.usize(MIXED_BULK) {
            let is_chain = random.u32(..3) == 0;
            units.push(if is_chain { self.open_links(random, Shape::Linked) } else { self.open(random) });
        }
        self.pursue_bulk(random, units).await
    }

    async fn pursue_bulk(&self, random: &mut Rng, mut units: Vec<Unit>) -> Option<Unit> {
        for _ in 0..random.u32(1..4) {
            let server = self.server(random);
            units = self.send_bulk(server, &units).await;
            if units.is_empty() || self.stop.load(Ordering::Relaxed) {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(random.u64(0..400))).await;
        }
        units.last().copied()
    }

    /// After the faults: sends what is not final until it is. The ids that are not even then, and how many there were.
    pub async fn settle(&self) -> (Vec<Uuid>, usize) {
        let begin = Instant::now();
        let mut server = 0;
        let first = self.items(&self.recorder.unsettled()).len();
        loop {
            let unsettled = self.recorder.unsettled();
            if unsettled.is_empty() || begin.elapsed() > SETTLE_MAX {
                let items = self.items(&unsettled);
                return (items.iter().map(|item| self.recorder.request(item.0, item.1).0).collect(), first);
            }
            let is_chain = |unit: &Unit| matches!(unit, Unit::Chain(_));
            let (chains, requests): (Vec<Unit>, Vec<Unit>) = unsettled.into_iter().partition(is_chain);
            for units in requests.chunks(SETTLE_BULK) {
                server = (server + 1) % self.stage.servers();
                self.send_bulk(server, units).await;
            }
            for chain in chains {
                server = (server + 1) % self.stage.servers();
                self.send(server, chain, PATIENCE).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn items(&self, units: &[Unit]) -> Vec<(usize, u8)> {
        units.iter().flat_map(|unit| self.recorder.items(*unit)).collect()
    }

    /// A fresh transfer, sent until it is posted; false if it is not in time.
    pub async fn posts(&self, server: usize, content: Content, until: Instant) -> bool {
        let unit = Unit::Request(self.recorder.open(Uuid::now_v7(), content), 0);
        while Instant::now() < until {
            let answer = self.send(server, unit, until.saturating_duration_since(Instant::now())).await;
            if matches!(answer, Answer::Posted { .. }) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}
