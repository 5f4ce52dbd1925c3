//! A run: stage, workload, faults, then calm, settling, and the judgement.

use crate::books::Books;
use crate::faults;
use crate::history::Recorder;
use crate::oracle::{self, Aftermath, BRANCHES, Seen, Standing};
use crate::report::Report;
use crate::schedule::schedule;
use crate::stage::Stage;
use crate::watchers;
use crate::workload::{Answers, Cast, Crowd};
use nostro_client::ClientError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// After the faults everything must be back by itself within this time.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const DRAIN_PAUSE: Duration = Duration::from_millis(25);
/// An expiry is booked within this time while its branch can be reached.
const EXPIRY_SECONDS: f64 = 2.0;
/// Readers of accounts.
const READERS: u64 = 2;
/// Violations of which the whole story is told.
const STORIES_MAX: usize = 5;
/// Now and then somebody looks whether the servers are there.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of the schedule, and of every client's choices.
    pub seed: u64,
    /// With faults.
    pub seconds: u64,
    /// One or two.
    pub servers: usize,
    /// Clients at once.
    pub clients: usize,
}

/// Runs and judges. Prints the schedule to standard error as it happens.
pub async fn run(options: Options) -> Report {
    let Options { seed, seconds, servers, clients } = options;
    let stage = Arc::new(Stage::set(servers).await);
    let recorder = Arc::new(Recorder::default());
    let cast = Arc::new(Cast::open(&stage, &recorder).await);
    let stop = Arc::new(AtomicBool::new(false));
    let crowd = Crowd {
        stage: Arc::clone(&stage),
        recorder: Arc::clone(&recorder),
        cast: Arc::clone(&cast),
        known: Arc::default(),
        stop: Arc::clone(&stop),
    };
    let faults = schedule(seed, seconds, servers);
    let begin = Instant::now();
    stage.begin(begin);
    stage.tell(&format!(
        "begin: seed {seed}, {seconds} s, {servers} servers, {clients} clients, {} faults",
        faults.len()
    ));
    let watching = Arc::new(AtomicBool::new(false));
    let mut working = JoinSet::new();
    for client in 0..clients as u64 {
        working.spawn(crowd.clone().work(seed.wrapping_mul(1_000_003).wrapping_add(client)));
    }
    let auditing = tokio::spawn(watchers::audit(Arc::clone(&stage), Arc::clone(&watching)));
    let mut reading = JoinSet::new();
    for reader in 0..READERS {
        let (stage, recorder, watching) = (Arc::clone(&stage), Arc::clone(&recorder), Arc::clone(&watching));
        reading.spawn(watchers::read(stage, recorder, cast.all(), seed.wrapping_add(reader), watching));
    }
    let looking = tokio::spawn(look(Arc::clone(&stage), Arc::clone(&watching)));
    let done = faults::run(Arc::clone(&stage), faults.clone(), begin.into()).await;
    tokio::time::sleep(Duration::from_secs(seconds).saturating_sub(begin.elapsed())).await;
    faults::lift(&stage);
    stop.store(true, Ordering::Relaxed);
    stage.tell("the faults are over");
    let (drained, drained_after) = drain(&crowd).await;
    while let Some(worked) = working.join_next().await {
        worked.expect("a client works or the rig is broken");
    }
    let (unsettled, settled) = crowd.settle().await;
    stage.tell(&format!("{settled} requests were sent again until they were final, {} are not", unsettled.len()));
    watching.store(true, Ordering::Relaxed);
    let audits = auditing.await.expect("the auditor works or the rig is broken");
    let mut reads = 0;
    while let Some(read) = reading.join_next().await {
        reads += read.expect("a reader works or the rig is broken");
    }
    looking.await.expect("somebody looks or the rig is broken");
    expiries_booked(&stage, Instant::now() + DRAIN_MAX).await;
    let end = at_rest(&stage, Instant::now() + DRAIN_MAX).await;
    let mut books = BTreeMap::new();
    for (code, number) in BRANCHES {
        books.insert(number, stage.access[code].read().await.expect("the databases are up"));
    }
    let history = recorder.take();
    let judgement = oracle::judge(&history, &books);
    let (server_failures, hits) = (stage.server_failures(), stage.log_hits());
    let aftermath = Aftermath { unsettled, audits, drained, end, server_failures, hits };
    // These first: they are few, and tell why others follow.
    let mut violations = oracle::judge_aftermath(&aftermath);
    violations.extend(judgement.violations);
    let mut stories = Vec::new();
    for violation in violations.iter().filter_map(|violation| violation.transfer).take(STORIES_MAX) {
        stories.push(oracle::story(&history, &books, violation));
    }
    let mut report = Report {
        options,
        faults,
        done,
        answers: Answers::of(&history),
        settlement: judgement.settlement,
        settled_afterwards: settled,
        audits: aftermath.audits,
        reads,
        rows: books.values().map(|books: &Books| books.rows.len()).sum(),
        expiries: books.values().map(expiries).sum(),
        batches: books.values().map(|books| books.decisions.len()).sum(),
        drained: drained_after,
        violations,
        stories,
        log: stage.log(),
        kept: None,
    };
    if !report.violations.is_empty() {
        let name = format!("nostro-torture-seed-{seed}-{}", std::process::id());
        let kept = stage.keep(&name).await;
        std::fs::write(kept.join("report.md"), report.text()).expect("the directory is ours");
        report.kept = Some(kept);
    }
    report
}

