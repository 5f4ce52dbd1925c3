//! Look-ups: an account with its balance, and a page of its entries.

use crate::error::BenchError;
use crate::http::Connection;
use crate::rig::Rig;
use crate::span::Span;
use crate::tally::{Tally, join_all};
use crate::workload::{Choices, Workload};
use std::time::Instant;
use tokio::task::JoinSet;

/// Connections of each kind of look-up: as many as a server has for reading at a branch.
const READERS: usize = 8;

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// `GET /v1/accounts/{number}`.
    Balance,
    /// `GET /v1/accounts/{number}/entries?limit=50`.
    Entries,
}

/// Reads until the span is over.
pub(crate) async fn run(rig: &Rig, workload: &Workload, look: Look, span: Span) -> Result<Tally, BenchError> {
    let mut readers = JoinSet::new();
    for at in 0..READERS {
        let server = &rig.servers[at % rig.servers.len()];
        let connection = Connection::open(&server.url, &rig.key).await?;
        let client = 20_000 + at + if look == Look::Balance { 0 } else { READERS };
        let choices = workload.choices(client);
        readers.spawn(read(connection, workload.clone(), choices, look, span));
    }
    join_all(readers).await
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
