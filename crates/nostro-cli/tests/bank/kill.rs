//! The real server killed with SIGKILL at each step of the protocol, and started again.
//!
//! After each: nothing in doubt within five seconds, and the same id moves the money once, whatever the killed
//! attempt came to. Where a message was on its way when the server died, it may arrive after recovery has
//! settled the batch, and must then change nothing.

use nostro_torture::databases::Databases;
use nostro_torture::money::{balance, nothing_in_doubt_within, open, pay, told, until_final};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::{Duration, Instant};

/// What becomes of the held message after the server's death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    /// It is lost.
    Lost,
    /// It arrives after recovery.
    Arrives,
}

struct Step {
    /// Where the message goes.
    branch: &'static str,
    message: &'static str,
    hold: Hold,
    late: Late,
    /// What the same id gives after the restart: the first attempt had moved the money, or not.
    then: &'static str,
}

const STEPS: [Step; 12] = [
    step("AZ", "pg_advisory_lock", Hold::Message, Late::Lost, "posted"),
    step("TX", "pg_advisory_lock", Hold::Answer, Late::Lost, "posted"),
    step("AZ", "begin isolation level", Hold::Answer, Late::Lost, "posted"),
    step("TX", "insert into participation", Hold::Message, Late::Lost, "posted"),
    step("TX", "prepare transaction", Hold::Message, Late::Lost, "posted"),
    step("TX", "prepare transaction", Hold::Message, Late::Arrives, "posted"),
    step("TX", "prepare transaction", Hold::Answer, Late::Lost, "posted"),
    step("AZ", "insert into batch (id", Hold::Message, Late::Lost, "posted"),
    step("AZ", "insert into batch (id", Hold::Message, Late::Arrives, "posted"),
    step("AZ", "insert into batch (id", Hold::Answer, Late::Lost, "replayed"),
    step("TX", "commit prepared", Hold::Message, Late::Lost, "replayed"),
    step("TX", "commit prepared", Hold::Answer, Late::Lost, "replayed"),
];

const fn step(branch: &'static str, message: &'static str, hold: Hold, late: Late, then: &'static str) -> Step {
    Step { branch, message, hold, late, then }
}

#[tokio::test]
async fn kill_minus_nine_at_each_step() {
    let databases = Databases::start().await;
    let mut expected = (100_000, 100_000);
    let mut accounts = None;
    for (at, step) in STEPS.iter().enumerate() {
        let name = format!("step {at}: {:?} of {:?} at {}, {:?}", step.hold, step.message, step.branch, step.late);
        let (to_az, to_tx) =
            (Wire::to(databases.cluster("AZ").port()).await, Wire::to(databases.cluster("TX").port()).await);
        let mut server = Server::start_through(&databases, &[("AZ", &to_az), ("TX", &to_tx)]).await;
        let (az, tx) = match accounts {
            Some(accounts) => accounts,
            None => (open(&server.client, "AZ", 100_000).await, open(&server.client, "TX", 100_000).await),
        };
        accounts = Some((az, tx));
        let request = pay(az, tx, 100);
        let proxy = if step.branch == "AZ" { &to_az } else { &to_tx };
        let mut held = proxy.hold(step.message, step.hold);
        let (client, sent) = (server.client.clone(), request.clone());
        let asking = tokio::spawn(async move { told(&client.transfer(&sent).await) });
        held.reached().await;
        if step.hold == Hold::Answer {
            processed(&databases, step, &request.id.to_string()).await;
        }
        server.kill();
        assert_eq!(asking.await.unwrap(), "unknown", "{name}: a cut connection is never told as a failure");
        if step.late == Late::Lost {
            held.cut();
            to_az.cut_all();
            to_tx.cut_all();
        }
        let mut server = Server::start(&databases).await;
        let begin = Instant::now();
        nothing_in_doubt_within(&server, Duration::from_secs(5)).await;
        if step.late == Late::Arrives {
            // Recovery must have settled what it could see; now the message of the dead arrives.
            tokio::time::sleep(Duration::from_millis(200)).await;
            held.release();
            databases.nothing_prepared_within(Duration::from_secs(10)).await;
        }
        println!("{name}: nothing in doubt after {} ms", begin.elapsed().as_millis());
        assert_eq!(until_final(&server.client, &request).await, step.then, "{name}");
        assert_eq!(until_final(&server.client, &request).await, "replayed", "{name}");
        expected = (expected.0 - 100, expected.1 + 100);
        let found = (balance(&server.client, az).await, balance(&server.client, tx).await);
        assert_eq!(found, expected, "{name}: the money moved once");
        assert!(server.client.audit().await.unwrap().balanced, "{name}");
        assert_eq!(server.stop(), Some(0));
        to_az.cut_all();
        to_tx.cut_all();
    }
    databases.finish().await;
}

/// The first answer that was held may have been an earlier message's; waits until the database is past this one.
async fn processed(databases: &Databases, step: &Step, id: &str) {
    let query = match step.message {
        "prepare transaction" => "select count(*) > 0 from pg_prepared_xacts".to_owned(),
        "insert into batch (id" => format!("select count(*) > 0 from transfer where id = '{id}'"),
        "commit prepared" => format!("select count(*) > 0 from transfer where id = '{id}'"),
        _ => return,
    };
    let begin = Instant::now();
    while databases.value(step.branch, &query).await != "true" {
        assert!(begin.elapsed() < Duration::from_secs(5), "{} was not processed", step.message);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
