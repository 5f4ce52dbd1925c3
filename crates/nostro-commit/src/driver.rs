//! Runs the coordinator and the resolver over connections.
//!
//! Everything that decides is in the machines; here their actions become messages and the answers events. Each
//! wait is bounded, and a wait that ran out counts as a lost answer. A connection on which an answer was lost is
//! dropped, never used again. The caller runs this in a task that no dropped request cancels.

use crate::classify::{self, Finishing};
use crate::connector::Connector;
use crate::coordinator::{Action, Coordinator, Event, Verdict, Vote};
use crate::id::{Batch, Part};
use crate::link::Link;
use crate::message::Message;
use crate::resolver::{Alarm, Command, Reply, Resolver, Step};
use crate::sources::with_sources;
use crate::statement;
use crate::token::CommitToken;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all, join3};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_postgres::Error;

/// A vote that takes longer counts as lost. Writing and preparing the largest batch takes well under a second.
const VOTE_MS_MAX: u64 = 10_000;
/// A decision that takes longer is in doubt. Behind a slow disk a flush takes some hundred milliseconds.
const DECISION_MS_MAX: u64 = 5_000;
/// A statement that finishes or resolves, with the connection for it.
const FINISH_MS_MAX: u64 = 5_000;
/// Pause before a statement of the resolver is sent again; doubled up to the longest.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// A part of a batch: its connection, in an open transaction, and the writes that are still to be sent on it.
pub struct Site {
    /// Which part.
    pub part: Part,
    /// Its connection.
    pub link: Link,
    /// Sends the part's writes when it is polled first; nothing of it may run after it is dropped.
    pub writes: BoxFuture<'static, Result<(), WriteError>>,
}

/// Why a part votes against a batch that it was to write.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A statement failed, or its answer was lost.
    #[error("a statement of a batch failed")]
    Database(#[from] Error),
    /// A statement succeeded for other rows than it was sent for: the database does not do what it is told.
    #[error("{statement:?} was sent for {expected} rows and wrote {found}")]
    Rows {
        /// Which one.
        statement: Message,
        /// Rows that it was sent for.
        expected: usize,
        /// Rows that it wrote.
        found: u64,
    },
}

/// How far a batch has come, for whoever answers the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The decision has not been sent: no outcome but aborted is possible without it.
    Voting,
    /// The decision has been sent: unknown until more is heard.
    Deciding,
    /// The outcome is certain; a part may have yet to finish.
    Decided(Verdict),
    /// Every part has finished.
    Ended(Verdict),
}

/// What is left of a batch that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The outcome; `None` if it could not be learnt in the time given.
    pub verdict: Option<Verdict>,
    /// Whether every part is known to be at it.
    pub finished: bool,
    /// The connections without any doubt, outside a transaction, to be used again.
    pub links: Vec<(Part, Link)>,
    /// The first error of each part that voted against, or of home that did not acknowledge the decision.
    pub refused: Vec<(Part, Option<Error>)>,
}

/// Commits a batch. `patience` bounds the resolver, should it come to that.
pub async fn commit(
    connector: &Connector,
    batch: Batch,
    sites: Vec<Site>,
    progress: &watch::Sender<Progress>,
    patience: Duration,
) -> Ended {
    let mut coordinator = Coordinator::new(batch.clone());
    let mut ended = Ended { verdict: None, finished: true, links: Vec::new(), refused: Vec::new() };
    let mut links: BTreeMap<Part, Link> = BTreeMap::new();
    let mut actions = Vec::new();
    for (part, link, vote, error) in join_all(sites.into_iter().map(|site| voting(connector, &batch, site))).await {
        if vote != Vote::Ready {
            ended.refused.push((part, error));
        }
        links.extend(link.map(|link| (part, link)));
        actions.extend(coordinator.on(Event::Voted(part, vote)));
    }
    while !actions.is_empty() {
        let mut events = Vec::new();
        let mut finishing = Vec::new();
        for action in actions {
            match action {
                Action::Decide => {
                    progress.send_replace(Progress::Deciding);
                    events.push(decide(&batch, &mut links, &mut ended.refused).await);
                }
                Action::RollBack(part) => roll_back(part, &mut links).await,
                Action::Resolve => {
                    // What is certain already is not told again by somebody who asks later.
                    let certain = matches!(*progress.borrow(), Progress::Decided(_));
                    let tell = |verdict| {
                        if !certain {
                            progress.send_replace(Progress::Decided(verdict));
                        }
                    };
                    let resolution = resolve(connector, &batch, patience, tell).await;
                    ended.finished = resolution.finished;
                    events.extend(resolution.verdict.map(Event::Resolved));
                }
                Action::CommitPrepared(part, token) => finishing.push((part, links.remove(&part), token)),
                Action::Decided(verdict) => {
                    ended.verdict = Some(verdict);
                    progress.send_replace(Progress::Decided(verdict));
                }
                Action::Contradicted(verdict) => {
                    tracing::error!(batch = %batch.id, certain = ?ended.verdict, row = ?verdict, "home contradicts a certain outcome");
                    ended.verdict = None;
                    ended.finished = false;
                    progress.send_replace(Progress::Deciding);
                }
                Action::Done => {}
            }
        }
        let finishing = finishing.into_iter().map(|(part, link, token)| finish(connector, &batch, part, link, token));
        for (event, part, link) in join_all(finishing).await {
            links.extend(link.map(|link| (part, link)));
            events.push(event);
        }
        actions = events.into_iter().flat_map(|event| coordinator.on(event)).collect();
    }
    if let Some(verdict) = ended.verdict.filter(|_| ended.finished) {
        progress.send_replace(Progress::Ended(verdict));
    }
    ended.links = links.into_iter().collect();
    ended
}

