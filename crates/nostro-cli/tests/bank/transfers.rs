//! Transfers that go well, and business refusals.

use nostro_client::{NewAccount, Outcome, Page};
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, cash, open, pay, told, until_final};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn a_transfer_is_prepared_at_texas_decided_at_arizona_and_finished_at_texas() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 500_075).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 100_000);
    let Ok(Outcome::Posted { transfer, replayed: false }) = server.client.transfer(&request).await else {
        panic!("not posted")
    };
    assert_eq!((balance(&server.client, az).await, balance(&server.client, tx).await), (400_075, 100_000));
    let after: Vec<i128> = transfer.entries.iter().map(|entry| entry.balance_after).collect();
    assert_eq!(after, [400_075, 100_000]);
    let codes = |codes: &[nostro_core::BranchCode]| codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let commit = &transfer.commit;
    assert_eq!(
        (codes(&commit.parts), codes(&commit.prepared), commit.decided.to_string()),
        ("AZ,TX".into(), "TX".into(), "AZ".into())
    );

    // Both rows, the decision row and the marker row.
    let row = |side: &str| {
        format!("select concat_ws('|', amount, {side}_balance_after, batch) from transfer where id = '{}'", request.id)
    };
    assert_eq!(databases.value("AZ", &row("debit")).await, format!("100000|400075|{}", transfer.batch));
    assert_eq!(databases.value("TX", &row("credit")).await, format!("100000|100000|{}", transfer.batch));
    let decision = format!("select concat_ws('|', outcome, home, parts) from batch where id = '{}'", transfer.batch);
    assert_eq!(databases.value("AZ", &decision).await, "committed|AZ|{AZ,TX}");
    let marker =
        format!("select concat_ws('|', outcome, home, parts) from participation where batch = '{}'", transfer.batch);
    assert_eq!(databases.value("TX", &marker).await, "committed|AZ|{AZ,TX}");

    // The order on the wire, by the logs of both servers.
    let gid = format!("n1:test:{}:TX:TX", transfer.batch.replace('-', ":"));
    let at = |branch: &str, text: &str| {
        let log = databases.log(branch);
        let line = log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{branch} has no {text}"));
        line[..23].to_owned()
    };
    let prepared = at("TX", &format!("prepare transaction '{gid}'"));
    let decided =
        at("AZ", &format!("insert into batch (id, outcome, home, parts) values ('{}', 'committed'", transfer.batch));
    let finished = at("TX", &format!("commit prepared '{gid}'"));
    assert!(prepared <= decided && decided <= finished, "{prepared} {decided} {finished}");
    assert!(!databases.log("AZ").contains("prepare transaction"), "home is never prepared");
    databases.finish().await;
}

