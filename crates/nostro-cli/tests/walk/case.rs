//! One case: a point, a fault, a recovery; from the first byte to the proof.
//!
//! The proof is the same for all: nothing stays in doubt, the rows are at all of their branches or at none and agree
//! with what the client was told, the same ids give that outcome and move or reserve the money at most once, the books
//! balance.

use crate::asked::{ANSWER_MAX, Asked, Pairs, UNASKED};
use crate::fault::{Fault, Recovery};
use crate::point::{Point, Scene};
use nostro_client::{Client, TransferRequest};
use nostro_commit::Message;
use nostro_core::AccountNumber;
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{balance, give_back, nothing_in_doubt_within, open, pay, told};
use nostro_torture::server::Server;
use nostro_torture::wire::{Held, Hold, Wire};
use std::fmt;
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{sleep, timeout};

/// What Texas votes against, while the table `poison` has a row.
const POISONED: i64 = 666;
const HARMLESS: i64 = 100;
const OPENING: i64 = 10_000_000;
/// Far more than are inserted one by one: the first batch of a bulk begins while the rest is still being queued.
const OTHERS: usize = 200;

/// From the end of the fault until everything is settled; recovery begins within a second and a quarter.
const SETTLED_MAX: Duration = Duration::from_secs(20);

/// Where, what, and who recovers.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub point: Point,
    pub fault: Fault,
    pub recovery: Recovery,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.point, self.fault, self.recovery)
    }
}

/// Two clusters and the accounts of both, used for case after case.
pub struct Ground {
    pub databases: Databases,
    /// The second of these are also the accounts of transfers that are in a batch beside the one that counts.
    pairs: Pairs,
    moved: i64,
    /// How many chains were posted, each with a cent inside each branch.
    chains: i64,
}

/// The wires of one server.
struct Wires {
    az: Wire,
    tx: Wire,
}

/// A case with its message held.
struct Stage {
    wires: Wires,
    server: Server,
    recoverers: Vec<Server>,
    asking: JoinHandle<String>,
    held: Held,
    /// Of the backend whose message or answer is held.
    backend: i32,
}

impl Ground {
    pub async fn new() -> Self {
        // Nothing but a commit flushes the log, so that a crash loses whatever was not committed.
        let databases = Databases::start_with(&[("wal_writer_delay", "10s")]).await;
        databases
            .sql(
                "TX",
                &format!(
                    "create table poison (); grant select on poison to nostro_commit;
                     create function votes_no() returns trigger language plpgsql as
                       $$ begin if exists (select from poison) then raise exception 'voting no' using errcode = 'lock_not_available'; end if; return new; end $$;
                     create constraint trigger votes_no after insert on transfer deferrable initially deferred
                       for each row when (new.amount = {POISONED}) execute function votes_no()"
                ),
            )
            .await;
        let server = Server::start(&databases).await;
        let accounts = [open(&server.client, "AZ", OPENING).await, open(&server.client, "TX", OPENING).await];
        let others = [open(&server.client, "AZ", OPENING).await, open(&server.client, "TX", OPENING).await];
        let beside = [open(&server.client, "AZ", 0).await, open(&server.client, "TX", 0).await];
        Self { databases, pairs: Pairs { accounts, others, beside }, moved: 0, chains: 0 }
    }

    /// How many rows each branch has.
    async fn rows(&self, asked: &Asked) -> [String; 2] {
        let rows = asked.count();
        [self.databases.value("AZ", &rows).await, self.databases.value("TX", &rows).await]
    }
}

impl Wires {
    async fn new(databases: &Databases) -> Self {
        let az = Wire::to(databases.cluster("AZ").port()).await;
        let tx = Wire::to(databases.cluster("TX").port()).await;
        az.record();
        tx.record();
        Self { az, tx }
    }

    fn of(&self, branch: &str) -> &Wire {
        if branch == "AZ" { &self.az } else { &self.tx }
    }

    async fn server(&self, databases: &Databases, recovery: Recovery) -> Server {
        Server::start_set(databases, &[("AZ", &self.az), ("TX", &self.tx)], &setting(recovery)).await
    }

    fn hold(&self, message: Message, branch: &str, hold: Hold) -> Held {
        self.of(branch).hold(message.to_string(), hold)
    }

