//! What the wire does to a statement, on a real PostgreSQL server: the crash tests rest on it.
#![allow(clippy::unwrap_used, missing_docs)]

use nostro_local::TemporaryCluster;
use nostro_torture::wire::{Condition, Held, Hold, Wire};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls, Row};

struct Rig {
    cluster: TemporaryCluster,
    wire: Wire,
    admin: Client,
}

async fn connect(port: u16, cluster: &TemporaryCluster) -> Client {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user("postgres").password(cluster.password()).dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Rig {
    async fn new() -> Self {
        let cluster = TemporaryCluster::start("wire", &[]).unwrap();
        let admin = connect(cluster.port(), &cluster).await;
        admin.batch_execute("create table written (what text)").await.unwrap();
        let wire = Wire::to(cluster.port()).await;
        Self { cluster, wire, admin }
    }

    /// Sends an insert with a parameter, which goes as several messages, and waits until it is held.
    async fn insert(&self, hold: Hold) -> (Held, JoinHandle<Result<Row, Error>>) {
        let client = connect(self.wire.port(), &self.cluster).await;
        let statement = client.prepare("insert into written values ($1) returning what").await.unwrap();
        let mut held = self.wire.hold("insert into written", hold);
        let sent = tokio::spawn(async move { client.query_one(&statement, &[&"it"]).await });
        assert!(held.reached().await > 0, "the process of the backend");
        (held, sent)
    }

    /// Whether the row is there within a moment.
    async fn is_written(&self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(700) {
            let rows = self.admin.query_one("select count(*) from written", &[]).await.unwrap();
            if rows.get::<_, i64>(0) > 0 {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }
}

#[tokio::test]
async fn a_message_that_is_held_is_passed_lost_or_passed_with_the_connection_gone() {
    type Act = fn(&Held);
    let cases: [(Hold, Act, &str, bool, bool); 8] = [
        (Hold::Message, Held::release, "message released", true, true),
        (Hold::Message, Held::cut, "message cut", false, false),
        (Hold::Message, Held::release_and_cut, "message arrives, then cut", true, false),
        (Hold::Message, Held::half_close, "message lost, its way closed", false, false),
        (Hold::Answer, Held::release, "answer released", true, true),
        (Hold::Answer, Held::cut, "answer cut", true, false),
        (Hold::Answer, Held::release_and_cut, "answer arrives, then cut", true, true),
        (Hold::Answer, Held::half_close, "answer lost, its way closed", true, false),
    ];
    let rig = Rig::new().await;
    for (hold, act, name, written, answered) in cases {
        rig.admin.batch_execute("truncate written").await.unwrap();
        let (held, sent) = rig.insert(hold).await;
        assert_eq!(rig.is_written().await, hold == Hold::Answer, "{name}: while it is held");
        act(&held);
        assert_eq!(sent.await.unwrap().is_ok(), answered, "{name}: the answer");
        assert_eq!(rig.is_written().await, written, "{name}: the row");
    }
}

#[tokio::test]
async fn a_message_may_arrive_after_its_client_was_told_that_all_is_over() {
    let rig = Rig::new().await;
    let (held, sent) = rig.insert(Hold::Message).await;
    held.hang_up();
    assert!(sent.await.unwrap().is_err());
    assert!(!rig.is_written().await);
    held.release();
    assert!(rig.is_written().await);
}

#[tokio::test]
async fn a_wire_is_late_silent_or_closed_as_it_is_told() {
    let rig = Rig::new().await;
    let client = connect(rig.wire.port(), &rig.cluster).await;
    rig.wire.be(Condition::Late(Duration::from_millis(50)));
    let begin = Instant::now();
    client.batch_execute("select 1").await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(100), "there and back: {:?}", begin.elapsed());
    rig.wire.be(Condition::Silent);
    let waiting = client.batch_execute("insert into written values ('late')");
    assert!(tokio::time::timeout(Duration::from_millis(300), waiting).await.is_err());
    assert!(!rig.is_written().await);
    rig.wire.be(Condition::Clear);
    assert!(rig.is_written().await, "what was sent arrives when the wire is better");
    rig.wire.be(Condition::Closed);
    rig.wire.cut_all();
    assert!(client.batch_execute("select 1").await.is_err());
    let mut config = Config::new();
    config.host("127.0.0.1").port(rig.wire.port()).user("postgres").password(rig.cluster.password());
    assert!(config.connect(NoTls).await.is_err());
}
