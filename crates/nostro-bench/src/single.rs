//! One transfer a request: closed loop, and open loop with a schedule that is fixed beforehand.
//!
//! The open loop measures from the moment at which a request was due, so that a server that is slow for a while
//! is charged for all that were due in that while (no coordinated omission). When all connections are busy, what
//! is due waits, and its wait counts.

use crate::answer;
use crate::error::BenchError;
use crate::http::Connection;
use crate::item::{ITEM_BYTES, write_item};
use crate::rig::Rig;
use crate::span::{Moment, Span};
use crate::tally::{Tally, join_all};
use crate::workload::{Choices, Workload};
use bytes::BytesMut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The timer of the runtime counts whole milliseconds, which is as long as what is measured; a thread of its own
/// sleeps for so long at least, and this is how late a request may be sent.
const TICK: Duration = Duration::from_micros(250);

/// What to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) clients: usize,
    /// Requests a second of the open loop; closed when absent.
    pub(crate) rate: Option<f64>,
}

/// Connected clients that wait for their time.
pub(crate) struct Load {
    clients: Vec<Client>,
    rate: Option<f64>,
}

/// Connects.
pub(crate) async fn ready(rig: &Rig, workload: &Workload, task: Task) -> Result<Load, BenchError> {
    let mut ready = Vec::new();
    for at in 0..task.clients {
        let server = &rig.servers[at % rig.servers.len()];
        ready.push(Client {
            connection: Connection::open(&server.url, &rig.key).await?,
            // Bulk and single clients of one run choose differently.
            choices: workload.choices(10_000 + at),
            workload: workload.clone(),
            buffer: BytesMut::with_capacity(ITEM_BYTES),
        });
    }
    Ok(Load { clients: ready, rate: task.rate })
}

impl Load {
    /// Sends until the span is over and waits for the last answers.
    pub(crate) async fn run(self, span: Span) -> Result<Tally, BenchError> {
        let begin = Instant::now();
        let schedule = self.rate.map(|rate| Schedule::start(begin, rate, span.end - begin));
        let mut clients = JoinSet::new();
        for client in self.clients {
            match &schedule {
                None => clients.spawn(client.closed(span)),
                Some(schedule) => clients.spawn(client.open(Arc::clone(&schedule.due), span)),
            };
        }
        join_all(clients).await
    }
}

/// When each request is due, and a thread that hands them out.
struct Schedule {
    due: Arc<Due>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Due {
    begin: Instant,
    rate: f64,
    count: u64,
    /// The next one to be taken.
    next: AtomicU64,
    /// One permit for each that is due and not taken; closed when the last is handed out.
    handed_out: Semaphore,
    stop: AtomicBool,
}

impl Schedule {
    fn start(begin: Instant, rate: f64, time: Duration) -> Self {
        let due = Arc::new(Due {
            begin,
            rate,
            count: (rate * time.as_secs_f64()) as u64,
            next: AtomicU64::new(0),
            handed_out: Semaphore::new(0),
            stop: AtomicBool::new(false),
        });
        let shared = Arc::clone(&due);
        let thread = std::thread::spawn(move || shared.hand_out());
        Self { due, thread: Some(thread) }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.due.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Due {
    fn at(&self, number: u64) -> Instant {
        self.begin + Duration::from_secs_f64(number as f64 / self.rate)
    }

    fn hand_out(&self) {
        let mut given = 0;
        while given < self.count && !self.stop.load(Ordering::Relaxed) {
            let next = self.at(given);
            let wait = next.saturating_duration_since(Instant::now()).max(TICK);
            // Short, so that a stop is heard.
            std::thread::sleep(wait.min(Duration::from_millis(50)));
            let is_due = |number: u64| (number as f64 / self.rate) <= self.begin.elapsed().as_secs_f64();
            let before = given;
            while given < self.count && is_due(given) {
                given += 1;
            }
            self.handed_out.add_permits(usize::try_from(given - before).unwrap_or(0));
        }
    }

    /// The moment of the next request that is due, when it is; none after the last.
    async fn take(&self) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.count {
            return None;
        }
        let permit = self.handed_out.acquire().await.ok()?;
        permit.forget();
        Some(self.at(number))
    }
}

struct Client {
    connection: Connection,
    workload: Workload,
    choices: Choices,
    buffer: BytesMut,
}

impl Client {
    async fn closed(mut self, span: Span) -> Result<Tally, BenchError> {
        let mut tally = Tally::new();
        loop {
            let begin = Instant::now();
            let Some(moment) = span.at(begin) else { return Ok(tally) };
            self.send(&mut tally, moment, begin).await?;
        }
    }

    async fn open(mut self, due: Arc<Due>, span: Span) -> Result<Tally, BenchError> {
        let mut tally = Tally::new();
        while let Some(at) = due.take().await {
            let Some(moment) = span.at(at) else { break };
            let waited = self.send(&mut tally, moment, at).await?;
            if moment.counts {
                tally.record_due((at - span.begin).as_secs() as usize, waited);
            }
        }
        Ok(tally)
    }

    /// How long since `begin` the answer took.
    async fn send(&mut self, tally: &mut Tally, moment: Moment, begin: Instant) -> Result<Duration, BenchError> {
        let op = self.choices.any();
        self.buffer.reserve(ITEM_BYTES);
        write_item(&mut self.buffer, &op, &self.workload.accounts, moment.category);
        let (status, headers) = self.connection.post("/v1/transfers", self.buffer.split().freeze()).await?;
        let is_replay = headers.contains_key("idempotent-replayed");
        let waited = begin.elapsed();
        if moment.counts {
            tally.answers.add(answer::single(status, is_replay, &self.connection.body));
            tally.record(waited, 1);
        }
        Ok(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_schedule_hands_out_what_is_due_and_not_before() {
        let begin = Instant::now();
        let schedule = Schedule::start(begin, 1_000.0, Duration::from_millis(100));
        let mut moments = Vec::new();
        while let Some(at) = schedule.due.take().await {
            assert!(Instant::now() >= at, "nothing is sent before it is due");
            moments.push(at);
        }
        assert_eq!(moments.len(), 100);
        assert!(moments.is_sorted() && begin.elapsed() >= Duration::from_millis(99));
    }
}