#[tokio::test]
async fn no_decision_before_the_vote_and_no_finish_before_the_decision() {
    let databases = Databases::start().await;
    let (to_az, to_tx) =
        (Wire::to(databases.cluster("AZ").port()).await, Wire::to(databases.cluster("TX").port()).await);
    let server = Server::start_through(&databases, &[("AZ", &to_az), ("TX", &to_tx)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 100);
    let (mut vote, mut decision) =
        (to_tx.hold("prepare transaction", Hold::Answer), to_az.hold("insert into batch (id", Hold::Answer));
    let (client, sent) = (server.client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&client.transfer(&sent).await) });
    vote.reached().await;
    // The vote is cast and not heard: home must not have been told to decide.
    let begin = std::time::Instant::now();
    while databases.value("TX", "select count(*) from pg_prepared_xacts").await != "1" {
        assert!(begin.elapsed() < Duration::from_secs(20), "Texas never voted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let decided = |log: &str| log.lines().filter(|line| line.contains("'committed', 'AZ', '{AZ,TX}'")).count();
    assert_eq!(decided(&databases.log("AZ")), 0, "a decision before the vote was heard");
    vote.release();
    decision.reached().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(decided(&databases.log("AZ")), 1);
    assert!(!databases.log("TX").contains("commit prepared"), "finished before the decision was heard");
    assert!(!asking.is_finished(), "answered before the commit point was heard");
    decision.release();
    assert_eq!(asking.await.unwrap(), "posted");
    assert!(databases.log("TX").contains("commit prepared"));
    databases.finish().await;
}

#[tokio::test]
async fn the_same_id_is_the_same_transfer() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let other = open(client, "TX", 0).await;
    let first = pay(az, tx, 600);
    assert_posted(client.transfer(&first).await);
    assert_eq!(told(&client.transfer(&first).await), "replayed");
    let poor = pay(az, tx, 600);
    assert_eq!(told(&client.transfer(&poor).await), "refused insufficient_funds");
    assert_posted(client.deposit(&cash(az, 5_000)).await);
    assert_eq!(told(&client.transfer(&poor).await), "refused again insufficient_funds", "a refusal is final");
    let mut changed = first.clone();
    changed.amount = nostro_torture::money::amount(601);
    assert_eq!(told(&client.transfer(&changed).await), "conflict /amount");
    let mut changed = first.clone();
    changed.credit_account = other;
    assert_eq!(told(&client.transfer(&changed).await), "conflict /credit_account");
    let mut changed = first.clone();
    changed.reference = Some("rent".into());
    assert_eq!(told(&client.transfer(&changed).await), "conflict /reference");
    // A replay shows both sides again, also after a restart.
    drop(server);
    let server = Server::start(&databases).await;
    let Ok(Outcome::Posted { transfer, replayed: true }) = server.client.transfer(&first).await else {
        panic!("not replayed")
    };
    assert_eq!(transfer.entries.iter().map(|entry| entry.balance_after).collect::<Vec<_>>(), [400, 600]);
    assert_eq!((balance(&server.client, az).await, balance(&server.client, tx).await), (5_400, 600));
    databases.finish().await;
}

#[tokio::test]
async fn a_hundred_requests_with_one_id_move_the_money_once() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 10_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 70);
    let requests = (0..100).map(|_| {
        let (client, request) = (server.client.clone(), request.clone());
        tokio::spawn(async move { told(&client.transfer(&request).await) })
    });
    let mut told = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        told.push(request.await.unwrap());
    }
    assert_eq!(told.iter().filter(|told| *told == "posted").count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|told| *told == "replayed").count(), 99, "{told:?}");
    assert_eq!((balance(&server.client, az).await, balance(&server.client, tx).await), (9_930, 70));
    databases.finish().await;
}

