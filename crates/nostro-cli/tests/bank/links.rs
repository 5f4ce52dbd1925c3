//! Links that lose, delay and cut, between the server and PostgreSQL: messages that come late or not at all.

use nostro_client::TransferRequest;
use nostro_commit::Message;
use nostro_core::AccountNumber;
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{
    assert_posted, balance, cash, code, dollars, health_is, nothing_in_doubt_within, open, pay, told, until_final,
};
use nostro_torture::server::Server;
use nostro_torture::wire::{Condition, Hold, Wire};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

fn send(server: &Server, request: &TransferRequest) -> JoinHandle<String> {
    let (client, request) = (server.client.clone(), request.clone());
    tokio::spawn(async move { told(&client.transfer(&request).await) })
}

async fn wires(databases: &Databases) -> (Wire, Wire) {
    (Wire::to(databases.cluster("AZ").port()).await, Wire::to(databases.cluster("TX").port()).await)
}

#[tokio::test]
async fn a_late_prepare_fails_on_the_tombstone() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 100);
    // The marker row and PREPARE are on their way when the server takes the connection for lost and aborts.
    let mut held = to_tx.hold(Message::Mark.to_string(), Hold::Message);
    let asking = send(&server, &request);
    let backend = held.reached().await;
    held.hang_up();
    let tombstones = "select count(*) from participation where outcome = 'aborted'";
    let begin = Instant::now();
    while databases.value("TX", tombstones).await != "1" {
        assert!(begin.elapsed() < Duration::from_secs(10), "no tombstone");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(databases.value("AZ", "select outcome from batch where outcome = 'aborted'").await, "aborted");
    held.release();
    let log = |text: &str| {
        databases.log("TX").lines().any(|line| line.contains(&format!("[{backend}]")) && line.contains(text))
    };
    let begin = Instant::now();
    while !log("current transaction is aborted") {
        assert!(begin.elapsed() < Duration::from_secs(10), "PREPARE did not arrive");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        log("duplicate key value violates unique constraint \"participation_pkey\""),
        "not stopped by the tombstone"
    );
    let first = asking.await.unwrap();
    assert!(["posted", "unavailable busy"].contains(&first.as_str()), "{first}");
    let last = until_final(&server.client, &request).await;
    assert!(["posted", "replayed"].contains(&last.as_str()), "{last}");
    assert_eq!((balance(&server.client, az).await, balance(&server.client, tx).await), (900, 100));
    databases.finish().await;
}

