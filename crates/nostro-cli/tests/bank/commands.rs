//! The command line on a real bank: what it prints, and the code that it ends with.

use nostro_client::{Outcome, ReversalRequest, TransferRequest};
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, open, pay, reserve, take, undo};
use nostro_torture::program::run;
use nostro_torture::server::Server;
use uuid::Uuid;

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";
const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c0aa";

/// What a command ended with, and what it said on both outputs.
struct Ran {
    exit: Option<i32>,
    told: String,
}

/// Runs `nostro` with the operator's key at this address.
async fn nostro(databases: &Databases, api: &str, arguments: &[&str]) -> Ran {
    let key = databases.directory.join("operator.key");
    let all = [arguments, &["--api", api, "--key-file", key.to_str().unwrap()]].concat();
    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let running = tokio::task::spawn_blocking(move || run(&all.iter().map(String::as_str).collect::<Vec<_>>()));
    let output = running.await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    Ran { exit: output.status.code(), told }
}

#[tokio::test]
async fn who_could_not_ask_says_so_and_never_ends_as_if_there_were_an_answer() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let (from, to) = (az.to_string(), tx.to_string());
    let (leg, link) = (format!("{tx}=1.00"), format!("{az}:{tx}=1.00"));
    let commands: [&[&str]; 4] = [
        &["transfer", &from, &to, "1.00"],
        &["hold", "place", &from, &to, "1.00"],
        &["split", "--from", &from, &leg],
        &["chain", &link],
    ];
    for command in commands {
        let ran = nostro(&databases, NOBODY, command).await;
        assert_eq!(ran.exit, Some(5), "{command:?}: {}", ran.told);
        assert!(ran.told.contains("nothing moved"), "{command:?}: {}", ran.told);
        // An earlier attempt with the id may have moved it.
        let ran = nostro(&databases, NOBODY, &[command, &["--id", ID]].concat()).await;
        assert_eq!(ran.exit, Some(4), "{command:?}: {}", ran.told);
        let ran = nostro(&databases, &server.url, command).await;
        assert_eq!(ran.exit, Some(0), "{command:?}: {}", ran.told);
    }
    for cash in ["deposit", "withdraw"] {
        assert_eq!(nostro(&databases, NOBODY, &[cash, &from, "1.00"]).await.exit, Some(5), "{cash}");
    }
    for looks in [&["audit"][..], &["report", "trial-balance"], &["in-doubt"]] {
        let ran = nostro(&databases, NOBODY, looks).await;
        assert_eq!(ran.exit, Some(5), "{looks:?}: {}", ran.told);
        let ran = nostro(&databases, &server.url, looks).await;
        assert_eq!(ran.exit, Some(0), "{looks:?}: {}", ran.told);
    }
    databases.finish().await;
}

#[tokio::test]
async fn cash_comes_in_and_goes_out_once_however_often_the_same_is_asked_for() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let az = open(&server.client, "AZ", 1_000).await;
    let account = az.to_string();
    let nostro = async |arguments: &[&str]| nostro(&databases, &server.url, arguments).await;
    for replay in ["posted: 25.00 USD", "posted earlier: 25.00 USD"] {
        let ran = nostro(&["deposit", &account, "25.00", "--reference", "till 4", "--id", ID]).await;
        assert!(ran.exit == Some(0) && ran.told.contains(replay), "{}", ran.told);
        assert_eq!(balance(&server.client, az).await, 3_500);
    }
    let ran = nostro(&["withdraw", &account, "5.00", "--id", ID]).await;
    assert!(ran.exit == Some(3) && ran.told.contains("id_conflict"), "{}", ran.told);
    let ran = nostro(&["withdraw", &account, "35.01"]).await;
    assert!(ran.exit == Some(3) && ran.told.contains("insufficient_funds"), "{}", ran.told);
    assert_eq!(nostro(&["withdraw", &account, "5.0"]).await.exit, Some(2), "two decimals");
    let ran = nostro(&["withdraw", &account, "5.00", "--currency", "USD", "--json"]).await;
    let shown: serde_json::Value = serde_json::from_str(&ran.told).unwrap();
    assert_eq!((&shown["state"], &shown["transfer"]["kind"]), (&"posted".into(), &"withdrawal".into()));
    assert_eq!(balance(&server.client, az).await, 3_000);
    databases.finish().await;
}

#[tokio::test]
async fn what_became_of_a_transfer_is_shown_and_is_the_exit_code() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let paid = TransferRequest { category: 7, reference: Some("rent".into()), ..pay(az, tx, 250) };
    assert_posted(client.transfer(&paid).await);
    let poor = pay(az, tx, 100_000);
    assert!(matches!(client.transfer(&poor).await, Ok(Outcome::Refused { .. })));
    let hold = reserve(az, tx, 100, None);
    assert_posted(client.place_hold(&hold).await);
    let capture = take(40, true);
    assert_posted(client.capture_hold(hold.id, None, &capture).await);
    let back = ReversalRequest { force: true, ..undo(Some(50)) };
    assert_posted(client.reverse(paid.id, None, &back).await);

    let (hold_line, original_line) = (format!("hold      {}", hold.id), format!("original  {}", paid.id));
    let told: [(Uuid, i32, &[&str]); 5] = [
        (paid.id, 0, &["posted: 2.50 USD from ", "kind      transfer", "category  7", "reference  rent"]),
        (poor.id, 3, &["refused (insufficient_funds): 1000.00 USD from "]),
        (hold.id, 0, &["posted: 1.00 USD held at ", "kind      hold"]),
        (capture.id, 0, &["posted: 0.40 USD from ", &hold_line, "final     yes"]),
        (back.id, 0, &["posted: 0.50 USD from ", &original_line, "forced    yes"]),
    ];
    for (id, exit, lines) in told {
        let ran = nostro(&databases, &server.url, &["status", &id.to_string()]).await;
        assert_eq!(ran.exit, Some(exit), "{}", ran.told);
        assert!(lines.iter().all(|line| ran.told.contains(line)), "{lines:?}: {}", ran.told);
    }
    let ran = nostro(&databases, &server.url, &["status", &paid.id.to_string(), "--branch", "TX", "--json"]).await;
    let shown: serde_json::Value = serde_json::from_str(&ran.told).unwrap();
    assert_eq!((&shown["state"], &shown["amount"]), (&"posted".into(), &"250".into()));
    let ran = nostro(&databases, &server.url, &["status", ID]).await;
    assert!(ran.exit == Some(1) && ran.told.contains("transfer_not_found"), "{}", ran.told);
    let ran = nostro(&databases, NOBODY, &["status", &paid.id.to_string()]).await;
    assert!(ran.exit == Some(4) && ran.told.contains("unknown"), "{}", ran.told);
    databases.finish().await;
}