#[tokio::test]
async fn up_to_moves_what_is_available_once() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    for (from, to) in [("AZ", "TX"), ("TX", "AZ"), ("TX", "TX")] {
        let (payer, paid) = (open(client, from, 700).await, open(client, to, 0).await);
        let up_to = |cents| nostro_client::TransferRequest { up_to: true, ..pay(payer, paid, cents) };
        let [part, rest, nothing] = [up_to(500), up_to(500), up_to(1)];
        assert_eq!(told(&client.transfer(&part).await), "posted");
        let results = client.transfers_bulk(&[rest.clone(), nothing.clone()]).await.unwrap();
        let states: Vec<&str> = results.iter().map(|item| item.state.as_str()).collect();
        assert_eq!(states, ["posted", "refused"]);
        let moved = results[0].transfer.as_ref().unwrap();
        assert_eq!((moved.amount, moved.asked), (200, Some(500)));
        assert_eq!((balance(client, payer).await, balance(client, paid).await), (0, 700));
        // More is there now, and the same ids move none of it, on a server that remembers and on one that does not.
        assert_posted(client.deposit(&cash(payer, 300)).await);
        let other = Server::start(&databases).await;
        for client in [client, &other.client] {
            assert_eq!(told(&client.transfer(&rest).await), "replayed");
            assert_eq!(told(&client.transfer(&nothing).await), "refused again insufficient_funds");
            let found = client.transfer_by_id(rest.id, None).await.unwrap();
            assert_eq!((found.amount, found.asked, found.kind.as_str()), (200, Some(500), "transfer"));
            let mut less = rest.clone();
            less.amount = nostro_torture::money::amount(200);
            assert_eq!(told(&client.transfer(&less).await), "conflict /amount");
            let mut plain = rest.clone();
            plain.up_to = false;
            assert_eq!(told(&client.transfer(&plain).await), "conflict /up_to");
        }
        assert_eq!((balance(client, payer).await, balance(client, paid).await), (300, 700));
    }
    assert!(server.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn every_refusal_leaves_both_sides_unchanged() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 2_000).await);
    let (closed_az, closed_tx) = (open(client, "AZ", 0).await, open(client, "TX", 0).await);
    for account in [closed_az, closed_tx] {
        assert_eq!(client.close_account(Uuid::now_v7(), account, None).await.unwrap().state, "closed");
    }
    let missing = |branch: &str| nostro_core::AccountNumber::new(branch.parse().unwrap(), 77_777).unwrap();
    let mut euros = pay(az, tx, 10);
    euros.currency = "EUR".parse().unwrap();
    for (request, expected) in [
        (pay(az, tx, 1_001), "insufficient_funds"),
        (pay(tx, az, 2_001), "insufficient_funds"),
        (pay(az, closed_tx, 10), "credit_account_closed"),
        (pay(tx, closed_az, 10), "credit_account_closed"),
        (pay(closed_tx, az, 10), "debit_account_closed"),
        (pay(az, missing("TX"), 10), "credit_account_not_found"),
        (pay(missing("TX"), az, 10), "debit_account_not_found"),
        (euros, "currency_mismatch"),
    ] {
        assert_eq!(told(&client.transfer(&request).await), format!("refused {expected}"));
        // Recorded at the first branch, and only there.
        let recorded = format!("select count(*) from transfer where id = '{}' and refusal = '{expected}'", request.id);
        assert_eq!(databases.value("AZ", &recorded).await, "1", "{expected}");
        assert_eq!(databases.value("TX", &recorded).await, "0", "{expected}");
        assert_eq!(told(&client.transfer(&request).await), format!("refused again {expected}"));
        assert_eq!(client.transfer_by_id(request.id, None).await.unwrap().refusal.as_deref(), Some(expected));
    }
    assert_eq!((balance(client, az).await, balance(client, tx).await), (1_000, 2_000));
    databases.finish().await;
}

