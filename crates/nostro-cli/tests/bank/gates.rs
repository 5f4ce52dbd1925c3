//! The gates of the lock phase: entered in branch order, and nobody locks a row while another batch is inside.

use nostro_client::{BulkOperation, BulkOrder};
use nostro_commit::Message;
use nostro_core::BranchNumber;
use nostro_torture::databases::Databases;
use nostro_torture::money::{open, pay, told};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::{Duration, Instant};

fn sent(wire: &Wire, message: Message) -> bool {
    wire.recorded().iter().any(|text| Message::of(text) == Some(message))
}

#[tokio::test]
async fn gates_are_entered_in_branch_order_whoever_pays() {
    let databases = Databases::start().await;
    let (to_az, to_tx) =
        (Wire::to(databases.cluster("AZ").port()).await, Wire::to(databases.cluster("TX").port()).await);
    let server = Server::start_through(&databases, &[("AZ", &to_az), ("TX", &to_tx)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 1_000).await);
    for round in 0..12 {
        let request = if round % 2 == 0 { pay(az, tx, 10) } else { pay(tx, az, 10) };
        to_tx.record();
        // Arizona's gate is entered, and the server has not heard of it.
        let mut held = to_az.hold(Message::EnterGate.to_string(), Hold::Answer);
        let client = server.client.clone();
        let asking = tokio::spawn(async move { told(&client.transfer(&request).await) });
        held.reached().await;
        assert!(!sent(&to_tx, Message::EnterGate), "round {round}: Texas's gate before Arizona's");
        held.release();
        assert_eq!(asking.await.unwrap(), "posted");
        assert!(sent(&to_tx, Message::EnterGate));
    }
    databases.finish().await;
}

#[tokio::test]
async fn a_server_that_died_at_a_gate_does_not_enter_it_later() {
    let databases = Databases::start().await;
    let mut server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 1_000).await);
    let inside = databases.admin("AZ").await;
    inside.batch_execute("select pg_advisory_lock(x'006e6f7374726f21'::bigint)").await.unwrap();
    let (client, request) = (server.client.clone(), pay(az, tx, 10));
    let asking = tokio::spawn(async move { told(&client.transfer(&request).await) });
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted";
    let waiting_are = async |expected: &str| {
        let begin = Instant::now();
        while databases.value("AZ", waiting).await != expected {
            assert!(begin.elapsed() < Duration::from_secs(4), "not {expected} at the gate");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    waiting_are("1").await;
    server.kill();
    waiting_are("0").await;
    assert_eq!(asking.await.unwrap(), "unknown");
    inside.batch_execute("select pg_advisory_unlock_all()").await.unwrap();
    databases.finish().await;
}

#[tokio::test]
async fn nobody_locks_a_row_while_another_server_is_inside_the_gates() {
    let databases = Databases::start().await;
    let (to_az, to_tx) =
        (Wire::to(databases.cluster("AZ").port()).await, Wire::to(databases.cluster("TX").port()).await);
    let inside = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let waiting = Server::start_through(&databases, &[("AZ", &to_az)]).await;
    let mut accounts = Vec::new();
    for branch in ["AZ", "TX", "AZ", "TX"] {
        accounts.push(open(&inside.client, branch, 1_000).await);
    }
    // The first one has its locks at Arizona and asks for those at Texas.
    let mut held = to_tx.hold(Message::LockRows.to_string(), Hold::Message);
    let (client, request) = (inside.client.clone(), pay(accounts[0], accounts[1], 10));
    let first = tokio::spawn(async move { told(&client.transfer(&request).await) });
    held.reached().await;
    to_az.record();
    // Other accounts: no row of theirs is locked.
    let (client, request) = (waiting.client.clone(), pay(accounts[2], accounts[3], 10));
    let second = tokio::spawn(async move { told(&client.transfer(&request).await) });
    let begin = Instant::now();
    while !sent(&to_az, Message::EnterGate) {
        assert!(begin.elapsed() < Duration::from_secs(10), "the second batch does not come to the gate");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!second.is_finished(), "it did not wait at the gate");
    // What it asks of the rows stands on the wire already; the rows themselves are free.
    for (branch, number, account) in [("AZ", 1, accounts[2]), ("TX", 2, accounts[3])] {
        let key = account.key(BranchNumber::new(number).unwrap()).as_i64();
        let locked = format!("select count(*) from (select from account where id = {key} for update nowait) as row");
        assert_eq!(databases.value(branch, &locked).await, "1");
    }
    held.release();
    assert_eq!((first.await.unwrap(), second.await.unwrap()), ("posted".into(), "posted".into()));
    assert!(sent(&to_az, Message::LockRows));
    databases.finish().await;
}

#[tokio::test]
async fn batches_that_wait_for_one_branch_leave_the_other_a_place() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, other, tx) =
        (open(client, "AZ", 1_000).await, open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    // Somebody is inside Texas's gate and does not leave.
    let inside = databases.admin("TX").await;
    inside.batch_execute("select pg_advisory_lock(x'006e6f7374726f21'::bigint)").await.unwrap();
    // As many batches as the lane of both may have, and more that wait in its queue.
    let mut crossing = Vec::new();
    for _ in 0..6 {
        let (client, request) = (client.clone(), pay(az, tx, 10));
        crossing.push(tokio::spawn(async move { told(&client.transfer(&request).await) }));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Arizona's gate is given in turns, and a batch that waits for Texas's keeps it for two seconds. It comes back three
    // times before it gives up; nobody waits for that.
    assert_eq!(told(&client.transfer(&pay(az, other, 10)).await), "posted");
    assert!(!crossing.iter().any(tokio::task::JoinHandle::is_finished), "a place was free only when a batch gave up");
    inside.batch_execute("select pg_advisory_unlock_all()").await.unwrap();
    for asked in crossing {
        let answer = asked.await.unwrap();
        assert!(["posted", "unavailable busy"].contains(&answer.as_str()), "{answer}");
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn chains_over_many_branches_that_wait_for_one_leave_the_others_their_places() {
    let databases = Databases::start_branches(&["AZ", "NM", "TX"], &[]).await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let accounts = [open(client, "AZ", 1_000).await, open(client, "NM", 1_000).await, open(client, "TX", 1_000).await];
    let (az, other) = (open(client, "AZ", 1_000).await, open(client, "AZ", 0).await);
    let inside = databases.admin("TX").await;
    inside.batch_execute("select pg_advisory_lock(x'006e6f7374726f21'::bigint)").await.unwrap();
    let mut chains = Vec::new();
    for _ in 0..8 {
        let client = client.clone();
        let links =
            [pay(accounts[0], accounts[1], 1), pay(accounts[1], accounts[2], 1), pay(accounts[2], accounts[0], 1)];
        let links: Vec<BulkOrder> = links.map(|link| BulkOperation::Transfer(link).into()).into();
        chains.push(tokio::spawn(async move { client.atomic_bulk(&links).await }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Arizona's gate is held for two seconds at a time, by one chain after the other; its lane goes on between them.
    for _ in 0..3 {
        let request = pay(az, other, 1);
        let begin = Instant::now();
        assert_eq!(told(&client.transfer(&request).await), "posted", "after {:?}", begin.elapsed());
    }
    inside.batch_execute("select pg_advisory_unlock_all()").await.unwrap();
    for chain in chains {
        let states: Vec<String> = chain.await.unwrap().unwrap().into_iter().map(|item| item.state).collect();
        assert!(
            states.iter().all(|state| *state == states[0] && (state == "posted" || state == "unavailable")),
            "{states:?}"
        );
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}
