//! One case: a point, a fault, a recovery; from the first byte to the proof.
//!
//! The proof is the same for all: nothing stays in doubt, the row is at both branches or at neither and agrees with
//! what the client was told, the same id gives that outcome and moves the money at most once, the books balance.

use crate::fault::{Fault, Recovery};
use crate::point::{Point, Scene};
use nostro_client::{CaptureRequest, Client, HoldRequest, TransferRequest};
use nostro_commit::Message;
use nostro_core::AccountNumber;
use nostro_core::transfer_id::ID_DISTANCE_MAX;
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, nothing_in_doubt_within, open, pay, reserve, take, told};
use nostro_torture::server::Server;
use nostro_torture::wire::{Held, Hold, Wire};
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// What Texas votes against, while the table `poison` has a row.
const POISONED: i64 = 666;
const HARMLESS: i64 = 100;
const OPENING: i64 = 10_000_000;
/// Far more than are inserted one by one: the first batch of a bulk begins while the rest is still being queued.
const OTHERS: usize = 200;

/// Longer than any wait of a server's own.
const ANSWER_MAX: Duration = Duration::from_secs(60);
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

/// Two clusters and two accounts, used for case after case.
pub struct Ground {
    pub databases: Databases,
    accounts: [AccountNumber; 2],
    /// Accounts of transfers that are in a batch beside the one that counts.
    others: [AccountNumber; 2],
    moved: i64,
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
        Self { databases, accounts, others, moved: 0 }
    }

    /// How many of the branches have a row under the id.
    async fn rows(&self, id: Uuid) -> [String; 2] {
        let rows = format!("select count(*) from transfer where id = '{id}' and refusal is null");
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
        let [from, to] = ground.accounts;
        let request = match self.point.scene {
            Scene::Capture => Asked::Capture(reserve(from, to, 3 * amount, None), take(amount, true)),
            Scene::Live | Scene::Many | Scene::VoteAgainst | Scene::Undecided | Scene::Decided | Scene::Finished => {
                Asked::Transfer(looked_up(pay(from, to, amount)))
            }
        };
        if self.point.scene == Scene::VoteAgainst {
            ground.databases.sql("TX", "insert into poison default values").await;
        }
        let stage = self.set(ground, &request).await;
        let (told, servers, _wires) = self.strike(&mut ground.databases, stage).await;
        let checker = &servers.last().unwrap().client;
        nothing_in_doubt_within(servers.last().unwrap(), SETTLED_MAX).await;
        ground.databases.nothing_prepared_within(SETTLED_MAX).await;
        let rows = ground.rows(request.id()).await;
        self.agrees(&told, &rows);
        ground.databases.sql("TX", "delete from poison").await;
        let expected = if rows[0] == "1" { "replayed" } else { "posted" };
        assert_eq!(request.until_final(checker).await, expected, "{self}: told {told} first");
        assert_eq!(request.until_final(checker).await, "replayed", "{self}");
        assert_eq!(checker.account(from).await.unwrap().held, 0, "{self}: nothing is left of a hold");
        ground.moved += amount;
        self.balances(ground, checker).await;
        told
    }

    /// What the client was told, against the rows.
    fn agrees(self, told: &str, rows: &[String; 2]) {
        assert_eq!(rows[0], rows[1], "{self}: told {told}, rows at Arizona and Texas");
        let expected = match told {
            "posted" | "settling" => Some("1"),
            "unknown" => None,
            unavailable if unavailable.starts_with("unavailable") => Some("0"),
            other => panic!("{self}: told {other}, which is wrong in any case"),
        };
        assert!(expected.is_none_or(|expected| expected == rows[0]), "{self}: told {told}, {} rows", rows[0]);
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
        let found = (balance(checker, ground.accounts[0]).await, balance(checker, ground.accounts[1]).await);
        let moved = i128::from(ground.moved);
        assert_eq!(found, (i128::from(OPENING) - moved, i128::from(OPENING) + moved), "{self}: moved once");
        ground.databases.every_batch_is_whole().await;
    }

    /// Brings about the scene, up to the held message.
    async fn set(self, ground: &Ground, request: &Asked) -> Stage {
        let databases = &ground.databases;
        let Point { message, branch, hold, scene } = self.point;
        let wires = Wires::new(databases).await;
        let mut recoverers = Vec::new();
        let (server, asking, mut held) = match scene {
            Scene::Live | Scene::Many | Scene::Capture | Scene::VoteAgainst => {
                let server = wires.server(databases, self.recovery).await;
                wires.watched().await;
                recoverers = self.recoverers(databases).await;
                if let Asked::Capture(placed, _) = request {
                    assert_posted(server.client.place_hold(placed).await);
                }
                let held = wires.hold(message, branch, hold);
                let asking = match request {
                    Asked::Transfer(transfer) if scene == Scene::Many => ask_many(&server, transfer, ground.others),
                    Asked::Transfer(_) | Asked::Capture(..) => ask(&server, request),
                };
                (server, asking, held)
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
        if matches!(scene, Scene::Live | Scene::Capture | Scene::VoteAgainst) {
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
                    Recovery::Late => {
                        held.release();
                        sleep(Duration::from_millis(200)).await;
                    }
                    Recovery::TwoRecoverers => {
                        sleep(Duration::from_millis(300)).await;
                        held.release();
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
        // before a capture, on a connection for look-ups: the hold's accounts
        "from hold where id = $1",
        // twice a second, which holds are past their time
        "state = 'open' and expires_at <= statement_timestamp()",
        // after a row lock that was not given, on a connection for look-ups: which accounts are in doubt
        "x.transaction = a.xmax",
    ];
    let known = Message::of(text).is_some() || beside.iter().any(|known| text.contains(known));
    assert!(known, "a message without a number: {text}");
}

/// With an id that is looked up before it is used: its time is nearly as far from the clock as an id's may be. Ahead
/// of it, so that it stays good however long the case takes.
pub fn looked_up(request: TransferRequest) -> TransferRequest {
    let ahead = SystemTime::now() + ID_DISTANCE_MAX - Duration::from_secs(30);
    let since = ahead.duration_since(UNIX_EPOCH).unwrap();
    let time = uuid::Timestamp::from_unix(uuid::NoContext, since.as_secs(), since.subsec_nanos());
    TransferRequest { id: uuid::Uuid::new_v7(time), ..request }
}

fn ask(server: &Server, request: &Asked) -> JoinHandle<String> {
    let (client, request) = (server.client.clone(), request.clone());
    tokio::spawn(async move { request.send(&client).await })
}

/// What the case asks for.
#[derive(Clone, Debug)]
enum Asked {
    Transfer(TransferRequest),
    /// Of a hold that is placed before.
    Capture(HoldRequest, CaptureRequest),
}

impl Asked {
    fn id(&self) -> Uuid {
        match self {
            Self::Transfer(request) => request.id,
            Self::Capture(_, request) => request.id,
        }
    }

    async fn send(&self, client: &Client) -> String {
        match self {
            Self::Transfer(request) => told(&client.transfer(request).await),
            Self::Capture(hold, request) => told(&client.capture_hold(hold.id, None, request).await),
        }
    }

    /// The same request until the answer is final.
    async fn until_final(&self, client: &Client) -> String {
        let begin = Instant::now();
        loop {
            let outcome = self.send(client).await;
            if ["posted", "replayed", "refused", "conflict"].iter().any(|word| outcome.starts_with(word)) {
                return outcome;
            }
            assert!(begin.elapsed() < ANSWER_MAX, "still {outcome}");
            sleep(Duration::from_millis(100)).await;
        }
    }
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
