//! Look-ups: an account with its balance, and a page of its entries.

use crate::error::BenchError;
use crate::http::Connection;
use crate::rig::Rig;
use crate::span::Span;
use crate::tally::{Tally, join_all};
use crate::workload::{Choices, Workload};
use std::time::Instant;
use tokio::task::JoinSet;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// `GET /v1/accounts/{number}`.
    Balance,
    /// `GET /v1/accounts/{number}/entries?limit=50`.
    Entries,
}

/// Connections that wait for their time.
pub(crate) struct Load {
    connections: Vec<Connection>,
    workload: Workload,
    look: Look,
}

/// Connects.
pub(crate) async fn ready(rig: &Rig, workload: &Workload, look: Look, readers: usize) -> Result<Load, BenchError> {
    let mut connections = Vec::new();
    for at in 0..readers {
        let server = &rig.servers[at % rig.servers.len()];
        connections.push(Connection::open(&server.url, &rig.key).await?);
    }
    Ok(Load { connections, workload: workload.clone(), look })
}

impl Load {
    /// Reads until the span is over.
    pub(crate) async fn run(self, span: Span) -> Result<Tally, BenchError> {
        let mut readers = JoinSet::new();
        for (at, connection) in self.connections.into_iter().enumerate() {
            // Other choices than those of the loads beside.
            let choices = self.workload.choices(20_000 + at);
            readers.spawn(read(connection, self.workload.clone(), choices, self.look, span));
        }
        join_all(readers).await
    }
}

async fn read(
    mut connection: Connection,
    workload: Workload,
    mut choices: Choices,
    look: Look,
    span: Span,
) -> Result<Tally, BenchError> {
    let mut tally = Tally::new();
    while let Some(moment) = span.at(Instant::now()) {
        let number = &workload.accounts.text[choices.account() as usize];
        let path = match look {
            Look::Balance => format!("/v1/accounts/{number}"),
            Look::Entries => format!("/v1/accounts/{number}/entries?limit=50"),
        };
        let begin = Instant::now();
        let status = connection.get(&path).await?;
        if !moment.counts {
            continue;
        }
        tally.record(begin.elapsed(), 1);
        match status.as_u16() {
            200 => tally.reads += 1,
            503 => tally.answers.unavailable += 1,
            _ => tally.answers.other += 1,
        }
    }
    Ok(tally)
}
