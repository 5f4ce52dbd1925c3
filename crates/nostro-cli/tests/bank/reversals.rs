//! Reversals over HTTP: in parts, across branches, never beyond the original, whoever asks at once.

use nostro_client::{Client, Outcome};
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, cash, code, health_is, open, pay, reserve, take, told, undo};
use nostro_torture::server::Server;
use std::time::{Duration, Instant};
use uuid::Uuid;

#[tokio::test]
async fn money_goes_back_in_parts_and_never_more_than_was_moved() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    for (from, to) in [("AZ", "TX"), ("TX", "AZ"), ("TX", "TX")] {
        let (payer, paid) = (open(client, from, 1_000).await, open(client, to, 0).await);
        let original = pay(payer, paid, 600);
        assert_posted(client.transfer(&original).await);
        let part = undo(Some(250));
        assert_posted(client.reverse(original.id, None, &part).await);
        assert_eq!(told(&client.reverse(original.id, Some(code(from)), &part).await), "replayed");
        assert_eq!((balance(client, payer).await, balance(client, paid).await), (650, 350));
        let all = undo(None);
        assert_eq!(told(&client.reverse(original.id, None, &all).await), "refused reversal_exceeded");
        assert_eq!(told(&client.reverse(original.id, None, &undo(Some(351))).await), "refused reversal_exceeded");
        // The money is no longer there; when it is, another reversal takes it.
        let elsewhere = open(client, to, 0).await;
        assert_posted(client.transfer(&pay(paid, elsewhere, 100)).await);
        let short = undo(Some(350));
        assert_eq!(told(&client.reverse(original.id, None, &short).await), "refused reversal_not_covered");
        assert_posted(client.transfer(&pay(elsewhere, paid, 100)).await);
        assert_eq!(told(&client.reverse(original.id, None, &short).await), "refused again reversal_not_covered");
        let rest = undo(Some(350));
        assert_posted(client.reverse(original.id, Some(code(to)), &rest).await);
        assert_eq!((balance(client, payer).await, balance(client, paid).await), (1_000, 0));
        assert_eq!(told(&client.reverse(original.id, None, &undo(Some(1))).await), "refused reversal_exceeded");
        assert_eq!(told(&client.reverse(rest.id, None, &undo(None)).await), "refused not_reversible");
        let shown = client.transfer_by_id(rest.id, None).await.unwrap();
        assert_eq!((shown.kind.as_str(), shown.original, shown.amount), ("reversal", Some(original.id), 350));
        assert_eq!((shown.debit_account, shown.credit_account), (paid, payer));

        // A server that remembers nothing finds what is recorded.
        let fresh = Server::start(&databases).await;
        assert_eq!(told(&fresh.client.reverse(original.id, None, &part).await), "replayed");
        assert_eq!(told(&fresh.client.reverse(original.id, None, &short).await), "refused again reversal_not_covered");
        let less = nostro_client::ReversalRequest { amount: Some(nostro_torture::money::amount(249)), ..part.clone() };
        assert_eq!(told(&fresh.client.reverse(original.id, None, &less).await), "conflict /amount");
        let other = pay(payer, paid, 10);
        assert_posted(client.transfer(&other).await);
        assert_eq!(told(&client.reverse(other.id, None, &rest).await), "conflict /original");
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn what_moved_money_can_go_back_and_what_did_not_cannot() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (payer, paid) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let (deposit, withdrawal) = (cash(payer, 70), cash(payer, 30));
    assert_posted(client.deposit(&deposit).await);
    assert_posted(client.withdraw(&withdrawal).await);
    assert_posted(client.reverse(deposit.id, None, &undo(None)).await);
    assert_posted(client.reverse(withdrawal.id, None, &undo(None)).await);
    assert_eq!(balance(client, payer).await, 1_000);
    let hold = reserve(payer, paid, 500, None);
    assert_posted(client.place_hold(&hold).await);
    let capture = take(200, true);
    assert_posted(client.capture_hold(hold.id, None, &capture).await);
    assert_posted(client.reverse(capture.id, None, &undo(Some(150))).await);
    assert_eq!((balance(client, payer).await, balance(client, paid).await), (950, 50));
    let refused = pay(payer, paid, 5_000);
    assert_eq!(told(&client.transfer(&refused).await), "refused insufficient_funds");
    for id in [hold.id, refused.id] {
        assert_eq!(told(&client.reverse(id, None, &undo(Some(1))).await), "refused not_reversible");
    }
    assert_eq!(told(&client.reverse(Uuid::now_v7(), None, &undo(None)).await), "rejected transfer_not_found");
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn reversals_at_two_servers_at_once_give_back_the_original_and_no_more() {
    let databases = Databases::start().await;
    let servers = [Server::start(&databases).await, Server::start(&databases).await];
    let client = &servers[0].client;
    let (payer, paid) = (open(client, "AZ", 1_000).await, open(client, "TX", 10_000).await);
    for _ in 0..5 {
        let original = pay(payer, paid, 100);
        assert_posted(client.transfer(&original).await);
        let asking: Vec<_> = (0..30)
            .map(|at: usize| {
                let client = servers[at % 2].client.clone();
                tokio::spawn(async move { told(&client.reverse(original.id, None, &undo(Some(7))).await) })
            })
            .collect();
        let mut posted = 0;
        for asked in asking {
            match asked.await.unwrap().as_str() {
                "posted" => posted += 1,
                "refused reversal_exceeded" => {}
                other => panic!("{other}"),
            }
        }
        assert_eq!(posted, 14, "fourteen times 7 is 98");
        assert_posted(client.reverse(original.id, None, &undo(Some(2))).await);
        assert_eq!((balance(client, payer).await, balance(client, paid).await), (1_000, 10_000));
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

/// How much of it went back, as it is shown by one of its branches or by all.
async fn reversed(client: &Client, id: Uuid, branch: Option<&str>) -> Option<i64> {
    client.transfer_by_id(id, branch.map(code)).await.unwrap().reversed
}

#[tokio::test]
async fn a_transfer_shows_how_much_of_it_went_back_whichever_branch_is_asked() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    for (from, to) in [("AZ", "TX"), ("TX", "AZ"), ("TX", "TX")] {
        let (payer, paid) = (open(client, from, 1_000).await, open(client, to, 0).await);
        let original = pay(payer, paid, 600);
        let Ok(Outcome::Posted { transfer, .. }) = client.transfer(&original).await else { panic!("it is covered") };
        assert_eq!(transfer.reversed, None, "nobody looked");
        let everywhere = [None, Some(from), Some(to)];
        for branch in everywhere {
            assert_eq!(reversed(client, original.id, branch).await, Some(0));
        }
        for (part, in_sum) in [(250, 250), (1, 251), (349, 600)] {
            assert_posted(client.reverse(original.id, None, &undo(Some(part))).await);
            for branch in everywhere {
                assert_eq!(reversed(client, original.id, branch).await, Some(in_sum), "{branch:?}");
            }
        }
        let Ok(Outcome::Posted { transfer, replayed: true }) = client.transfer(&original).await else {
            panic!("again")
        };
        assert_eq!(transfer.reversed, None, "nobody looked");
        let (refused, back, hold) = (pay(payer, paid, 5_000), undo(Some(1)), reserve(payer, paid, 100, None));
        assert_eq!(told(&client.transfer(&refused).await), "refused insufficient_funds");
        let other = pay(payer, paid, 5);
        assert_posted(client.transfer(&other).await);
        assert_posted(client.reverse(other.id, None, &back).await);
        assert_posted(client.place_hold(&hold).await);
        for id in [refused.id, back.id, hold.id] {
            assert_eq!(reversed(client, id, None).await, None, "it moved nothing that may go back");
        }
        let capture = take(60, true);
        assert_posted(client.capture_hold(hold.id, None, &capture).await);
        assert_posted(client.reverse(capture.id, None, &undo(Some(20))).await);
        assert_eq!(reversed(client, capture.id, None).await, Some(20));
    }
    databases.finish().await;
}

#[tokio::test]
async fn what_went_back_is_not_guessed_while_the_branch_that_knows_it_is_down() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 1_000).await);
    let (out, back) = (pay(az, tx, 100), pay(tx, az, 100));
    for original in [&out, &back] {
        assert_posted(client.transfer(original).await);
        assert_posted(client.reverse(original.id, None, &undo(Some(30))).await);
    }
    databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    health_is(&server, "TX", "unreachable").await;
    for branch in [None, Some("AZ")] {
        assert_eq!(reversed(client, out.id, branch).await, None, "Texas was paid, and knows it");
        assert_eq!(reversed(client, back.id, branch).await, Some(30), "Arizona was paid, and knows it");
    }
    databases.cluster_mut("TX").start().unwrap();
    // A connection from before may fail once more.
    let begin = Instant::now();
    while reversed(client, out.id, Some("AZ")).await != Some(30) {
        assert!(begin.elapsed() < Duration::from_secs(15), "Texas is back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    databases.finish().await;
}
