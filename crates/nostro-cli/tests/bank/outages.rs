//! A branch whose PostgreSQL server is stopped before, during and after a transfer.

use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, health_is, nothing_in_doubt_within, open, pay, told, until_final};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::{Duration, Instant};

#[tokio::test]
async fn texas_is_down_before_the_request() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    let request = pay(az, tx, 100);
    // At once, whether the watcher has seen it yet or not.
    assert_eq!(told(&client.transfer(&request).await), "unavailable branch_unavailable");
    health_is(&server, "TX", "unreachable").await;
    assert_eq!(told(&client.transfer(&request).await), "unavailable branch_unavailable");
    assert_eq!(balance(client, az).await, 1_000);
    let rows = format!("select count(*) from transfer where id = '{}'", request.id);
    assert_eq!(databases.value("AZ", &rows).await, "0");
    // What is not known is not said: neither 404 nor a short list.
    let lookup = client.transfer_by_id(request.id, None).await.unwrap_err();
    assert!(lookup.to_string().starts_with("branch_unavailable"), "{lookup}");
    assert!(client.audit().await.unwrap_err().to_string().starts_with("branch_unavailable"));
    // Arizona goes on by itself.
    assert_posted(client.transfer(&pay(az, open(client, "AZ", 0).await, 100)).await);
    databases.cluster_mut("TX").start().unwrap();
    assert_eq!(until_final(client, &request).await, "posted");
    assert_eq!((balance(client, az).await, balance(client, tx).await), (800, 100));
    databases.finish().await;
}

#[tokio::test]
async fn texas_stops_between_prepare_and_commit_prepared() {
    let mut databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let request = pay(az, tx, 100);
    let mut held = proxy.hold("commit prepared", Hold::Message);
    let (asker, sent) = (client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&asker.transfer(&sent).await) });
    held.reached().await;
    databases.cluster_mut("TX").stop(Stop::Immediate).unwrap();
    held.cut();
    proxy.cut_all();
    assert_eq!(asking.await.unwrap(), "settling", "it is decided, and that is said");
    assert_eq!(balance(client, az).await, 900);
    let found = client.transfer_by_id(request.id, Some(nostro_torture::money::code("AZ"))).await.unwrap();
    assert_eq!(found.state, "settling");
    databases.cluster_mut("TX").start().unwrap();
    let begin = Instant::now();
    nothing_in_doubt_within(&server, Duration::from_secs(10)).await;
    databases.nothing_prepared_within(Duration::from_secs(5)).await;
    println!("settled {} ms after Texas was back", begin.elapsed().as_millis());
    let found = client.transfer_by_id(request.id, None).await.unwrap();
    assert_eq!(found.state, "posted");
    assert_eq!(until_final(client, &request).await, "replayed");
    assert_eq!((balance(client, az).await, balance(client, tx).await), (900, 100));
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn arizona_stops_between_prepare_and_decision() {
    let mut databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("AZ").port()).await;
    let server = Server::start_through(&databases, &[("AZ", &proxy)]).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let other = open(client, "TX", 500).await;
    let request = pay(az, tx, 100);
    let mut held = proxy.hold("insert into batch (id", Hold::Message);
    let (asker, sent) = (client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&asker.transfer(&sent).await) });
    held.reached().await;
    databases.cluster_mut("AZ").stop(Stop::Immediate).unwrap();
    held.cut();
    proxy.cut_all();
    assert_eq!(asking.await.unwrap(), "unknown", "the decision was sent and not answered");
    // Texas is prepared and holds one account; its other accounts go on, and that one is refused at once.
    let local = pay(other, open(client, "TX", 0).await, 10);
    assert_posted(client.transfer(&local).await);
    let blocked = pay(other, tx, 10);
    assert_eq!(told(&client.transfer(&blocked).await), "unavailable account_in_doubt");
    let begin = Instant::now();
    assert_eq!(told(&client.transfer(&pay(other, tx, 11)).await), "unavailable account_in_doubt");
    assert!(begin.elapsed() < Duration::from_millis(450), "the second one does not wait: {:?}", begin.elapsed());
    databases.cluster_mut("AZ").start().unwrap();
    health_is(&server, "AZ", "reachable").await;
    nothing_in_doubt_within(&server, Duration::from_secs(10)).await;
    assert_eq!((balance(client, az).await, balance(client, tx).await), (1_000, 0));
    assert_eq!(until_final(client, &blocked).await, "posted");
    assert_eq!(until_final(client, &request).await, "posted", "it had been aborted, the id was not used up");
    assert_eq!((balance(client, az).await, balance(client, tx).await), (900, 110));
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn the_answer_to_a_decision_is_lost() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("AZ").port()).await;
    let server = Server::start_through(&databases, &[("AZ", &proxy)]).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let request = pay(az, tx, 100);
    let mut held = proxy.hold("insert into batch (id", Hold::Answer);
    let (asker, sent) = (client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&asker.transfer(&sent).await) });
    held.reached().await;
    held.cut();
    assert_eq!(asking.await.unwrap(), "posted", "home's row says what the lost answer said");
    assert_eq!((balance(client, az).await, balance(client, tx).await), (900, 100));
    databases.finish().await;
}

