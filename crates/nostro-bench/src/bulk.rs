//! Bulk requests over a few connections, as fast as they are answered or at a pace, until the time is over or nothing is
//! left to ask for.

use crate::answer::BulkScanner;
use crate::error::BenchError;
use crate::http::Connection;
use crate::item::{ITEM_BYTES, write_capture, write_hold, write_item, write_linked};
use crate::open_holds::{OpenHold, OpenHolds};
use crate::rig::Rig;
use crate::span::Span;
use crate::tally::{Tally, join_all};
use crate::workload::{Choices, Op, Workload};
use bytes::BytesMut;
use hyper::StatusCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, block_in_place};

/// What the items of a request are.
#[derive(Clone, Debug)]
pub(crate) enum Items {
    /// Plain transfers, of which some repeat an id where that is wanted.
    Transfers,
    /// Holds that never expire.
    Holds,
    /// Captures of these, each of a whole one.
    Captures(Arc<OpenHolds>),
    /// Chains of two transfers; of an odd batch one item is left out.
    Chains,
}

/// What to send.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) items: Items,
    pub(crate) connections: usize,
    pub(crate) batch: usize,
    /// Transfers a second over all connections; as fast as answers come when absent.
    pub(crate) pace: Option<f64>,
}

/// Connected clients that wait for their time.
pub(crate) struct Load(Vec<Client>);

/// Connects.
pub(crate) async fn ready(rig: &Rig, workload: &Workload, task: &Task) -> Result<Load, BenchError> {
    let mut ready = Vec::new();
    for at in 0..task.connections {
        let server = &rig.servers[at % rig.servers.len()];
        ready.push(Client {
            connection: Connection::open(&server.url, &rig.key).await?,
            choices: workload.choices(at),
            workload: workload.clone(),
            scanner: BulkScanner::new(),
            posted: Vec::new(),
            task: task.clone(),
        });
    }
    Ok(Load(ready))
}

impl Load {
    /// Sends until the span is over or nothing is left to send, and waits for the last answers.
    pub(crate) async fn run(self, span: Span) -> Result<Tally, BenchError> {
        let mut clients = JoinSet::new();
        for (at, client) in self.0.into_iter().enumerate() {
            clients.spawn(client.run(span, at));
        }
        join_all(clients).await
    }
}

struct Client {
    connection: Connection,
    workload: Workload,
    choices: Choices,
    scanner: BulkScanner,
    /// What the last request sent, to be repeated where that is wanted.
    posted: Vec<(Op, u16)>,
    task: Task,
}

impl Client {
    async fn run(mut self, span: Span, at: usize) -> Result<Tally, BenchError> {
        let (mut tally, begin) = (Tally::new(), Instant::now());
        let mut buffer = BytesMut::with_capacity(self.task.batch * ITEM_BYTES);
        let between = self.task.pace.map(|pace| {
            let requests_per_second = pace / self.task.batch as f64 / self.task.connections as f64;
            Duration::from_secs_f64(1.0 / requests_per_second)
        });
        // Connections take turns instead of sending all at once.
        let mut due = begin + between.unwrap_or_default().mul_f64(at as f64 / self.task.connections as f64);
        loop {
            if let Some(between) = between {
                tokio::time::sleep_until(due.min(span.end).into()).await;
                due += between;
            }
            let Some(moment) = span.at(Instant::now()) else { break };
            // Whoever measures beside it must not stand behind it.
            let count = block_in_place(|| self.write(&mut buffer, moment.category));
            if count == 0 {
                break;
            }
            let sent = Instant::now();
            let (status, _) = self.connection.post("/v1/transfers/bulk", buffer.split().freeze()).await?;
            let latency = sent.elapsed();
            if status != StatusCode::OK {
                let body = String::from_utf8_lossy(&self.connection.body).chars().take(300).collect::<String>();
                return Err(BenchError::Answer { what: "a bulk request with 200", found: format!("{status} {body}") });
            }
            let answers = block_in_place(|| self.scanner.scan(&self.connection.body, count))?;
            if moment.counts {
                tally.answers.add(answers);
                tally.record(latency, u64::try_from(count).unwrap_or(0));
            }
            buffer.reserve(self.task.batch * ITEM_BYTES);
        }
        Ok(tally)
    }

    /// Writes a request and returns the number of its items, 0 if nothing is left to ask for.
    fn write(&mut self, buffer: &mut BytesMut, category: u16) -> usize {
        buffer.extend_from_slice(b"{\"transfers\":[");
        let count = match &self.task.items {
            Items::Transfers => self.write_transfers(buffer, category),
            Items::Holds => self.write_holds(buffer, category),
            Items::Captures(holds) => write_captures(buffer, holds.take(self.task.batch), &mut self.choices, category),
            Items::Chains => self.write_chains(buffer, category),
        };
        buffer.extend_from_slice(b"]}");
        count
    }

    fn write_transfers(&mut self, buffer: &mut BytesMut, category: u16) -> usize {
        let mut sent = Vec::new();
        let keeps = self.workload.mix.replays > 0.0;
        for at in 0..self.task.batch {
            let (op, category) = if !self.posted.is_empty() && self.choices.is_replay() {
                self.posted[self.choices.below(self.posted.len())]
            } else {
                let op = self.choices.any();
                if keeps {
                    sent.push((op, category));
                }
                (op, category)
            };
            separate(buffer, at);
            write_item(buffer, &op, &self.workload.accounts, category);
        }
        if keeps {
            self.posted = sent;
        }
        self.task.batch
    }

    fn write_holds(&mut self, buffer: &mut BytesMut, category: u16) -> usize {
        for at in 0..self.task.batch {
            separate(buffer, at);
            write_hold(buffer, &self.choices.any(), &self.workload.accounts, category);
        }
        self.task.batch
    }

    fn write_chains(&mut self, buffer: &mut BytesMut, category: u16) -> usize {
        let chains = self.task.batch / 2;
        for at in 0..chains {
            let [first, second] = self.choices.chain();
            separate(buffer, at);
            write_linked(buffer, &first, &self.workload.accounts, category);
            buffer.extend_from_slice(b",");
            write_item(buffer, &second, &self.workload.accounts, category);
        }
        2 * chains
    }
}

fn write_captures(buffer: &mut BytesMut, holds: &[OpenHold], choices: &mut Choices, category: u16) -> usize {
    for (at, hold) in holds.iter().enumerate() {
        separate(buffer, at);
        write_capture(buffer, choices.id(), *hold, category);
    }
    holds.len()
}

/// A comma before all items but the first.
fn separate(buffer: &mut BytesMut, at: usize) {
    if at > 0 {
        buffer.extend_from_slice(b",");
    }
}