/// Sends the writes of a part, and at a participant the marker and PREPARE right behind them.
async fn voting(connector: &Connector, batch: &Batch, site: Site) -> (Part, Option<Link>, Vote, Option<Error>) {
    let Site { part, link, writes } = site;
    let warnings = link.warnings();
    let sent = async {
        if part == batch.id.home {
            return writes.await;
        }
        let gid = batch.gid(connector.deployment(), part);
        let (participate, prepare) = (statement::participate(batch), statement::prepare(&gid));
        let client = link.client();
        // Polled in this order, so the messages stand in this order on the wire.
        let (writes, marker, prepared) =
            join3(writes, client.batch_execute(&participate), client.batch_execute(&prepare)).await;
        writes?;
        Ok(marker.and(prepared)?)
    };
    let answer = timeout(Duration::from_millis(VOTE_MS_MAX), sent).await;
    match answer {
        Ok(Ok(())) if link.warnings() == warnings => (part, Some(link), Vote::Ready, None),
        Ok(Ok(())) | Err(_) => (part, None, Vote::Lost, None),
        // Closed, not rolled back: a COPY that fails before it begins leaves an answer too many on a connection of
        // tokio-postgres, and every later answer would be taken for that of the statement before.
        Ok(Err(WriteError::Database(error))) => (part, None, classify::vote(&error), Some(error)),
        // What stands behind it on the wire may have prepared it.
        Ok(Err(error @ WriteError::Rows { .. })) => {
            tracing::error!(batch = %batch.id, %part, error = with_sources(error), "a part did not write what it was sent, aborting");
            (part, None, Vote::Lost, None)
        }
    }
}

async fn decide(batch: &Batch, links: &mut BTreeMap<Part, Link>, refused: &mut Vec<(Part, Option<Error>)>) -> Event {
    let home = batch.id.home;
    let Some(link) = links.remove(&home) else { return Event::DecisionDoubtful };
    let warnings = link.warnings();
    let message = statement::decide(batch);
    let answer = timeout(Duration::from_millis(DECISION_MS_MAX), link.client().batch_execute(&message)).await;
    match answer {
        Ok(Ok(())) if link.warnings() == warnings => {
            links.insert(home, link);
            Event::DecisionAcknowledged
        }
        doubtful => {
            let error = doubtful.ok().and_then(Result::err);
            let told = error.as_ref().map(with_sources);
            tracing::warn!(batch = %batch.id, error = told, "the decision was not acknowledged, resolving");
            refused.push((home, error));
            Event::DecisionDoubtful
        }
    }
}

async fn roll_back(part: Part, links: &mut BTreeMap<Part, Link>) {
    let Some(link) = links.remove(&part) else { return };
    if let Ok(Ok(())) =
        timeout(Duration::from_millis(FINISH_MS_MAX), link.client().batch_execute(&statement::roll_back())).await
    {
        links.insert(part, link);
    }
}

async fn finish(
    connector: &Connector,
    batch: &Batch,
    part: Part,
    link: Option<Link>,
    token: CommitToken,
) -> (Event, Part, Option<Link>) {
    let Some(link) = link else { return (Event::FinishDoubtful(part), part, None) };
    let warnings = link.warnings();
    let message = statement::commit_prepared(&batch.gid(connector.deployment(), part), token);
    let answer = timeout(Duration::from_millis(FINISH_MS_MAX), link.client().batch_execute(&message)).await;
    match answer {
        Ok(Ok(())) if link.warnings() == warnings => (Event::Finished(part), part, Some(link)),
        doubtful => {
            let error = doubtful.ok().and_then(Result::err);
            tracing::warn!(batch = %batch.id, %part, error = error.map(with_sources), "COMMIT PREPARED was not acknowledged, resolving");
            (Event::FinishDoubtful(part), part, None)
        }
    }
}

/// What the resolver achieved.
#[derive(Debug, Default)]
pub struct Resolution {
    /// Home's answer; `None` if home did not answer in the time given, or gave none to act on, which `alarms` tells.
    pub verdict: Option<Verdict>,
    /// Whether every participant is known to be at it.
    pub finished: bool,
    /// What contradicts the protocol, logged already.
    pub alarms: Vec<Alarm>,
}