#[tokio::test]
async fn the_answer_to_a_prepare_is_lost() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let request = pay(az, tx, 100);
    let mut held = proxy.hold("prepare transaction", Hold::Answer);
    let (asker, sent) = (client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&asker.transfer(&sent).await) });
    held.reached().await;
    held.cut();
    let told = asking.await.unwrap();
    assert!(["posted", "unavailable busy"].contains(&told.as_str()), "{told}: aborted for certain, and planned again");
    let last = until_final(client, &request).await;
    assert!(["posted", "replayed"].contains(&last.as_str()), "{last}");
    assert_eq!((balance(client, az).await, balance(client, tx).await), (900, 100));
    let aborted = "select count(*) from batch where outcome = 'aborted'";
    assert_eq!(databases.value("AZ", aborted).await, "1", "the first attempt has its abort row");
    databases.finish().await;
}

#[tokio::test]
async fn a_hung_branch_does_not_stall_the_others() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let neighbour = open(client, "AZ", 1_000).await;
    let mut held = proxy.hold("pg_advisory_lock", Hold::Answer);
    let (asker, request) = (client.clone(), pay(az, tx, 100));
    let sent = request.clone();
    let asking = tokio::spawn(async move { told(&asker.transfer(&sent).await) });
    held.reached().await;
    let begin = Instant::now();
    assert_posted(client.transfer(&pay(az, neighbour, 1)).await);
    assert!(begin.elapsed() < Duration::from_secs(4), "a payment inside Arizona took {:?}", begin.elapsed());
    held.cut();
    let told = asking.await.unwrap();
    assert!(["posted", "unavailable busy"].contains(&told.as_str()), "{told}");
    let last = until_final(client, &request).await;
    assert!(["posted", "replayed"].contains(&last.as_str()), "{last}");
    assert_eq!((balance(client, az).await, balance(client, tx).await), (899, 100));
    databases.finish().await;
}

#[tokio::test]
async fn settling_and_unknown_are_202_with_the_place_to_look() {
    let mut databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("AZ").port()).await;
    let server = Server::start_through(&databases, &[("AZ", &proxy)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let request = pay(az, tx, 100);
    let mut held = proxy.hold("insert into batch (id", Hold::Message);
    let sending = reqwest::Client::new()
        .post(format!("{}/v1/transfers", server.url))
        .bearer_auth(nostro_torture::databases::KEY)
        .json(&request)
        .send();
    let sending = tokio::spawn(sending);
    held.reached().await;
    databases.cluster_mut("AZ").stop(Stop::Immediate).unwrap();
    held.cut();
    proxy.cut_all();
    let response = sending.await.unwrap().unwrap();
    assert_eq!(response.status().as_u16(), 202);
    assert_eq!(response.headers()["location"], format!("/v1/transfers/{}?branch=AZ", request.id));
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!((body["state"].as_str(), body["id"].as_str()), (Some("unknown"), Some(request.id.to_string().as_str())));
    // While Arizona is down nobody says 404.
    let lookup = server.client.transfer_by_id(request.id, None).await.unwrap_err();
    assert!(lookup.to_string().starts_with("branch_unavailable"), "{lookup}");
    let listed = server.client.in_doubt().await.unwrap();
    assert_eq!((listed.data.len(), listed.unreachable), (1, vec!["AZ".to_owned()]));
    databases.cluster_mut("AZ").start().unwrap();
    nothing_in_doubt_within(&server, Duration::from_secs(10)).await;
    assert_eq!(until_final(&server.client, &request).await, "posted");
    databases.finish().await;
}
