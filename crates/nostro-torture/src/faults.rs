//! Does what the schedule says, when it says it, and tells when it was really done.

use crate::books::Access;
use crate::schedule::{Ending, Fault, Spoil, Then};
use crate::stage::Stage;
use crate::wire::{Condition, Held, Wire};
use nostro_local::Stop;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// A trap that nothing has run into by then is taken away.
const REACH_MAX: Duration = Duration::from_secs(3);
const REACH_PAUSE: Duration = Duration::from_millis(5);

/// What was really done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Held messages that were met.
    pub held: usize,
    /// Traps that nothing ran into.
    pub missed: usize,
    /// Servers that were killed and are back.
    pub server_kills: usize,
    /// PostgreSQL servers that were killed and are back.
    pub database_kills: usize,
}

/// What became of one fault.
enum Outcome {
    Held,
    Missed,
    ServerKilled,
    DatabaseKilled,
    /// Of those that are not counted.
    Other,
}

/// Runs the whole schedule; returns when the last fault is over.
pub async fn run(stage: Arc<Stage>, schedule: Vec<(u64, Fault)>, begin: Instant) -> Done {
    let mut running = JoinSet::new();
    for (at, fault) in schedule {
        tokio::time::sleep_until(begin + Duration::from_millis(at)).await;
        let stage = Arc::clone(&stage);
        running.spawn(async move {
            stage.tell(&fault.to_string());
            cause(&stage, fault).await
        });
    }
    let mut done = Done::default();
    while let Some(one) = running.join_next().await {
        match one.expect("a fault is done or the rig is broken") {
            Outcome::Held => done.held += 1,
            Outcome::Missed => done.missed += 1,
            Outcome::ServerKilled => done.server_kills += 1,
            Outcome::DatabaseKilled => done.database_kills += 1,
            Outcome::Other => {}
        }
    }
    done
}

async fn cause(stage: &Stage, fault: Fault) -> Outcome {
    let ms = Duration::from_millis;
    match fault {
        Fault::KillServer { server, down_ms } => {
            let was_killed = stage.kill_server(server, ms(down_ms)).await;
            stage.tell(&format!("server {server} is back"));
            if was_killed {
                return Outcome::ServerKilled;
            }
        }
        Fault::KillDatabase { branch, ending, down_ms } => {
            let end = move |cluster: &mut nostro_local::TemporaryCluster| match ending {
                Ending::Kill => cluster.kill().unwrap(),
                Ending::Immediate => cluster.stop(Stop::Immediate).unwrap(),
            };
            stage.restart_database(branch, end, ms(down_ms)).await;
            stage.tell(&format!("PostgreSQL of {branch} is back"));
            return Outcome::DatabaseKilled;
        }
        Fault::PauseServer { server, for_ms } => stage.pause_server(server, ms(for_ms)).await,
        Fault::Terminate { branch, sessions } => terminate(stage, &stage.access[branch], sessions).await,
        Fault::Cut { server, branch } => stage.wires[server][branch].cut_all(),
        Fault::Spoil { server, branch, how, for_ms } => {
            let wire = &stage.wires[server][branch];
            wire.be(match how {
                Spoil::Late(late_ms) => Condition::Late(ms(late_ms.into())),
                Spoil::Slow(bytes_per_second) => Condition::Slow(bytes_per_second),
                Spoil::Silent => Condition::Silent,
                Spoil::Closed => Condition::Closed,
            });
            tokio::time::sleep(ms(for_ms)).await;
            wire.be(Condition::Clear);
        }
        Fault::Hold { server, branch, message, hold, for_ms, then } => {
            let wire: &Wire = &stage.wires[server][branch];
            let mut held = wire.hold(message, hold);
            if !reached(&mut held).await {
                // It stays on the wire, and lets pass what it meets.
                held.release();
                stage.tell(&format!("no \"{message}\" of server {server} at {branch} came to be held"));
                return Outcome::Missed;
            }
            tokio::time::sleep(ms(for_ms)).await;
            match then {
                Then::Arrives => held.release(),
                Then::Lost => held.cut(),
                Then::ArrivesAndCut => held.release_and_cut(),
            }
            return Outcome::Held;
        }
    }
    Outcome::Other
}

async fn reached(held: &mut Held) -> bool {
    let until = Instant::now() + REACH_MAX;
    while !held.is_reached() {
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(REACH_PAUSE).await;
    }
    true
}

/// Sessions of the servers are ended by the database; which ones is up to their process numbers.
async fn terminate(stage: &Stage, access: &Access, sessions: u32) {
    let statement = "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity
        where application_name = 'nostro' and datname = 'nostro' order by md5(pid::text) limit $1) chosen";
    let ended = async { access.connect().await?.query_one(statement, &[&i64::from(sessions)]).await };
    match ended.await {
        Ok(row) => stage.tell(&format!("{} sessions terminated", row.get::<_, i64>(0))),
        Err(_) => stage.tell("the database is down, no session to terminate"),
    }
}

/// Lifts whatever is left of any fault.
pub fn lift(stage: &Stage) {
    for wire in stage.wires.iter().flat_map(|wires| wires.values()) {
        wire.be(Condition::Clear);
    }
}
