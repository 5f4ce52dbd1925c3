//! What an operator sees of a batch in doubt and can do about it. A server dies with a message held on the wire;
//! another one, whose own recovery is far away, is asked.

use nostro_client::{InDoubt, TransferRequest};
use nostro_core::{AccountNumber, BranchNumber};
use nostro_local::Stop;
use nostro_torture::databases::{AUDITOR_KEY, Databases, KEY};
use nostro_torture::money::{balance, open, pay, told, until_final};
use nostro_torture::program::run;
use nostro_torture::server::Server;
use nostro_torture::wire::{Held, Hold, Wire};
use serde_json::Value;
use std::process::Output;
use std::time::{Duration, Instant};

/// No recovery by itself while a test looks.
const PATIENT: &str = "recovery_age_ms = 600000\n";

/// A server that died between PREPARE at Texas and the end, and one that is asked about it.
struct Left {
    databases: Databases,
    server: Server,
    request: TransferRequest,
    az: AccountNumber,
    tx: AccountNumber,
    batch: String,
    held: Held,
    /// The wires carry what is held for as long as they live.
    _proxies: [Wire; 2],
}

/// Kills a server while a message of its batch is held before it reaches `branch`.
async fn leave(branch: &'static str, message: &'static str) -> Left {
    let databases = Databases::start().await;
    let proxies = [Wire::to(databases.cluster("AZ").port()).await, Wire::to(databases.cluster("TX").port()).await];
    let mut dying = Server::start_through(&databases, &[("AZ", &proxies[0]), ("TX", &proxies[1])]).await;
    let (az, tx) = (open(&dying.client, "AZ", 1_000).await, open(&dying.client, "TX", 1_000).await);
    let request = pay(az, tx, 100);
    let mut held = proxies[usize::from(branch == "TX")].hold(message, Hold::Message);
    let (client, sent) = (dying.client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&client.transfer(&sent).await) });
    held.reached().await;
    dying.kill();
    assert_eq!(asking.await.unwrap(), "unknown");
    let server = Server::start_with_setting(&databases, PATIENT).await;
    let gid = databases.value("TX", "select gid from pg_prepared_xacts").await;
    let parts: Vec<&str> = gid.split(':').collect();
    let batch = parts[2..5].join("-");
    Left { databases, server, request, az, tx, batch, held, _proxies: proxies }
}

impl Left {
    /// The one batch in doubt.
    async fn listed(&self) -> InDoubt {
        let mut list = self.server.client.in_doubt().await.unwrap();
        assert_eq!(list.data.len(), 1, "{list:?}");
        list.data.remove(0)
    }

    /// `nostro in-doubt`, with further arguments.
    fn command(&self, arguments: &[&str]) -> Output {
        let key = self.databases.directory.join("operator.key");
        let mut all = vec!["in-doubt"];
        all.extend_from_slice(arguments);
        all.extend_from_slice(&["--api", &self.server.url, "--key-file", key.to_str().unwrap()]);
        run(&all)
    }

