//! Chains that crashes and lost connections leave half prepared.

use super::chains::{EIGHT, linked, states, until_settled, whole};
use nostro_client::TransferRequest;
use nostro_torture::databases::Databases;
use nostro_torture::money::{balance, open, pay, told};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_chain_that_a_crash_leaves_half_prepared_is_all_there_or_not_at_all() {
    for (text, hold) in [
        ("prepare transaction", Hold::Message),
        ("prepare transaction", Hold::Answer),
        ("commit prepared", Hold::Message),
        ("commit prepared", Hold::Answer),
    ] {
        let databases = Databases::start().await;
        let proxy = Wire::to(databases.cluster("TX").port()).await;
        let mut server = Server::start_through(&databases, &[("TX", &proxy)]).await;
        let client = server.client.clone();
        let (a, b, c) = (open(&client, "AZ", 100).await, open(&client, "TX", 0).await, open(&client, "AZ", 0).await);
        let requests = [pay(a, b, 60), pay(b, c, 20), pay(a, c, 40)];
        let mut held = proxy.hold(text, hold);
        let orders = linked(&requests);
        let (sender, sent) = (client.clone(), orders.clone());
        let asking = tokio::spawn(async move { sender.bulk(&sent).await });
        held.reached().await;
        server.kill();
        held.release_and_cut();
        assert!(asking.await.unwrap().is_err(), "the server is gone");
        let fresh = Server::start(&databases).await;
        let client = &fresh.client;
        let states = until_settled(client, &orders).await;
        assert!(states == ["posted"; 3] || states == ["posted again"; 3], "{states:?}");
        assert_eq!((balance(client, a).await, balance(client, b).await, balance(client, c).await), (0, 40, 60));
        databases.every_batch_is_whole().await;
        databases.finish().await;
    }
}

#[tokio::test]
async fn an_account_in_doubt_holds_up_its_own_chains_only() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let client = &server.client;
    let (a, b) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let (c, d) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let requests = [pay(a, b, 10), pay(b, a, 1)];
    let doubtful = linked(&requests);
    let mut held = proxy.hold("commit prepared", Hold::Message);
    let (sender, sent) = (client.clone(), doubtful.clone());
    let asking = tokio::spawn(async move { sender.bulk(&sent).await });
    held.reached().await;
    let settling = asking.await.unwrap().unwrap();
    assert_eq!(states(&settling), ["settling"; 2], "decided, and not finished");
    let begin = Instant::now();
    loop {
        let met = states(&client.bulk(&linked(&[pay(c, d, 1), pay(d, b, 1)])).await.unwrap());
        if met == ["unavailable account_in_doubt"; 2] {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{met:?}");
    }
    assert_eq!(states(&client.bulk(&linked(&[pay(c, d, 1), pay(d, c, 1)])).await.unwrap()), ["posted"; 2]);
    // The same again is settling as long as it is, and a part of it is a conflict.
    assert_eq!(states(&client.bulk(&doubtful).await.unwrap()), ["settling"; 2]);
    assert_eq!(told(&client.transfer(&requests[0]).await), "conflict /chain");
    let part = whole(&requests[1..]);
    assert_eq!(states(&client.bulk(&part).await.unwrap()), ["conflict id_conflict"]);
    held.release();
    assert_eq!(until_settled(client, &doubtful).await, ["posted again"; 2]);
    assert_eq!((balance(client, a).await, balance(client, b).await), (991, 9));
    databases.finish().await;
}

/// Between the votes of eight branches and their commits a server dies, at each of several messages.
#[tokio::test]
async fn a_chain_over_many_branches_survives_a_crash() {
    let databases = Databases::start_branches(&EIGHT[..4], &[]).await;
    for (branch, text) in [
        ("CO", "prepare transaction"),
        ("NM", "prepare transaction"),
        ("ID", "commit prepared"),
        ("NM", "commit prepared"),
    ] {
        let proxy = Wire::to(databases.cluster(branch).port()).await;
        let mut server = Server::start_through(&databases, &[(branch, &proxy)]).await;
        let client = server.client.clone();
        let mut accounts = Vec::new();
        for code in &EIGHT[..4] {
            accounts.push(open(&client, code, 100).await);
        }
        let requests: Vec<TransferRequest> =
            (0..4).map(|at| pay(accounts[at], accounts[(at + 1) % 4], 10 + i64::try_from(at).unwrap())).collect();
        let orders = linked(&requests);
        let mut held = proxy.hold(text, Hold::Message);
        let (sender, sent) = (client.clone(), orders.clone());
        let asking = tokio::spawn(async move { sender.bulk(&sent).await });
        held.reached().await;
        server.kill();
        held.release_and_cut();
        assert!(asking.await.unwrap().is_err(), "the server is gone");
        let fresh = Server::start(&databases).await;
        let states = until_settled(&fresh.client, &orders).await;
        assert!(
            states.iter().all(|state| state == "posted") || states.iter().all(|state| state == "posted again"),
            "{states:?}"
        );
        let mut balances = Vec::new();
        for account in accounts {
            balances.push(balance(&fresh.client, account).await);
        }
        assert_eq!(balances, [103, 99, 99, 99]);
    }
    databases.every_batch_is_whole().await;
    databases.finish().await;
}
