//! The command line on a real bank: what it prints, and the code that it ends with.

use nostro_client::{Outcome, ReversalRequest, TransferRequest};
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, open, pay, reserve, take, undo};
use nostro_torture::program::run;
use nostro_torture::server::Server;
use std::path::Path;
use uuid::Uuid;

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";
const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c0aa";

/// What a command ended with, and what it said on both outputs.
pub struct Ran {
    pub exit: Option<i32>,
    pub told: String,
}

/// Runs `nostro` with the operator's key at this address.
pub async fn nostro(databases: &Databases, api: &str, arguments: &[&str]) -> Ran {
    with_key(&databases.directory.join("operator.key"), api, arguments).await
}

async fn with_key(key: &Path, api: &str, arguments: &[&str]) -> Ran {
    let all = [arguments, &["--api", api, "--key-file", key.to_str().unwrap()]].concat();
    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    let running = tokio::task::spawn_blocking(move || run(&all.iter().map(String::as_str).collect::<Vec<_>>()));
    let output = running.await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    Ran { exit: output.status.code(), told }
}

/// One field of each row that a list has as JSON.
async fn listed(databases: &Databases, api: &str, arguments: &[&str], field: &str) -> Vec<String> {
    let ran = nostro(databases, api, &[arguments, &["--json"]].concat()).await;
    assert_eq!(ran.exit, Some(0), "{arguments:?}: {}", ran.told);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&ran.told).unwrap();
    rows.iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
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
    // Without its key a command sends nothing; what was asked for with the same id before may yet have been done.
    let no_key = databases.directory.join("no such key");
    let (paid, changed) = (&["deposit", &from, "1.00"][..], &["account", "change", &from, "--state", "frozen"][..]);
    for command in
        commands.into_iter().chain([paid, changed, &["account", "close", &from], &["reverse", ID, "--branch", "AZ"]])
    {
        let ran = with_key(&no_key, &server.url, command).await;
        assert!(ran.exit == Some(5) && ran.told.contains("nothing was sent"), "{command:?}: {}", ran.told);
        let ran = with_key(&no_key, &server.url, &[command, &["--id", ID]].concat()).await;
        assert!(ran.exit == Some(4) && ran.told.contains("no such key"), "{command:?}: {}", ran.told);
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
    let (account, id) = (az.to_string(), Uuid::now_v7().to_string());
    let nostro = async |arguments: &[&str]| nostro(&databases, &server.url, arguments).await;
    for replay in ["posted: 25.00 USD", "posted earlier: 25.00 USD"] {
        let ran = nostro(&["deposit", &account, "25.00", "--reference", "till 4", "--id", &id]).await;
        assert!(ran.exit == Some(0) && ran.told.contains(replay), "{}", ran.told);
        assert_eq!(balance(&server.client, az).await, 3_500);
    }
    let ran = nostro(&["withdraw", &account, "5.00", "--id", &id]).await;
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
    let ran = nostro(&databases, &server.url, &["status", &Uuid::now_v7().to_string()]).await;
    assert!(ran.exit == Some(1) && ran.told.contains("transfer_not_found"), "{}", ran.told);
    // Whatever keeps the command from asking, it does not end as if there were no record.
    let id = paid.id.to_string();
    let (no_key, wrong_key) = (databases.directory.join("no such key"), databases.directory.join("wrong.key"));
    std::fs::write(&wrong_key, "nobody's").unwrap();
    let elsewhere = format!("{}/elsewhere", server.url);
    for ran in [
        nostro(&databases, NOBODY, &["status", &id]).await,
        nostro(&databases, &elsewhere, &["status", &id]).await,
        nostro(&databases, &server.url, &["status", &id, "--branch", "ZZ"]).await,
        with_key(&no_key, &server.url, &["status", &id]).await,
        with_key(&wrong_key, &server.url, &["status", &id]).await,
    ] {
        assert!(ran.exit == Some(4) && ran.told.contains("unknown"), "{}", ran.told);
    }
    databases.finish().await;
}

#[tokio::test]
async fn entries_are_listed_by_kind_text_time_amount_and_counterparty() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 100_000).await, open(client, "TX", 0).await);
    let rent = TransferRequest { category: 7, reference: Some("rent for May".into()), ..pay(az, tx, 250) };
    for request in [rent, pay(az, tx, 600), pay(tx, az, 100)] {
        assert_posted(client.transfer(&request).await);
    }
    let (account, other) = (az.to_string(), tx.grouped());
    let cases: [(&[&str], &[&str]); 10] = [
        (&[], &["4", "3", "2", "1"]),
        (&["--limit", "2"], &["4", "3"]),
        (&["--kind", "deposit"], &["1"]),
        (&["--category", "7"], &["2"]),
        (&["--reference", "rent for May"], &["2"]),
        (&["--amount-min", "2.50", "--amount-max", "6.00"], &["3", "2"]),
        (&["--counterparty", &other, "--limit", "200"], &["4", "3", "2"]),
        (&["--from", "2020-01-01", "--kind", "transfer", "--limit", "1"], &["4"]),
        (&["--to", "2020-01-01T00:00:00Z"], &[]),
        (&["--category", "7", "--kind", "deposit"], &[]),
    ];
    for (more, expected) in cases {
        let arguments = [&["account", "entries", &account][..], more].concat();
        assert_eq!(listed(&databases, &server.url, &arguments, "seq").await, expected, "{more:?}");
    }
    let wrong: [(&[&str], &str); 5] = [
        (&["--amount-min", "2.5"], "2 decimals"),
        (&["--amount-min", "2.00", "--amount-max", "1.00"], "--amount-max: must be at least --amount-min"),
        (&["--from", "2026-02-01", "--to", "2026-02-01"], "--to: must be later than --from"),
        (&["--kind", "hold"], "possible values: transfer, deposit, withdrawal, capture, reversal"),
        (&["--limit", "0"], "1..=100000"),
    ];
    for (more, complaint) in wrong {
        let ran = nostro(&databases, &server.url, &[&["account", "entries", &account][..], more].concat()).await;
        assert!(ran.exit == Some(2) && ran.told.contains(complaint), "{more:?}: {}", ran.told);
    }
    let ran = nostro(&databases, &server.url, &["account", "entries", &account, "--category", "7"]).await;
    let shown = ["rent for May", "2.50", "997.50", &other];
    assert!(ran.exit == Some(0) && shown.iter().all(|text| ran.told.contains(text)), "{}", ran.told);
    let ran = nostro(&databases, &server.url, &["account", "entries", &account, "--category", "8"]).await;
    assert!(ran.exit == Some(0) && ran.told == "no entries\n", "{}", ran.told);
    databases.finish().await;
}