    /// `nostro in-doubt resolve`: its exit code and what it says.
    fn resolve(&self) -> (Option<i32>, String) {
        let output = self.command(&["resolve", &self.batch]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    async fn prepared(&self) -> String {
        self.databases.value("TX", "select count(*) from pg_prepared_xacts").await
    }
}

async fn posted(server: &Server, key: &str, batch: &str, body: &'static str) -> (u16, Value) {
    let url = format!("{}/v1/in-doubt/{batch}/resolve", server.url);
    let response = reqwest::Client::new().post(url).bearer_auth(key).body(body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Waits until the page of metrics has all of these lines.
async fn metrics_show(server: &Server, lines: &[&str]) {
    let begin = Instant::now();
    loop {
        let page = reqwest::get(format!("{}/metrics", server.url)).await.unwrap().text().await.unwrap();
        let missing: Vec<_> = lines.iter().filter(|line| !page.lines().any(|found| found == **line)).collect();
        if missing.is_empty() {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "without {missing:?}: {page}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_committed_batch_is_shown_with_who_waits_and_is_resolved_to_committed() {
    let left = leave("TX", "commit prepared").await;
    left.held.cut();
    let listed = left.listed().await;
    assert_eq!((listed.batch.as_str(), listed.branch.as_str()), (left.batch.as_str(), "TX"));
    assert_eq!((listed.verdict.as_str(), listed.parts), ("committed", vec!["AZ".to_owned(), "TX".to_owned()]));
    assert!(listed.waiting.is_empty() && listed.accounts.is_empty(), "{:?}", listed.waiting);
    let slots = left.databases.value("TX", "current_setting('max_prepared_transactions')").await;
    let slots = format!("nostro_prepared_slots_max{{branch=\"TX\"}} {slots}");
    let one = [
        "nostro_prepared{branch=\"TX\"} 1",
        "nostro_prepared_slots_used{branch=\"TX\"} 1",
        "nostro_prepared_slots_used{branch=\"AZ\"} 0",
        &slots,
        "nostro_recovery_alarms_total 0",
    ];
    metrics_show(&left.server, &one).await;
    // A program of the branch waits for the row, another one behind it, and DDL for the table.
    let key = left.tx.key(BranchNumber::new(2).unwrap()).as_i64();
    let row = format!("update account set seq = seq where id = {key}");
    let statements = [("first", row.clone()), ("second", row), ("ddl", "lock table account in share mode".to_owned())];
    let mut sessions = Vec::new();
    for (at, (name, statement)) in statements.into_iter().enumerate() {
        let client = left.databases.admin("TX").await;
        client.batch_execute(&format!("set application_name = '{name}'; begin")).await.unwrap();
        sessions.push(tokio::spawn(async move {
            client.batch_execute(&statement).await.unwrap();
            client.batch_execute("rollback").await.unwrap();
        }));
        let begin = Instant::now();
        while left.listed().await.waiting.len() <= at {
            assert!(begin.elapsed() < Duration::from_secs(5), "{name} is not shown: {:?}", left.listed().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let mut waiting = left.listed().await.waiting;
    waiting.sort_by_key(|waiter| std::cmp::Reverse(waiter.waited_ms));
    let shown: Vec<(&str, &str, bool)> =
        waiting.iter().map(|waiter| (waiter.application.as_str(), waiter.lock.as_str(), waiter.direct)).collect();
    assert_eq!(shown, [("first", "transactionid", true), ("second", "tuple", false), ("ddl", "relation", true)]);
    assert!(waiting.iter().all(|waiter| waiter.pid > 0 && waiter.waited_ms < 10_000), "{waiting:?}");
    let words = String::from_utf8(left.command(&[]).stdout).unwrap();
    assert!(words.contains("AZ committed it; recovery will commit it at TX"), "{words}");
    assert!(words.contains("(first) of TX waits for it since"), "{words}");
    assert!(words.contains("(second) of TX waits behind one"), "{words}");
    assert!(words.contains(&format!("to settle it now: nostro in-doubt resolve {}", left.batch)), "{words}");
    let json: Value = serde_json::from_slice(&left.command(&["--json"]).stdout).unwrap();
    assert_eq!(json["data"][0]["verdict"], "committed");
    assert_eq!(left.prepared().await, "1", "looking changes nothing");
    assert_eq!(left.resolve(), (Some(0), format!("{}: committed everywhere (AZ, TX)\n", left.batch)));
    assert_eq!(
        (balance(&left.server.client, left.az).await, balance(&left.server.client, left.tx).await),
        (900, 1_100)
    );
    for session in sessions {
        session.await.unwrap();
    }
    let none = ["nostro_prepared{branch=\"TX\"} 0", "nostro_prepared_oldest_seconds{branch=\"TX\"} 0"];
    metrics_show(&left.server, &none).await;
    let counted = ["nostro_recoveries_total{verdict=\"committed\"} 1", "nostro_recoveries_unfinished_total 0"];
    metrics_show(&left.server, &counted).await;
    // Nothing is left to do, and that is what it says, as often as it is asked.
    assert_eq!(left.resolve().0, Some(0));
    assert_eq!(until_final(&left.server.client, &left.request).await, "replayed");
    assert_eq!(String::from_utf8(left.command(&[]).stdout).unwrap(), "nothing is in doubt\n");
    left.databases.finish().await;
}

#[tokio::test]
async fn an_undecided_batch_is_resolved_to_aborted_and_its_late_decision_fails() {
    let left = leave("AZ", "insert into batch (id").await;
    for _ in 0..3 {
        assert_eq!(left.listed().await.verdict, "undecided", "to look is not to decide");
    }
    let rows = format!("select count(*) from batch where id = '{}'", left.batch);
    assert_eq!(left.databases.value("AZ", &rows).await, "0");
    let words = String::from_utf8(left.command(&[]).stdout).unwrap();
    assert!(words.contains("AZ has not decided; recovery will abort it, unless"), "{words}");
    let resolved = left.server.client.resolve_in_doubt(&left.batch).await.unwrap();
    assert_eq!((resolved.verdict.as_str(), resolved.finished), ("aborted", true));
    assert_eq!((resolved.left, resolved.alarms), (vec![], vec![]));
    assert_eq!(left.prepared().await, "0");
    // The decision of the dead was on its way all the time.
    left.held.release();
    let begin = Instant::now();
    while !left.databases.log("AZ").contains("unique constraint \"batch_pkey\"") {
        assert!(begin.elapsed() < Duration::from_secs(5), "the late decision did not fail");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let outcome = format!("select outcome from batch where id = '{}'", left.batch);
    assert_eq!(left.databases.value("AZ", &outcome).await, "aborted");
    assert_eq!(
        (balance(&left.server.client, left.az).await, balance(&left.server.client, left.tx).await),
        (1_000, 1_000)
    );
    assert_eq!(left.resolve(), (Some(0), format!("{}: aborted everywhere (AZ, TX)\n", left.batch)));
    assert_eq!(until_final(&left.server.client, &left.request).await, "posted", "the id was not used up");
    assert!(left.server.client.audit().await.unwrap().balanced);
    left.databases.finish().await;
}

#[tokio::test]
async fn a_batch_that_a_restored_home_may_have_decided_is_left_to_a_human() {
    let mut left = leave("AZ", "insert into batch (id").await;
    left.server.kill();
    left.databases.sql("AZ", "update batch_number set incarnation = incarnation + 1").await;
    left.server = Server::start_with_setting(&left.databases, PATIENT).await;
    assert_eq!(left.listed().await.verdict, "restored");
    let words = String::from_utf8(left.command(&[]).stdout).unwrap();
    assert!(words.contains("AZ was restored from a backup since") && !words.contains("settle it now"), "{words}");
    let (code, words) = left.resolve();
    assert_eq!(code, Some(8), "{words}");
    let alarm = format!("{} is of an older incarnation of AZ", left.batch);
    assert!(words.contains("a human must look") && words.contains(&alarm), "{words}");
    metrics_show(&left.server, &["nostro_recovery_alarms_total 1"]).await;
    let rows = format!("select count(*) from batch where id = '{}'", left.batch);
    assert_eq!((left.prepared().await.as_str(), left.databases.value("AZ", &rows).await.as_str()), ("1", "0"));
    // Not `finish`: it stays in doubt, on purpose.
}

#[tokio::test]
async fn without_home_nothing_is_decided_and_without_the_participant_it_is_not_finished() {
    let mut left = leave("TX", "commit prepared").await;
    left.held.cut();
    left.databases.cluster_mut("AZ").stop(Stop::Immediate).unwrap();
    let list = left.server.client.in_doubt().await.unwrap();
    assert_eq!((list.data[0].verdict.as_str(), list.unreachable), ("home_unreachable", vec!["AZ".to_owned()]));
    let shown = left.command(&[]);
    assert_eq!(shown.status.code(), Some(5));
    let words = String::from_utf8(shown.stdout).unwrap();
    assert!(words.contains("AZ cannot be asked, so nobody knows; TX keeps it until AZ is back"), "{words}");
    let resolved = left.server.client.resolve_in_doubt(&left.batch).await.unwrap();
    assert_eq!(
        (resolved.verdict.as_str(), resolved.finished, resolved.left),
        ("home_unreachable", false, vec!["TX".to_owned()])
    );
    let (code, words) = left.resolve();
    assert_eq!(code, Some(7), "{words}");
    assert!(words.contains("still in doubt: AZ did not answer"), "{words}");
    assert_eq!(left.prepared().await, "1", "nobody but home decides");
    assert_eq!(left.databases.value("TX", "select count(*) from participation").await, "0");
    left.databases.cluster_mut("AZ").start().unwrap();
    left.databases.cluster_mut("TX").stop(Stop::Immediate).unwrap();
    let (code, words) = left.resolve();
    assert_eq!(code, Some(6), "{words}");
    assert!(words.contains("committed for ever, but not finished everywhere: TX could not be finished now"), "{words}");
    metrics_show(&left.server, &["nostro_recoveries_unfinished_total 1"]).await;
    left.databases.cluster_mut("TX").start().unwrap();
    assert_eq!(left.resolve().0, Some(0));
    assert_eq!(
        (balance(&left.server.client, left.az).await, balance(&left.server.client, left.tx).await),
        (900, 1_100)
    );
    left.databases.finish().await;
}

#[tokio::test]
async fn what_cannot_be_resolved_is_named() {
    let mut left = leave("TX", "commit prepared").await;
    left.held.cut();
    for (key, batch, body, status, code, detail) in [
        (KEY, "AZ-1-999999", "", 404, "batch_not_found", "no branch knows of a batch AZ-1-999999"),
        (KEY, "TX-7-1", "", 404, "batch_not_found", "TX-7-1"),
        (KEY, "ZZ-1-1", "", 404, "batch_not_found", "ZZ-1-1"),
        (
            KEY,
            "AZ-1",
            "",
            400,
            "invalid_request",
            "the batch in the path: a batch is home-incarnation-number, such as AZ-1-4711",
        ),
        (KEY, "AZ-01-1", "", 400, "invalid_request", "home-incarnation-number"),
        (KEY, "AZ-1-1'--", "", 400, "invalid_request", "home-incarnation-number"),
        (KEY, &left.batch, "{\"outcome\":\"committed\"}", 400, "invalid_request", "takes no body"),
        (AUDITOR_KEY, &left.batch, "", 403, "forbidden", ""),
    ] {
        let (found, problem) = posted(&left.server, key, batch, body).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{batch}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
        assert_eq!(problem["retry"], "never");
    }
    let auditor = nostro_client::Client::new(&left.server.url, AUDITOR_KEY);
    assert_eq!(auditor.in_doubt().await.unwrap().data.len(), 1, "an auditor may look");
    assert_eq!(left.prepared().await, "1", "and none of this changed anything");
    assert_eq!(left.command(&["resolve", "AZ-1-999999"]).status.code(), Some(1));
    assert_eq!(left.command(&["resolve", "AZ-1"]).status.code(), Some(2));
    // What is unknown where one asked is not unknown everywhere.
    left.databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    let (status, problem) = posted(&left.server, KEY, "AZ-1-999999", "").await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("branch_unavailable")), "{problem}");
    assert_eq!(left.command(&["resolve", "AZ-1-999999"]).status.code(), Some(5));
    left.databases.cluster_mut("TX").start().unwrap();
    assert_eq!(left.resolve().0, Some(0));
    left.databases.finish().await;
}

#[tokio::test]
async fn a_batch_that_the_asked_server_is_committing_is_left_alone() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let mut held = proxy.hold("prepare transaction", Hold::Answer);
    let (client, sent) = (server.client.clone(), pay(az, tx, 100));
    let asking = tokio::spawn(async move { told(&client.transfer(&sent).await) });
    held.reached().await;
    let begin = Instant::now();
    let gid = loop {
        let gid = databases.value("TX", "select max(gid) from pg_prepared_xacts").await;
        if gid != "null" {
            break gid;
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "it was not prepared");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let batch = gid.split(':').collect::<Vec<_>>()[2..5].join("-");
    let (status, problem) = posted(&server, KEY, &batch, "").await;
    assert_eq!(
        (status, problem["code"].as_str(), problem["retry"].as_str()),
        (503, Some("batch_live"), Some("same_id"))
    );
    assert!(server.client.in_doubt().await.unwrap().data.is_empty(), "it is not in doubt");
    held.release();
    assert_eq!(asking.await.unwrap(), "posted");
    databases.finish().await;
}

#[tokio::test]
async fn a_prepared_transaction_that_somebody_rolled_back_is_an_alarm() {
    let left = leave("TX", "commit prepared").await;
    left.held.cut();
    let gid = left.listed().await.gid;
    left.databases.sql("TX", &format!("rollback prepared '{gid}'")).await;
    let (code, words) = left.resolve();
    assert_eq!(code, Some(8), "{words}");
    let alarm =
        format!("{} is committed, but TX has neither the prepared transaction nor the committed marker", left.batch);
    assert!(words.contains("a human must look") && words.contains(&alarm), "{words}");
    metrics_show(&left.server, &["nostro_recovery_alarms_total 1"]).await;
    assert!(!left.server.client.audit().await.unwrap().balanced, "the audit sees what was done by hand");
    // Not `finish`: this bank is broken, on purpose.
}