/// Settles a batch: the same code for a coordinator in doubt, for recovery and for an operator. It tries for as
/// long as `patience`; what is left then stays for the next one who resolves. `told` hears the verdict at once.
pub async fn resolve(
    connector: &Connector,
    batch: &Batch,
    patience: Duration,
    mut told: impl FnMut(Verdict),
) -> Resolution {
    let until = Instant::now() + patience;
    let mut resolution = Resolution::default();
    let (mut resolver, first) = Resolver::new(batch.clone());
    let mut pauses: BTreeMap<Part, Duration> = BTreeMap::new();
    let mut running = FuturesUnordered::new();
    let mut steps = vec![first];
    loop {
        for step in steps {
            match step {
                Step::Send(command) => running.push(run(connector, batch, command, Duration::ZERO).boxed()),
                Step::Retry(command) => {
                    let pause = pauses.entry(target(batch, command)).or_insert(RETRY_PAUSE);
                    if Instant::now() + *pause < until {
                        running.push(run(connector, batch, command, *pause).boxed());
                    }
                    *pause = (*pause * 2).min(RETRY_PAUSE_MAX);
                }
                Step::Decided(verdict) => {
                    resolution.verdict = Some(verdict);
                    told(verdict);
                }
                Step::Alarm(alarm) => {
                    tracing::error!(batch = %batch.id, %alarm, "this batch contradicts the protocol and is left as it is");
                    resolution.alarms.push(alarm);
                }
                Step::Done { complete } => resolution.finished = complete,
            }
        }
        match running.next().await {
            Some(reply) => steps = resolver.on(reply),
            None => return resolution,
        }
    }
}

fn target(batch: &Batch, command: Command) -> Part {
    match command {
        Command::Settle => batch.id.home,
        Command::CommitPrepared(part, _)
        | Command::RollBackPrepared(part)
        | Command::Tombstone(part)
        | Command::ReadMarker(part) => part,
    }
}

/// Sends one command on a connection of its own.
async fn run(connector: &Connector, batch: &Batch, command: Command, pause: Duration) -> Reply {
    tokio::time::sleep(pause).await;
    let part = target(batch, command);
    let limit = Duration::from_millis(FINISH_MS_MAX);
    match timeout(limit, send(connector, batch, command, part)).await {
        Ok(reply) => reply,
        Err(_) => Reply::Unreachable(part),
    }
}

async fn send(connector: &Connector, batch: &Batch, command: Command, part: Part) -> Reply {
    let link = match connector.connect(part).await {
        Ok(link) => link,
        Err(error) => {
            tracing::debug!(batch = %batch.id, %part, error = with_sources(error), "cannot connect to resolve");
            return Reply::Unreachable(part);
        }
    };
    let gid = || batch.gid(connector.deployment(), part);
    let client = link.client();
    let id = batch.id.to_string();
    let home = batch.id.home.to_string();
    let parts: Vec<String> = batch.parts().iter().map(ToString::to_string).collect();
    let answer = async {
        client.batch_execute(&format!("{} set lock_timeout = '2s'", Message::OpenSession)).await?;
        Ok(match command {
            Command::Settle => {
                let row = client.query_one(&statement::settle(), &[&id, &home, &parts]).await?;
                let parts: Option<Vec<String>> = row.get("parts");
                let parts = parts.unwrap_or_default().iter().filter_map(|part| part.parse().ok()).collect();
                Reply::Settled { outcome: verdict(row.get("outcome")), parts }
            }
            Command::CommitPrepared(part, token) => {
                client.batch_execute(&statement::commit_prepared(&gid(), token)).await?;
                Reply::Finished(part)
            }
            Command::RollBackPrepared(part) => {
                client.batch_execute(&statement::roll_back_prepared(&gid())).await?;
                Reply::Finished(part)
            }
            Command::Tombstone(part) => {
                let row = client.query_one(&statement::tombstone(), &[&id, &home, &parts]).await?;
                Reply::Marker(part, Some(verdict(row.get("outcome"))))
            }
            Command::ReadMarker(part) => {
                let row = client.query_opt(&statement::read_marker(), &[&id]).await?;
                Reply::Marker(part, row.map(|row| verdict(row.get("outcome"))))
            }
        })
    };
    match answer.await {
        // The wait for a synchronous standby was cancelled: not known to be durable, so ask again.
        Ok(_) if link.warnings() > 0 => Reply::Unreachable(part),
        Ok(reply) => reply,
        Err(error) => trouble(part, error, batch),
    }
}

fn trouble(part: Part, error: Error, batch: &Batch) -> Reply {
    match classify::finishing(&error) {
        Finishing::Missing => Reply::Missing(part),
        Finishing::Busy => Reply::Busy(part),
        Finishing::OlderIncarnation => Reply::OlderIncarnation,
        Finishing::Retry => Reply::Unreachable(part),
        Finishing::Page => {
            tracing::error!(batch = %batch.id, %part, error = with_sources(error), "cannot resolve, this needs a human");
            Reply::Unreachable(part)
        }
    }
}

fn verdict(outcome: &str) -> Verdict {
    match outcome {
        "committed" => Verdict::Committed,
        _ => Verdict::Aborted,
    }
}
