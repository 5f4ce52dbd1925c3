//! Clients: every kind of transfer, hot accounts, requests that must be refused, the same id again in every way.
//!
//! A client does what a careful one does (the same id again until there is an answer), and what a careless one does
//! (gives up, hangs up, sends an id twice at once, to both servers, with other content). What was sent and answered
//! goes into the history; nothing here judges it.

mod answers;
mod calls;
mod cast;

pub use answers::Answers;
pub use cast::Cast;

use crate::history::{Answer, Content, Kind, Recorder};
use crate::stage::Stage;
use calls::{send, send_bulk};
use fastrand::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Longer than any wait of the server's own.
const PATIENCE: Duration = Duration::from_secs(25);
/// Transfers of one bulk request.
const BULK: std::ops::Range<usize> = 5..100;
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

    /// After the faults: sends what is not final until it is. The ids that are not even then, and how many there were.
    pub async fn settle(&self) -> (Vec<Uuid>, usize) {
        let begin = Instant::now();
        let mut server = 0;
        let first = self.recorder.unsettled().len();
        loop {
            let unsettled = self.recorder.unsettled();
            if unsettled.is_empty() || begin.elapsed() > SETTLE_MAX {
                return (unsettled.iter().map(|item| self.recorder.request(item.0, item.1).0).collect(), first);
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