    /// Waits until the watchers have their connections, so that the next one is a batch's.
    async fn watched(&self) {
        let looks = |wire: &Wire| wire.recorded().iter().filter(|text| text.contains("pg_prepared_xacts")).count();
        let begin = Instant::now();
        while looks(&self.az) < 2 || looks(&self.tx) < 2 {
            assert!(begin.elapsed() < SETTLED_MAX, "the watchers do not look");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn setting(recovery: Recovery) -> String {
    format!("recovery_age_ms = {}", recovery.age_ms())
}

impl Case {
    /// Runs it; the first answer that the client got. Panics if anything does not hold.
    pub async fn run(self, ground: &mut Ground) -> String {
        let amount = if self.point.scene == Scene::VoteAgainst { POISONED } else { HARMLESS };
        let request = Asked::of(self.point.scene, &ground.pairs, amount);
        if self.point.scene == Scene::VoteAgainst {
            ground.databases.sql("TX", "insert into poison default values").await;
        }
        let stage = self.set(ground, &request).await;
        let (told, servers, _wires) = self.strike(&mut ground.databases, stage).await;
        let checker = &servers.last().unwrap().client;
        nothing_in_doubt_within(servers.last().unwrap(), SETTLED_MAX).await;
        ground.databases.nothing_prepared_within(SETTLED_MAX).await;
        let rows = ground.rows(&request).await;
        self.agrees(&request, &told, &rows);
        ground.databases.sql("TX", "delete from poison").await;
        let [first, again] = request.first_and_again();
        let expected = if rows == request.rows() { again } else { first };
        assert_eq!(request.until_final(checker).await, expected, "{self}: told {told} first");
        assert_eq!(request.until_final(checker).await, again, "{self}");
        assert_eq!(ground.rows(&request).await, request.rows(), "{self}: rows once it is decided");
        if let Some((branch, question, stands)) = request.source() {
            assert_eq!(ground.databases.value(branch, &question).await, stands, "{self}: taken from once");
        }
        assert_eq!(reserved(ground, checker).await, i128::from(request.held()), "{self}: reserved once");
        ground.moved += request.moved();
        ground.chains += i64::from(request.is_posted() && request.is_chain());
        self.balances(ground, checker).await;
        if let Asked::Reserve(hold) = request {
            // The next case finds the account without it.
            Asked::Release(hold, give_back()).until_final(checker).await;
            assert_eq!(reserved(ground, checker).await, 0, "{self}: nothing is left of the hold");
        }
        told
    }

    /// What the client was told, against the rows: all of them, or none.
    fn agrees(self, request: &Asked, told: &str, rows: &[String; 2]) {
        let is_decided = *rows == request.rows();
        assert!(is_decided || *rows == ["0", "0"], "{self}: told {told}, rows at Arizona and Texas {rows:?}");
        let [decided, _] = request.first_and_again();
        let expected = match told {
            told if told == decided || (told == "settling" && request.is_posted()) => Some(true),
            "unknown" | UNASKED => None,
            unavailable if unavailable.starts_with("unavailable") => Some(false),
            other => panic!("{self}: told {other}, which is wrong in any case"),
        };
        assert!(expected.is_none_or(|expected| expected == is_decided), "{self}: told {told}, rows {rows:?}");
    }

    async fn balances(self, ground: &Ground, checker: &Client) {
        let begin = Instant::now();
        // A connection of the server's that died with its database is found out when it is used.
        let audit = loop {
            match checker.audit().await {
                Ok(audit) => break audit,
                Err(error) => assert!(begin.elapsed() < SETTLED_MAX, "{self}: {error}"),
            }
            sleep(Duration::from_millis(50)).await;
        };
        assert!(audit.balanced, "{self}: {audit:?}");
        let Pairs { accounts, beside, .. } = &ground.pairs;
        let found = (balance(checker, accounts[0]).await, balance(checker, accounts[1]).await);
        let moved = i128::from(ground.moved);
        assert_eq!(found, (i128::from(OPENING) - moved, i128::from(OPENING) + moved), "{self}: moved once");
        let found = (balance(checker, beside[0]).await, balance(checker, beside[1]).await);
        let chains = i128::from(ground.chains);
        assert_eq!(found, (chains, chains), "{self}: moved once inside each branch");
        ground.databases.every_batch_is_whole().await;
    }

    /// Brings about the scene, up to the held message.
    async fn set(self, ground: &Ground, request: &Asked) -> Stage {
        let databases = &ground.databases;
        let Point { message, branch, hold, scene } = self.point;
        let wires = Wires::new(databases).await;
        let mut recoverers = Vec::new();
        let (server, asking, mut held) = match scene {
            Scene::Live
            | Scene::Many
            | Scene::Capture
            | Scene::Reversal
            | Scene::Reserve
            | Scene::Release
            | Scene::Chain
            | Scene::BrokenChain
            | Scene::VoteAgainst => {
                let server = wires.server(databases, self.recovery).await;
                wires.watched().await;
                recoverers = self.recoverers(databases).await;
                request.bring_about(&server.client).await;
                let held = wires.hold(message, branch, hold);
                let asking = match request {
                    Asked::Transfer(transfer) if scene == Scene::Many => {
                        ask_many(&server, transfer, ground.pairs.others)
                    }
                    Asked::Transfer(_)
                    | Asked::Capture(..)
                    | Asked::Reversal(..)
                    | Asked::Reserve(_)
                    | Asked::Release(..)
                    | Asked::Expiry(_)
                    | Asked::Chain(_)
                    | Asked::BrokenChain(_) => ask(&server, request),
                };
                (server, asking, held)
            }
            // Whoever recovers looks for holds that are due, too, and so is not there before the message is held.
            Scene::Expiry => {
                let server = wires.server(databases, self.recovery).await;
                wires.watched().await;
                request.bring_about(&server.client).await;
                let held = wires.hold(message, branch, hold);
                (server, tokio::spawn(async { UNASKED.to_owned() }), held)
            }
            Scene::Undecided => {
                let asking = self.die_at(databases, request, Message::Decide, "AZ").await;
                let held = wires.hold(message, branch, hold);
                (wires.server(databases, self.recovery).await, asking, held)
            }
            Scene::Decided => {
                let asking = self.die_at(databases, request, Message::CommitPrepared, "TX").await;
                let held = wires.hold(message, branch, hold);
                (wires.server(databases, self.recovery).await, asking, held)
            }
            Scene::Finished => {
                let server = wires.server(databases, self.recovery).await;
                let mut answer = wires.hold(Message::CommitPrepared, "TX", Hold::Answer);
                let asking = ask(&server, request);
                answer.reached().await;
                let held = wires.hold(message, branch, hold);
                answer.cut();
                (server, asking, held)
            }
        };
        let backend = held.reached().await;
        if recoverers.is_empty() {
            recoverers = self.recoverers(databases).await;
        }
        if self.recovery == Recovery::TwoRecoverers {
            // They look four times a second.
            sleep(Duration::from_millis(300)).await;
        }
        let is_held_up = match scene {
            Scene::Live
            | Scene::Capture
            | Scene::Reversal
            | Scene::Reserve
            | Scene::Release
            | Scene::Chain
            | Scene::BrokenChain
            | Scene::VoteAgainst => true,
            Scene::Many | Scene::Expiry | Scene::Undecided | Scene::Decided | Scene::Finished => false,
        };
        if is_held_up {
            assert!(!asking.is_finished(), "the batch went on without the message that is held");
        }
        Stage { wires, server, recoverers, asking, held, backend }
    }

    /// In a transfer they are there before it, so that its own waits do not run meanwhile.
    async fn recoverers(self, databases: &Databases) -> Vec<Server> {
        let mut servers = Vec::new();
        if self.recovery == Recovery::TwoRecoverers {
            for _ in 0..2 {
                servers.push(Server::start_with_setting(databases, &setting(self.recovery)).await);
            }
        }
        servers
    }

    /// A server that dies with this message on its way, which is lost.
    async fn die_at(
        self,
        databases: &Databases,
        request: &Asked,
        message: Message,
        branch: &str,
    ) -> JoinHandle<String> {
        let wires = Wires::new(databases).await;
        let mut server = wires.server(databases, Recovery::Late).await;
        let mut held = wires.hold(message, branch, Hold::Message);
        let asking = ask(&server, request);
        held.reached().await;
        server.kill();
        asking
    }

    /// The fault, and what follows until the client has its answer. The servers that are then alive.
    async fn strike(self, databases: &mut Databases, stage: Stage) -> (String, Vec<Server>, Wires) {
        let Stage { wires, mut server, recoverers: mut servers, asking, held, backend } = stage;
        match self.fault {
            Fault::ServerKilled => {
                server.kill();
                match self.recovery {
                    Recovery::AtOnce => held.cut(),
                    // Nobody recovers what one branch decides by itself, so what arrives is waited for.
                    Recovery::Late => {
                        held.release();
                        databases.what_is_open_ends_within(self.point.branch, SETTLED_MAX).await;
                    }
                    Recovery::TwoRecoverers => {
                        sleep(Duration::from_millis(300)).await;
                        held.release();
                        databases.what_is_open_ends_within(self.point.branch, SETTLED_MAX).await;
                    }
                }
                if servers.is_empty() {
                    servers.push(Server::start_with_setting(databases, &setting(self.recovery)).await);
                }
            }
            Fault::CutBefore => held.cut(),
            Fault::CutAfter => held.release_and_cut(),
            Fault::BackendTerminated => {
                databases.sql(self.point.branch, &format!("select pg_terminate_backend({backend})")).await;
                held.release();
            }
            Fault::HomeStopped | Fault::ParticipantStopped => {
                let stopped = self.fault.stopped().expect("these two stop a branch");
                block_in_place(|| databases.cluster_mut(stopped).stop(Stop::Immediate)).unwrap();
                if stopped == self.point.branch {
                    held.cut()
                } else {
                    held.release()
                }
                wires.of(stopped).cut_all();
                if self.recovery == Recovery::Late {
                    sleep(Duration::from_millis(500)).await;
                }
                block_in_place(|| databases.cluster_mut(stopped).start()).unwrap();
            }
        }
        let told = timeout(ANSWER_MAX, asking).await.expect("every request is answered").unwrap();
        for text in wires.az.recorded().iter().chain(&wires.tx.recorded()) {
            assert_numbered(text);
        }
        if self.fault != Fault::ServerKilled {
            servers.push(server);
        }
        (told, servers, wires)
    }
}

/// Whatever goes over the wires is a message of the protocol, or one of those that a server sends beside its batches.
pub fn assert_numbered(text: &str) {
    let beside = [
        // the watchers' looks, and the roll-up of positions
        "from pg_prepared_xacts",
        "select clock_timestamp()",
        "roll_up_positions()",
        // this month's partition and the next one's, before any batch
        "make_transfer_period(",
        // before a capture or a release, on a connection for look-ups: the hold's accounts
        "from hold where id = any($1)",
        // and whether it was done before; and before a reversal, what the original was
        "from unnest($1::integer[], $2::uuid[]) as asked (in_period, under)\n         join transfer on",
        // twice a second, which holds are past their time
        "due_at <= statement_timestamp()",
        // after a row lock that was not given, on a connection for look-ups: which accounts are in doubt
        "x.transaction = a.xmax",
    ];
    let known = Message::of(text).is_some() || beside.iter().any(|known| text.contains(known));
    assert!(known, "a message without a number: {text}");
}

/// What is reserved at Arizona's account.
async fn reserved(ground: &Ground, checker: &Client) -> i128 {
    checker.account(ground.pairs.accounts[0]).await.unwrap().held
}

fn ask(server: &Server, request: &Asked) -> JoinHandle<String> {
    let (client, request) = (server.client.clone(), request.clone());
    tokio::spawn(async move { request.send(&client).await })
}

/// The transfer with as many others as make a COPY of their rows; what became of the one.
fn ask_many(server: &Server, request: &TransferRequest, [from, to]: [AccountNumber; 2]) -> JoinHandle<String> {
    let others = std::iter::repeat_with(|| pay(from, to, 1)).take(OTHERS);
    let transfers: Vec<TransferRequest> = std::iter::once(request.clone()).chain(others).collect();
    let client = server.client.clone();
    tokio::spawn(async move {
        match client.transfers_bulk(&transfers).await {
            Ok(results) => match (&results[0].problem, results[0].state.as_str()) {
                (Some(problem), state) => format!("{state} {}", problem.code),
                (None, state) => state.to_owned(),
            },
            Err(error) => told(&Err(error)),
        }
    })
}
