//! Statements as CSV, over HTTP and on the command line: whole, quoted, harmless, and never taken for whole where they are
//! not.

use crate::entries::{REFERENCES, all, later, many, time};
use nostro_client::{Client, Entry, Page};
use nostro_core::{AccountNumber, BranchNumber, Timestamp};
use nostro_torture::databases::{Databases, KEY};
use nostro_torture::money::{assert_posted, open, pay};
use nostro_torture::program::run;
use nostro_torture::server::Server;
use serde_json::Value;

/// The rows, the header among them.
fn rows(text: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

async fn whole(client: &Client, account: AccountNumber, from: Timestamp, to: Timestamp) -> Vec<u8> {
    let mut coming = client.statement_csv(account, from, to).await.unwrap();
    let mut text = Vec::new();
    while let Some(bytes) = coming.chunk().await.unwrap() {
        text.extend(bytes);
    }
    text
}

/// The period of an account's whole life up to now.
fn life(entries: &[Entry]) -> (Timestamp, Timestamp) {
    (time(&entries[0]), later(time(&entries[entries.len() - 1]), 1))
}

#[tokio::test]
async fn a_csv_has_what_the_statement_has() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 10_000).await, open(client, "TX", 0).await);
    for reference in REFERENCES {
        let mut request = pay(az, tx, 10);
        request.reference = Some(reference.to_owned());
        assert_posted(client.transfer(&request).await);
    }
    let entries = all(client, tx).await;
    let (from, to) = life(&entries);
    let text = whole(client, tx, from, to).await;
    let line_ends = text.windows(2).filter(|two| two.ends_with(b"\r\n")).count();
    assert!(text.ends_with(b"\r\n") && line_ends == 7, "lines end as RFC 4180 says");
    let found = rows(&text);
    let column = |name: &str| found[0].iter().position(|column| column == name).unwrap();
    let (kind, balance, reference) = (column("kind"), column("balance_after"), column("reference"));
    assert_eq!((found[1][kind].as_str(), found[1][balance].as_str()), ("opening_balance", "0"));
    assert_eq!((found[6][kind].as_str(), found[6][balance].as_str()), ("closing_balance", "40"));
    for (row, entry) in found[2..6].iter().zip(&entries) {
        assert_eq!(row[column("transfer")], entry.transfer.to_string());
        assert_eq!((&row[kind], &row[column("side")]), (&entry.kind, &entry.side));
        assert_eq!((&row[balance], &row[column("amount")]), (&entry.balance_after.to_string(), &"10".to_owned()));
        assert_eq!((row[column("currency")].as_str(), &row[column("posted_at")]), ("USD", &entry.posted_at));
    }
    let references: Vec<&str> = found[2..6].iter().map(|row| row[reference].as_str()).collect();
    let harmless = "'=HYPERLINK(\"http://evil.example\")";
    assert_eq!(references, [REFERENCES[0], REFERENCES[1], harmless, REFERENCES[3]]);

    let url = format!("{}/v1/accounts/{tx}/statement?from={from}&to={to}", server.url);
    let http = reqwest::Client::new();
    let get = async |more: &str, accept: &str| {
        let request = http.get(format!("{url}{more}")).bearer_auth(KEY).header("accept", accept);
        let response = request.send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status().as_u16(), kind, response.bytes().await.unwrap().to_vec())
    };
    for (more, accept) in [("", "text/csv"), ("&format=csv", "*/*")] {
        let (status, kind, body) = get(more, accept).await;
        assert_eq!((status, kind.as_str()), (200, "text/csv; charset=utf-8; header=present"));
        assert_eq!(body, text);
    }
    let (status, kind, body) = get("", "*/*").await;
    assert_eq!((status, kind.as_str()), (200, "application/json"));
    let page: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((page["count"].as_i64(), page["closing_balance"].as_str()), (Some(4), Some("40")));
    let refused = [("&format=csv&limit=5", "limit: a CSV has no pages"), ("&format=xml", "format: json or csv")];
    for (more, detail) in refused {
        let (status, _, body) = get(more, "text/csv").await;
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert!(status == 400 && problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
    }
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_prints_and_writes_statements() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 100_000).await, open(client, "TX", 0).await);
    assert_posted(client.transfer(&pay(az, tx, 12_345)).await);
    let entries = all(client, az).await;
    let (from, to) = life(&entries);
    let key = databases.directory.join("operator.key");
    let (from, to, number) = (from.to_string(), to.to_string(), az.to_string());
    let nostro = |arguments: &[&str]| {
        let mut all = vec!["account"];
        all.extend_from_slice(arguments);
        all.extend_from_slice(&["--api", &server.url, "--key-file", key.to_str().unwrap()]);
        let output = run(&all);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let period = ["statement", &number, "--from", &from, "--to", &to];
    let (status, text) = nostro(&period);
    assert_eq!(status, Some(0));
    for line in ["opening balance  0.00 USD", "debits           123.45 USD", "closing balance  876.55 USD", "1000.00"] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let (status, text) = nostro(&[&period[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, json["data"].as_array().unwrap().len()), (Some(0), 2));
    let file = databases.directory.join("statement.csv");
    let csv = whole(client, az, from.parse().unwrap(), to.parse().unwrap()).await;
    let (status, text) = nostro(&[&period[..], &["--csv", file.to_str().unwrap()]].concat());
    assert_eq!((status, text.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read(&file).unwrap(), csv);
    let (status, text) = nostro(&[&period[..], &["--csv", "-"]].concat());
    assert_eq!((status, text.as_bytes()), (Some(0), csv.as_slice()));

    let (status, text) = nostro(&["balance", &number, "--at", &entries[0].posted_at]);
    assert!(status == Some(0) && text.starts_with("1000.00 USD\n"), "{text}");
    let (status, text) = nostro(&["balance", &number]);
    assert!(status == Some(0) && text.starts_with("876.55 USD\n") && text.contains("not final"), "{text}");
    assert_eq!(nostro(&["balance", &number, "--at", "2999-01-01T00:00:00Z"]).0, Some(1));
    assert_eq!(nostro(&["balance", &number, "--at", "yesterday"]).0, Some(2));
    assert_eq!(nostro(&["statement", &number, "--from", &to, "--to", &from]).0, Some(1));
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_csv_that_cannot_be_written_to_its_end_is_not_taken_for_whole() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 100_000).await, open(client, "TX", 0).await);
    many(client, az, tx, 12_000, Some(REFERENCES[2])).await;
    let newest = client.entries(az, &Page { limit: Some(1), cursor: None }).await.unwrap().data.remove(0);
    let (from, to) = (Timestamp::from_micros(0), later(time(&newest), 1));
    let found = rows(&whole(client, az, from, to).await);
    assert_eq!(found.len(), 12_001 + 3, "a header, the deposit, the transfers, and both balances");
    assert!(found[2..12_003].iter().map(|row| row[0].clone()).eq((1..=12_001).map(|seq| seq.to_string())));
    assert_eq!((found[12_003][2].as_str(), found[12_003][5].as_str()), ("closing_balance", "88000"));

    // Somebody takes lines out of the middle.
    let key = az.key(BranchNumber::new(1).unwrap()).as_i64();
    let hole = format!(
        "set session_replication_role = replica;
         delete from transfer where debit = {key} and debit_seq between 6000 and 6010"
    );
    databases.sql("AZ", &hole).await;
    let mut coming = client.statement_csv(az, from, to).await.unwrap();
    let mut text = Vec::new();
    let broken = loop {
        match coming.chunk().await {
            Ok(Some(bytes)) => text.extend(bytes),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken && !text.is_empty(), "it broke off after {} bytes", text.len());
    let file = databases.directory.join("statement.csv");
    let key = databases.directory.join("operator.key");
    let (from, to, number) = (from.to_string(), to.to_string(), az.to_string());
    let file_name = file.to_str().unwrap();
    let output = run(&[
        "account",
        "statement",
        &number,
        "--from",
        &from,
        "--to",
        &to,
        "--csv",
        file_name,
        "--api",
        &server.url,
        "--key-file",
        key.to_str().unwrap(),
    ]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("statement.csv is not written"), "{said}");
    assert!(!file.exists() && !databases.directory.join("statement.csv.part").exists(), "nothing is left of it");
    databases.finish().await;
}