#[tokio::test]
async fn a_late_prepare_behind_its_marker_is_rolled_back_when_it_lands() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    // Recovery stays away, so that the coordinator's own resolver has to do it.
    let server = Server::start_set(&databases, &[("TX", &to_tx)], "recovery_age_ms = 600000").await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 100);
    // The marker is written, PREPARE is on its way, and the server takes the connection for lost.
    let mut held = to_tx.hold(Message::Prepare.to_string(), Hold::Message);
    let asking = send(&server, &request);
    let backend = held.reached().await;
    held.hang_up();
    // The tombstone waits for the marker that is not committed, and gives up: it is about to prepare.
    let begin = Instant::now();
    while !databases.log("TX").contains("canceling statement due to lock timeout") {
        assert!(begin.elapsed() < Duration::from_secs(10), "the tombstone met nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let tombstones = "select count(*) from participation where outcome = 'aborted'";
    assert_eq!(databases.value("TX", tombstones).await, "0");
    held.release();
    let begin = Instant::now();
    while databases.value("TX", tombstones).await != "1" {
        assert!(begin.elapsed() < Duration::from_secs(10), "no tombstone");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let landed = databases
        .log("TX")
        .lines()
        .any(|line| line.contains(&format!("[{backend}]")) && line.contains("prepare transaction"));
    assert!(landed, "PREPARE did not arrive");
    databases.nothing_prepared_within(Duration::from_secs(1)).await;
    let first = asking.await.unwrap();
    assert!(["posted", "unavailable busy"].contains(&first.as_str()), "{first}");
    let last = until_final(&server.client, &request).await;
    assert_eq!(last, if first == "posted" { "replayed" } else { "posted" });
    assert_eq!((balance(&server.client, az).await, balance(&server.client, tx).await), (900, 100));
    databases.finish().await;
}

#[tokio::test]
async fn a_decision_that_was_lost_is_not_sent_again() {
    let databases = Databases::start().await;
    let to_az = Wire::to(databases.cluster("AZ").port()).await;
    let server = Server::start_through(&databases, &[("AZ", &to_az)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 100);
    // Neither home's writes nor the decision are committed. Sent again elsewhere, it would commit alone.
    let mut held = to_az.hold(Message::Decide.to_string(), Hold::Message);
    let asking = send(&server, &request);
    held.reached().await;
    held.cut();
    assert_eq!(asking.await.unwrap(), "posted", "aborted for certain, and planned again");
    assert_eq!((balance(&server.client, az).await, balance(&server.client, tx).await), (900, 100));
    assert_eq!(databases.value("AZ", "select count(*) from batch where outcome = 'aborted'").await, "1");
    assert!(server.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn a_lost_acknowledgement_of_the_decision_is_read_from_homes_row() {
    let databases = Databases::start().await;
    let to_az = Wire::to(databases.cluster("AZ").port()).await;
    let server = Server::start_through(&databases, &[("AZ", &to_az)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 100);
    let mut held = to_az.hold(Message::Decide.to_string(), Hold::Answer);
    let asking = send(&server, &request);
    held.reached().await;
    held.half_close();
    assert_eq!(asking.await.unwrap(), "posted");
    assert_eq!(
        databases.value("AZ", "select count(*) from batch where touched is not null").await,
        "1",
        "it was asked"
    );
    assert_eq!(told(&server.client.transfer(&request).await), "replayed");
    assert_eq!((balance(&server.client, az).await, balance(&server.client, tx).await), (900, 100));
    databases.finish().await;
}

#[tokio::test]
async fn a_home_that_stops_right_after_a_number_was_drawn_never_hands_it_out_again() {
    // Nothing but a commit writes the log of Arizona, so that a crash loses what was not committed.
    let mut databases = Databases::start_with(&[("wal_writer_delay", "10s")]).await;
    let to_az = Wire::to(databases.cluster("AZ").port()).await;
    let mut first = Server::start_through(&databases, &[("AZ", &to_az)]).await;
    let (az, tx) = (open(&first.client, "AZ", 0).await, open(&first.client, "TX", 1_000).await);
    let till = AccountNumber::cash(code("AZ"), dollars());
    let request = pay(till, tx, 100);
    let mut held = to_az.hold(Message::Decide.to_string(), Hold::Message);
    let asking = send(&first, &request);
    held.reached().await;
    let gid = databases.value("TX", "select gid from pg_prepared_xacts").await;
    let drawn: u64 = gid.split(':').nth(4).unwrap().parse().unwrap();
    databases.cluster_mut("AZ").stop(Stop::Immediate).unwrap();
    first.kill();
    assert_eq!(asking.await.unwrap(), "unknown");
    drop(held);
    databases.cluster_mut("AZ").start().unwrap();
    // Recovery waits, so that the next number meets a batch that is still in doubt.
    let second = Server::start_with_setting(&databases, "recovery_age_ms = 600000\n").await;
    health_is(&second, "AZ", "reachable").await;
    let paid = cash(az, 500);
    assert_posted(second.client.deposit(&paid).await);
    let found = databases.value("AZ", &format!("select batch from transfer where id = '{}'", paid.id)).await;
    let next: u64 = found.rsplit('-').next().unwrap().parse().unwrap();
    assert!(next > drawn, "{found} was decided while {gid} is in doubt");
    drop(second);
    let third = Server::start_with_setting(&databases, "recovery_age_ms = 0\n").await;
    nothing_in_doubt_within(&third, Duration::from_secs(10)).await;
    assert_eq!(balance(&third.client, tx).await, 1_000, "the batch without a decision moved nothing");
    assert_eq!(until_final(&third.client, &request).await, "posted");
    assert!(third.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn a_late_commit_prepared_meets_a_finished_batch_and_the_marker_settles_it() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 100);
    let mut held = to_tx.hold(Message::CommitPrepared.to_string(), Hold::Message);
    let asking = send(&server, &request);
    held.reached().await;
    let _recoverer = Server::start_with_setting(&databases, "recovery_age_ms = 0\n").await;
    databases.nothing_prepared_within(Duration::from_secs(5)).await;
    to_tx.record();
    held.release();
    let first = asking.await.unwrap();
    assert!(["posted", "settling"].contains(&first.as_str()), "{first}");
    nothing_in_doubt_within(&server, Duration::from_secs(5)).await;
    let begin = Instant::now();
    while !to_tx.recorded().iter().any(|text| Message::of(text) == Some(Message::ReadMarker)) {
        assert!(begin.elapsed() < Duration::from_secs(5), "42704 was taken for an answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(told(&server.client.transfer(&request).await), "replayed");
    assert_eq!((balance(&server.client, az).await, balance(&server.client, tx).await), (900, 100));
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resolvers_that_race_every_live_coordinator_change_no_outcome() {
    const ROUNDS_MIN: i128 = 30;
    const ROUNDS_MAX: i128 = 500;
    let databases = Databases::start().await;
    let (to_az, to_tx) = wires(&databases).await;
    let live = Server::start_through(&databases, &[("AZ", &to_az), ("TX", &to_tx)]).await;
    let _racing = [
        Server::start_with_setting(&databases, "recovery_age_ms = 0\n").await,
        Server::start_with_setting(&databases, "recovery_age_ms = 0\n").await,
    ];
    let (az, tx) = (open(&live.client, "AZ", 100_000).await, open(&live.client, "TX", 0).await);
    // Every message takes its time, so that the others look into the middle of many a commit.
    to_az.be(Condition::Late(Duration::from_millis(1)));
    to_tx.be(Condition::Late(Duration::from_millis(1)));
    let races = "select count(*) from batch where touched is not null or outcome = 'aborted'";
    let mut posted = 0;
    let mut raced = "0".to_owned();
    while posted < ROUNDS_MIN || raced == "0" {
        assert!(posted < ROUNDS_MAX, "nobody raced");
        let request = pay(az, tx, 1);
        let first = told(&live.client.transfer(&request).await);
        assert!(["posted", "settling", "unknown", "unavailable busy"].contains(&first.as_str()), "{first}");
        let last = until_final(&live.client, &request).await;
        assert!(
            last == "replayed" || (last == "posted" && first != "posted" && first != "settling"),
            "{first}, then {last}"
        );
        posted += 1;
        raced = databases.value("AZ", races).await;
    }
    println!("{posted} posted, {raced} of their batches raced");
    assert_eq!((balance(&live.client, az).await, balance(&live.client, tx).await), (100_000 - posted, posted));
    assert!(live.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn a_silent_or_slow_link_delays_and_loses_nothing() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let neighbour = open(client, "AZ", 0).await;
    for condition in [Condition::Slow(20_000), Condition::Late(Duration::from_millis(20))] {
        to_tx.be(condition);
        let first = told(&client.transfer(&pay(az, tx, 100)).await);
        assert_eq!(first, "posted", "{condition:?}");
    }
    to_tx.be(Condition::Silent);
    let request = pay(az, tx, 100);
    let begin = Instant::now();
    let first = told(&client.transfer(&request).await);
    assert!(begin.elapsed() < Duration::from_secs(25), "every wait is bounded: {:?}", begin.elapsed());
    assert!(first.starts_with("unavailable") || first == "unknown", "{first}");
    assert_posted(client.transfer(&pay(az, neighbour, 1)).await);
    to_tx.be(Condition::Clear);
    health_is(&server, "TX", "reachable").await;
    nothing_in_doubt_within(&server, Duration::from_secs(20)).await;
    let last = until_final(client, &request).await;
    assert!(last == "posted" || (last == "replayed" && first == "unknown"), "{first}, then {last}");
    assert_eq!((balance(client, az).await, balance(client, tx).await), (699, 300));
    to_tx.be(Condition::Closed);
    to_tx.cut_all();
    assert_eq!(told(&client.transfer(&pay(az, tx, 1)).await), "unavailable branch_unavailable");
    to_tx.be(Condition::Clear);
    assert!(until_final(client, &pay(az, tx, 1)).await.contains("posted"));
    databases.finish().await;
}