#[tokio::test]
async fn holds_are_listed_by_state_amount_and_counterparty() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx, third) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await, open(client, "AZ", 0).await);
    let (taken, small, large) = (reserve(az, tx, 100, None), reserve(az, third, 150, None), reserve(az, tx, 200, None));
    for hold in [&taken, &small, &large] {
        assert_posted(client.place_hold(hold).await);
    }
    assert_posted(client.capture_hold(taken.id, None, &take(40, true)).await);
    let (account, other) = (az.to_string(), third.to_string());
    let cases: [(&[&str], &[Uuid]); 6] = [
        (&[], &[large.id, small.id, taken.id]),
        (&["--state", "open"], &[large.id, small.id]),
        (&["--state", "captured", "--amount-max", "1.00"], &[taken.id]),
        (&["--amount-min", "1.50"], &[large.id, small.id]),
        (&["--counterparty", &other], &[small.id]),
        (&["--to", "2020-01-01"], &[]),
    ];
    for (more, expected) in cases {
        let arguments = [&["hold", "list", &account][..], more].concat();
        let expected: Vec<String> = expected.iter().map(Uuid::to_string).collect();
        assert_eq!(listed(&databases, &server.url, &arguments, "id").await, expected, "{more:?}");
    }
    for more in [["--state", "gone"], ["--amount-min", "1"]] {
        let ran = nostro(&databases, &server.url, &[&["hold", "list", &account][..], &more[..]].concat()).await;
        assert_eq!(ran.exit, Some(2), "{more:?}: {}", ran.told);
    }
    databases.finish().await;
}

#[tokio::test]
async fn a_customer_and_an_account_are_made_once_however_often_the_same_is_asked_for() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let nostro = async |arguments: &[&str]| nostro(&databases, &server.url, arguments).await;
    let (person, account) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let shown = |ran: Ran| {
        assert_eq!(ran.exit, Some(0), "{}", ran.told);
        serde_json::from_str::<serde_json::Value>(&ran.told).unwrap()
    };
    let add = ["customer", "add", "TX", "Mary Jackson", "--json", "--id", &person];
    let customer = shown(nostro(&add).await);
    assert_eq!(shown(nostro(&add).await)["number"], customer["number"]);
    let ran = nostro(&["customer", "add", "TX", "Somebody Else", "--id", &person]).await;
    assert!(ran.exit == Some(3) && ran.told.contains("id_conflict"), "{}", ran.told);
    let number = customer["number"].as_str().unwrap();
    let open = ["account", "open", number, "--kind", "savings", "--currency", "USD", "--overdraft-limit", "25.00"];
    let open = |more: &[&'static str]| [&open[..], &["--id", &account], more].concat().join(" ");
    let open = async |more: &[&'static str]| nostro(&open(more).split(' ').collect::<Vec<_>>()).await;
    let first = shown(open(&["--json"]).await);
    assert_eq!((&first["kind"], &first["overdraft_limit"]), (&"savings".into(), &"2500".into()));
    let ran = open(&[]).await;
    assert!(ran.exit == Some(0) && ran.told.contains("savings, open"), "{}", ran.told);
    let listed = shown(nostro(&["account", "list", "--branch", "TX", "--json"]).await);
    let of_the_customer = listed.as_array().unwrap().iter().filter(|account| account["customer"] == number);
    assert_eq!(of_the_customer.count(), 1);
    let ran = nostro(&["customer", "list", "TX"]).await;
    assert!(ran.exit == Some(0) && ran.told.contains("Mary Jackson") && !ran.told.contains("Somebody"), "{}", ran.told);

    // What is no rule of this customer's is told with its rule, and nothing is made.
    let new = async |more: &[&str]| {
        nostro(&[&["account", "open", number, "--kind", "checking", "--currency", "USD"], more].concat()).await
    };
    for (more, exit, told) in [
        (&["--overdraft-limit", "25"][..], 2, "--overdraft-limit: 25: "),
        (&["--overdraft-limit=-1.00"], 2, "--overdraft-limit: -1.00: "),
        (&["--kind", "cash"], 2, "cannot be used multiple times"),
    ] {
        let ran = new(more).await;
        assert!(ran.exit == Some(exit) && ran.told.contains(told), "{more:?}: {}", ran.told);
    }
    let nobody = ["account", "open", "TX40900000999999", "--kind", "checking", "--currency", "USD"];
    let ran = nostro(&nobody).await;
    assert_eq!(ran.exit, Some(2), "the check digits are not right: {}", ran.told);
    let listed = shown(nostro(&["account", "list", "--branch", "TX", "--json"]).await);
    let of_the_customer = listed.as_array().unwrap().iter().filter(|account| account["customer"] == number);
    assert_eq!(of_the_customer.count(), 1);
    databases.finish().await;
}