async fn look(stage: Arc<Stage>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        stage.see_that_servers_run().await;
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Waits until the bank is at rest and fresh transfers are posted through each server; how long that took, if it did.
async fn drain(crowd: &Crowd) -> (Standing, Option<Duration>) {
    let begin = Instant::now();
    let until = begin + DRAIN_MAX;
    let mut standing = at_rest(&crowd.stage, until).await;
    for server in 0..crowd.stage.servers() {
        for (from, (code, _)) in BRANCHES.iter().enumerate() {
            if !crowd.posts(server, crowd.cast.across(from), until).await {
                standing.not_posted.push((server, *code));
            }
        }
    }
    let (took, missing) = (begin.elapsed(), standing.in_the_way());
    crowd.stage.tell(&format!("drained after {} ms: {missing:?} is left", took.as_millis()));
    (standing, missing.is_empty().then_some(took))
}

/// Waits until no hold is open whose time is long up, or time is up: then the oracle tells which.
async fn expiries_booked(stage: &Stage, until: Instant) {
    while Instant::now() < until {
        let mut overdue = 0;
        for access in stage.access.values() {
            overdue += access.overdue(EXPIRY_SECONDS).await.expect("the databases are up");
        }
        if overdue == 0 {
            return;
        }
        tokio::time::sleep(DRAIN_PAUSE).await;
    }
}

/// How the bank stands as soon as nothing is prepared or in doubt and every branch is reached, or when time is up.
async fn at_rest(stage: &Stage, until: Instant) -> Standing {
    loop {
        let standing = stand(stage).await;
        if standing.in_the_way().is_empty() || Instant::now() >= until {
            return standing;
        }
        tokio::time::sleep(DRAIN_PAUSE).await;
    }
}

/// How the bank stands: all that is prepared, however young, all that is in doubt, every branch.
async fn stand(stage: &Stage) -> Standing {
    let mut standing = Standing::default();
    for (code, access) in &stage.access {
        standing.prepared.insert(code, access.prepared().await.map_err(|error| error.to_string()));
    }
    for server in 0..stage.servers() {
        let client = stage.client(server);
        let asked = async {
            let (list, branches) = (client.in_doubt().await?, client.branches().await?);
            Ok(Seen {
                in_doubt: list.data.into_iter().map(|one| one.gid).collect(),
                unreachable: list.unreachable,
                health: branches.into_iter().map(|branch| (branch.code.to_string(), branch.health)).collect(),
            })
        };
        let seen: Result<Seen, ClientError> = asked.await;
        standing.servers.push(seen.map_err(|error| error.to_string()));
    }
    standing
}

fn expiries(books: &Books) -> usize {
    books.rows.iter().filter(|row| &*row.kind == "expiry").count()
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, seconds: 60, servers: 2, clients: 12 }
    }
}