#[tokio::test]
async fn deposits_and_withdrawals_go_against_the_branchs_cash() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let account = open(client, "TX", 5_000).await;
    assert_posted(client.withdraw(&cash(account, 1_500)).await);
    assert_eq!(told(&client.withdraw(&cash(account, 3_501)).await), "refused insufficient_funds");
    assert_eq!(balance(client, account).await, 3_500);
    let vault = client
        .account(nostro_core::AccountNumber::cash(nostro_torture::money::code("TX"), nostro_torture::money::dollars()))
        .await
        .unwrap();
    assert_eq!((vault.posted, vault.normal_side.as_str(), vault.available), (3_500, "debit", None));
    let entries = client.entries(account, &Page::default()).await.unwrap().data;
    let told: Vec<(i64, String, i128)> =
        entries.iter().map(|entry| (entry.seq, entry.kind.clone(), entry.balance_after)).collect();
    assert_eq!(told, [(2, "withdrawal".into(), 3_500), (1, "deposit".into(), 5_000)]);
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn a_bulk_request_answers_each_item_for_itself() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 1_000).await);
    let again = pay(az, tx, 100);
    let mut other = again.clone();
    other.amount = nostro_torture::money::amount(101);
    let items = [
        again.clone(),
        pay(az, tx, 5_000),
        pay(tx, az, 50),
        again.clone(),
        other,
        pay(az, open(client, "AZ", 0).await, 25),
    ];
    let results = client.transfers_bulk(&items).await.unwrap();
    let told: Vec<(&str, bool)> = results.iter().map(|item| (item.state.as_str(), item.replayed)).collect();
    assert_eq!(
        told,
        [
            ("posted", false),
            ("refused", false),
            ("posted", false),
            ("posted", true),
            ("conflict", false),
            ("posted", false)
        ]
    );
    assert_eq!((balance(client, az).await, balance(client, tx).await), (925, 1_050));

    // The largest one: 8,192 items, half of them replays of the other half in a second request.
    let large: Vec<_> = (0..8_192).map(|at| if at % 2 == 0 { pay(tx, az, 1) } else { pay(az, tx, 1) }).collect();
    let results = client.transfers_bulk(&large).await.unwrap();
    assert_eq!(results.iter().filter(|item| item.state == "posted" && !item.replayed).count(), 8_192);
    let results = client.transfers_bulk(&large).await.unwrap();
    assert_eq!(results.iter().filter(|item| item.state == "posted" && item.replayed).count(), 8_192);
    assert_eq!((balance(client, az).await, balance(client, tx).await), (925, 1_050));
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn an_overdraft_limit_is_there_to_be_used_and_no_further() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let tx = open(client, "TX", 0).await;
    let customer = client
        .create_customer(&nostro_client::NewCustomer {
            id: Uuid::now_v7(),
            branch: nostro_torture::money::code("AZ"),
            name: "Ada".into(),
        })
        .await
        .unwrap();
    let new = NewAccount {
        id: Uuid::now_v7(),
        customer: customer.number,
        kind: "checking".into(),
        currency: nostro_torture::money::dollars(),
        overdraft_limit: 500,
    };
    let az = client.open_account(&new).await.unwrap().number;
    assert_eq!(told(&client.transfer(&pay(az, tx, 501)).await), "refused insufficient_funds");
    assert_posted(client.transfer(&pay(az, tx, 500)).await);
    let account = client.account(az).await.unwrap();
    assert_eq!((account.posted, account.available), (-500, Some(0)));
    databases.finish().await;
}

#[tokio::test]
async fn a_dropped_request_does_not_drop_its_commit() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 10);
    let mut held = proxy.hold("prepare transaction", Hold::Message);
    let (client, sent) = (server.client.clone(), request.clone());
    let asking = tokio::spawn(async move { client.transfer(&sent).await });
    held.reached().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    held.release();
    let client = &server.client;
    assert_eq!(until_final(client, &request).await, "replayed", "the first attempt went on by itself");
    assert_eq!((balance(client, az).await, balance(client, tx).await), (990, 10));
    databases.finish().await;
}

#[tokio::test]
async fn a_stopped_server_finishes_what_is_in_flight() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let mut server = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 10);
    let mut held = proxy.hold("prepare transaction", Hold::Message);
    let (client, sent) = (server.client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&client.transfer(&sent).await) });
    held.reached().await;
    let stopping = tokio::task::spawn_blocking(move || server.stop());
    tokio::time::sleep(Duration::from_millis(300)).await;
    held.release();
    assert_eq!(asking.await.unwrap(), "posted");
    assert_eq!(stopping.await.unwrap(), Some(0));
    databases.finish().await;
}

#[tokio::test]
async fn a_stopped_server_finishes_also_what_nobody_waits_for() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let mut server = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 10);
    let mut held = proxy.hold("prepare transaction", Hold::Answer);
    let (client, sent) = (server.client.clone(), request.clone());
    let asking = tokio::spawn(async move { client.transfer(&sent).await });
    held.reached().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    let url = server.url.clone();
    let stopping = tokio::task::spawn_blocking(move || server.stop());
    // The server has heard the signal when it listens no more.
    let begin = std::time::Instant::now();
    while reqwest::get(format!("{url}/healthz")).await.is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(10), "it still listens");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!stopping.is_finished(), "it left a batch in flight behind");
    held.release();
    assert_eq!(stopping.await.unwrap(), Some(0));
    // No server is left that could recover it: it was finished, or it is still prepared.
    assert_eq!(databases.value("TX", "select count(*) from pg_prepared_xacts").await, "0");
    let credited = format!("select count(*) from transfer where id = '{}' and credit_seq is not null", request.id);
    assert_eq!(databases.value("TX", &credited).await, "1");
    databases.finish().await;
}
