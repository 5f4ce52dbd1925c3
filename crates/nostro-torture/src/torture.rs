//! A run: stage, workload, faults, then calm, settling, and the judgement.

use crate::books::Books;
use crate::faults;
use crate::history::Recorder;
use crate::oracle::{self, BRANCHES, Check, Violation};
use crate::report::Report;
use crate::schedule::schedule;
use crate::stage::Stage;
use crate::watchers::{self, Audits};
use crate::workload::{Answers, Cast, Crowd};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// After the faults everything must be back by itself within this time.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const DRAIN_PAUSE: Duration = Duration::from_millis(25);
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
    let mut violations = Vec::new();
    let drained = drain(&crowd, &mut violations).await;
    while let Some(worked) = working.join_next().await {
        worked.expect("a client works or the rig is broken");
    }
    let (left, settled) = crowd.settle().await;
    stage.tell(&format!("{settled} requests were sent again until they were final, {left} are not"));
    watching.store(true, Ordering::Relaxed);
    let audits = auditing.await.expect("the auditor works or the rig is broken");
    let mut reads = 0;
    while let Some(read) = reading.join_next().await {
        reads += read.expect("a reader works or the rig is broken");
    }
    looking.await.expect("somebody looks or the rig is broken");
    nothing_prepared_at_the_end(&stage, &mut violations).await;
    let mut books = BTreeMap::new();
    for (code, number) in BRANCHES {
        books.insert(number, stage.access[code].read().await.expect("the databases are up"));
    }
    let history = recorder.take();
    let judgement = oracle::judge(&history, &books);
    violations.extend(judgement.violations);
    of_audits(&audits, &mut violations);
    for failure in stage.server_failures() {
        violations.push(Violation { check: Check::Servers, text: failure, transfer: None, batch: None });
    }
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
        audits,
        reads,
        rows: books.values().map(|books: &Books| books.rows.len()).sum(),
        batches: books.values().map(|books| books.decisions.len()).sum(),
        drained,
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

/// Waits until nothing is in doubt, every server reaches every branch, and fresh transfers are posted through each.
async fn drain(crowd: &Crowd, violations: &mut Vec<Violation>) -> Option<Duration> {
    let begin = Instant::now();
    let until = begin + DRAIN_MAX;
    let mut missing = in_the_way(&crowd.stage).await;
    while !missing.is_empty() && Instant::now() < until {
        tokio::time::sleep(DRAIN_PAUSE).await;
        missing = in_the_way(&crowd.stage).await;
    }
    for server in 0..crowd.stage.servers() {
        for (from, (code, _)) in BRANCHES.iter().enumerate() {
            if !crowd.posts(server, crowd.cast.across(from), until).await {
                missing.push(format!("server {server} posts no fresh transfer from {code}"));
            }
        }
    }
    let took = begin.elapsed();
    crowd.stage.tell(&format!("drained after {} ms: {missing:?} is left", took.as_millis()));
    for text in &missing {
        let text = format!("{} s after the faults: {text}", DRAIN_MAX.as_secs());
        violations.push(Violation { check: Check::Drain, text, transfer: None, batch: None });
    }
    missing.is_empty().then_some(took)
}

/// What is still prepared for longer than a live batch takes, in doubt, or not reached.
async fn in_the_way(stage: &Stage) -> Vec<String> {
    let mut missing = Vec::new();
    for (code, access) in &stage.access {
        match access.prepared().await {
            Ok(gids) => missing.extend(gids.iter().map(|gid| format!("{gid} is prepared at {code}"))),
            Err(error) => missing.push(format!("{code} is not reached: {error}")),
        }
    }
    for server in 0..stage.servers() {
        let client = stage.client(server);
        match client.in_doubt().await {
            Ok(list) => {
                missing.extend(list.data.iter().map(|one| format!("server {server} lists {} as in doubt", one.gid)));
                missing.extend(list.unreachable.iter().map(|code| format!("server {server} cannot ask {code}")));
            }
            Err(error) => missing.push(format!("server {server} does not list what is in doubt: {error}")),
        }
        match client.branches().await {
            Ok(branches) => {
                let bad = branches.iter().filter(|branch| branch.health != "reachable");
                missing.extend(bad.map(|branch| format!("server {server}: {} is {}", branch.code, branch.health)));
            }
            Err(error) => missing.push(format!("server {server} does not list its branches: {error}")),
        }
    }
    missing
}

/// Also what was settled after the faults leaves nothing.
async fn nothing_prepared_at_the_end(stage: &Stage, violations: &mut Vec<Violation>) {
    let until = Instant::now() + DRAIN_MAX;
    loop {
        let missing = in_the_way(stage).await;
        if missing.is_empty() {
            return;
        }
        if Instant::now() >= until {
            for text in missing {
                let text = format!("at the very end: {text}");
                violations.push(Violation { check: Check::Drain, text, transfer: None, batch: None });
            }
            return;
        }
        tokio::time::sleep(DRAIN_PAUSE).await;
    }
}

fn of_audits(audits: &Audits, violations: &mut Vec<Violation>) {
    let mut told = |text: String| {
        violations.push(Violation { check: Check::Audits, text, transfer: None, batch: None });
    };
    audits.wrong.iter().for_each(|wrong| told(format!("an audit is wrong: {wrong}")));
    if audits.right == 0 {
        told("no audit was answered".into());
    }
    if audits.naive_wrong == 0 {
        told("the naive total was never wrong: the audits saw no batch in flight, and prove nothing".into());
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, seconds: 60, servers: 2, clients: 12 }
    }
}
