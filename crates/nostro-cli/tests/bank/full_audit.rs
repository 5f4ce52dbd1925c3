//! The full audit: a busy bank passes, every kind of row that is tampered with is named, and an audit ends with its server. What
//! it keeps of closed months: `closed_months`.

use crate::tampering::{Kept, busy, cases, cases_of_terms, key, tamper};
use nostro_client::{Client, ClientError, FullAudit};
use nostro_local::Stop;
use nostro_store::audit_rows;
use nostro_torture::databases::{AUDITOR_KEY, Databases};
use nostro_torture::money::{assert_posted, health_is, open, pay, reserve, take, until_final};
use nostro_torture::program::run;
use nostro_torture::server::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Waits until an audit is as it should be, at most so long. A server that has just come back may not answer yet.
async fn until(client: &Client, id: Uuid, limit: Duration, is_there: impl Fn(&FullAudit) -> bool) -> FullAudit {
    let begin = Instant::now();
    loop {
        let answer = client.full_audit(id).await;
        match &answer {
            Ok(audit) if is_there(audit) => return audit.clone(),
            Ok(_) | Err(ClientError::Unavailable { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
        assert!(begin.elapsed() < limit, "after {limit:?}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn full(client: &Client, from_scratch: bool) -> FullAudit {
    let (id, begin) = (Uuid::now_v7(), Instant::now());
    while let Err(error) = client.start_audit(id, from_scratch).await {
        let comes_back = matches!(error, ClientError::Unavailable { .. }) && begin.elapsed() < Duration::from_secs(20);
        assert!(comes_back, "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until(client, id, Duration::from_secs(60), |audit| !audit.is_running()).await
}

pub async fn assert_balanced(client: &Client, from_scratch: bool) -> FullAudit {
    let audit = full(client, from_scratch).await;
    assert_eq!((audit.state.as_str(), audit.findings.len()), ("balanced", 0), "{audit:?}");
    audit
}

#[tokio::test]
async fn every_kind_of_row_that_is_tampered_with_is_named() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let bank = busy(client).await;
    let audit = assert_balanced(client, false).await;
    let looked: Vec<(&str, bool)> = audit
        .branches
        .iter()
        .map(|looked| (looked.branch.as_str(), looked.entries > 60 && looked.batches > 40))
        .collect();
    assert_eq!(looked, [("AZ", true), ("TX", true)], "{audit:?}");
    let kept = Kept::of(&databases).await;
    for case in cases(&bank).into_iter().chain(cases_of_terms(&bank)) {
        let admin = databases.admin(case.branch).await;
        tamper(&admin, &case.sql).await;
        let audit = full(client, false).await;
        assert_eq!(audit.state, "unbalanced", "{}", case.sql);
        let named = |finding: &nostro_client::AuditFinding| {
            finding.branch == case.branch && finding.rule == case.rule && finding.key == case.key
        };
        assert!(audit.findings.iter().any(named), "{} {}: {:?}", case.sql, case.rule, audit.findings);
        kept.restore(&admin, case.table).await;
    }
    assert_balanced(client, false).await;
    // The tables themselves refuse this one, as long as they are as they were made.
    let beyond = format!(
        "alter table account drop constraint account_within_limits; update account set held = 1000000 where id = {}",
        key(bank.az)
    );
    tamper(&databases.admin("AZ").await, &beyond).await;
    let audit = full(client, false).await;
    assert!(audit.findings.iter().any(|finding| finding.rule == "account_limit"), "{audit:?}");
    kept.restore(&databases.admin("AZ").await, "account").await;
    databases.finish().await;
}

#[tokio::test]
async fn the_command_waits_tells_and_ends_with_the_verdict() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let bank = busy(client).await;
    let key_file = databases.directory.join("operator.key");
    let audit = |more: &[&str]| {
        let arguments = ["audit", "--full", "--api", server.url.as_str(), "--key-file", key_file.to_str().unwrap()];
        run(&[&arguments[..], more].concat())
    };
    let right = audit(&[]);
    let text = String::from_utf8(right.stdout).unwrap();
    assert!(right.status.success() && text.ends_with("balanced\n") && text.contains("AZ: "), "{text}");
    assert!(String::from_utf8_lossy(&right.stderr).contains(" began at "));
    databases.sql("AZ", &format!("update account set balance = balance + 1 where id = {}", key(bank.az))).await;
    let wrong = audit(&["--from-scratch", "--json"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", String::from_utf8_lossy(&wrong.stderr));
    let found: FullAudit = serde_json::from_slice(&wrong.stdout).unwrap();
    assert!(found.from_scratch && found.findings.iter().any(|finding| finding.key == bank.az.to_string()), "{found:?}");
    let totals =
        found.findings.iter().filter(|finding| ["branch_total", "bank_total"].contains(&finding.rule.as_str()));
    assert_eq!(totals.count(), 2, "the totals of the quick audit are in it: {found:?}");
    databases.sql("AZ", &format!("update account set balance = balance - 1 where id = {}", key(bank.az))).await;
    let nobody = run(&["audit", "--full", "--api", "http://127.0.0.1:1", "--key-file", key_file.to_str().unwrap()]);
    assert_eq!(nobody.status.code(), Some(5));
    databases.finish().await;
}

#[tokio::test]
async fn an_id_is_one_audit_and_an_auditor_reads_it() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let id = Uuid::now_v7();
    assert_eq!(client.start_audit(id, false).await.unwrap().id, id);
    let ended = until(client, id, Duration::from_secs(30), |audit| !audit.is_running()).await;
    let again = client.start_audit(id, false).await.unwrap();
    assert_eq!((again.state.as_str(), again.finished_at), ("balanced", ended.finished_at));
    let code = |answer: Result<FullAudit, ClientError>| match answer {
        Err(ClientError::Rejected(problem)) => problem.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(client.start_audit(id, true).await), "id_conflict");
    assert_eq!(code(client.full_audit(Uuid::now_v7()).await), "audit_not_found");
    let auditor = Client::new(&server.url, AUDITOR_KEY);
    assert_eq!(auditor.full_audit(id).await.unwrap().state, "balanced");
    assert_eq!(code(auditor.start_audit(Uuid::now_v7(), false).await), "forbidden");
    databases.finish().await;
}

#[tokio::test]
async fn an_audit_without_one_of_the_branches_fails_and_says_so() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let key_file = databases.directory.join("operator.key");
    databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    let audit = full(&server.client, false).await;
    let reason = audit.reason.as_deref();
    assert_eq!((audit.state.as_str(), reason), ("failed", Some("branch TX cannot be reached or used")));
    let told = run(&["audit", "--full", "--api", &server.url, "--key-file", key_file.to_str().unwrap()]);
    assert_eq!(told.status.code(), Some(5));
    assert!(
        String::from_utf8_lossy(&told.stdout)
            .ends_with("failed: branch TX cannot be reached or used; nothing is known\n")
    );
    databases.cluster_mut("TX").start().unwrap();
    health_is(&server, "TX", "reachable").await;
    assert_balanced(&server.client, false).await;
    // Arizona keeps the audits: without it none is begun.
    databases.cluster_mut("AZ").stop(Stop::Fast).unwrap();
    health_is(&server, "AZ", "unreachable").await;
    match server.client.start_audit(Uuid::now_v7(), false).await {
        Err(ClientError::Unavailable { problem, .. }) => assert_eq!(problem.code, "branch_unavailable"),
        other => panic!("{other:?}"),
    }
    databases.cluster_mut("AZ").start().unwrap();
    health_is(&server, "AZ", "reachable").await;
    assert_balanced(&server.client, false).await;
    databases.finish().await;
}

#[tokio::test]
async fn audits_are_balanced_while_money_moves() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut payers = Vec::new();
    for at in 0..6 {
        let (az, tx) = (open(&server.client, "AZ", 100_000).await, open(&server.client, "TX", 100_000).await);
        let (client, stop) = (server.client.clone(), Arc::clone(&stop));
        payers.push(tokio::spawn(async move {
            let mut posted = 0;
            while !stop.load(Ordering::Relaxed) {
                let request = if (posted + at) % 3 == 0 { pay(tx, az, 3) } else { pay(az, tx, 2) };
                until_final(&client, &request).await;
                let hold = reserve(az, tx, 5, None);
                if client.place_hold(&hold).await.is_ok() {
                    let _ = client.capture_hold(hold.id, None, &take(2, posted % 2 == 0)).await;
                }
                posted += 1;
            }
            posted
        }));
    }
    let (begin, mut audits) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_secs(5) || audits < 3 {
        assert_balanced(&server.client, audits % 2 == 1).await;
        audits += 1;
    }
    stop.store(true, Ordering::Relaxed);
    let mut posted = 0;
    for payer in payers {
        posted += payer.await.unwrap();
    }
    assert!(posted > 20, "{posted} payments beside {audits} audits");
    assert_balanced(&server.client, false).await;
    databases.finish().await;
}

/// An audit that stands at Texas's entries, for as long as the connection lives.
async fn standing(databases: &Databases, server: &Server, id: Uuid) -> tokio_postgres::Client {
    let blocker = databases.admin("TX").await;
    blocker.batch_execute("begin; lock table audit_segment in access exclusive mode").await.unwrap();
    server.client.start_audit(id, false).await.unwrap();
    until(&server.client, id, Duration::from_secs(10), |audit| audit.progress.contains("TX: entries")).await;
    blocker
}

#[tokio::test]
async fn there_is_one_audit_at_a_time_and_that_of_a_dead_server_is_abandoned() {
    let databases = Databases::start().await;
    let (mut dying, other) = (Server::start(&databases).await, Server::start(&databases).await);
    let id = Uuid::now_v7();
    let blocker = standing(&databases, &dying, id).await;
    match other.client.start_audit(Uuid::now_v7(), false).await {
        Err(ClientError::Rejected(problem)) => {
            assert_eq!((problem.code.as_str(), problem.retry.as_str()), ("audit_running", "same_id"));
            assert!(problem.detail.contains(&id.to_string()), "{problem:?}");
        }
        other => panic!("{other:?}"),
    }
    // Money moves beside it.
    let (az, tx) = (open(&other.client, "AZ", 100).await, open(&other.client, "TX", 0).await);
    assert_posted(other.client.transfer(&pay(az, tx, 10)).await);
    dying.kill();
    assert!(other.client.full_audit(id).await.unwrap().is_running(), "nobody knows yet");
    let abandoned = until(&other.client, id, Duration::from_secs(20), |audit| !audit.is_running()).await;
    assert_eq!(abandoned.state, "abandoned");
    assert!(abandoned.reason.is_some() && abandoned.finished_at.is_some(), "{abandoned:?}");
    blocker.batch_execute("rollback").await.unwrap();
    assert_balanced(&other.client, false).await;
    assert_eq!(other.client.start_audit(id, false).await.unwrap().state, "abandoned", "the id is used up");
    databases.finish().await;
}

#[tokio::test]
async fn a_server_that_stood_still_gives_its_audit_up() {
    let databases = Databases::start().await;
    let (standing_still, other) = (Server::start(&databases).await, Server::start(&databases).await);
    let id = Uuid::now_v7();
    let blocker = standing(&databases, &standing_still, id).await;
    standing_still.pause();
    until(&other.client, id, Duration::from_secs(20), |audit| audit.state == "abandoned").await;
    blocker.batch_execute("rollback").await.unwrap();
    assert_balanced(&other.client, false).await;
    standing_still.resume();
    assert_balanced(&standing_still.client, false).await;
    assert_eq!(other.client.full_audit(id).await.unwrap().state, "abandoned");
    assert_eq!(databases.value("AZ", "select count(*) from audit where state = 'running'").await, "0");
    databases.finish().await;
}

#[tokio::test]
async fn a_shutdown_ends_an_audit_and_its_statements() {
    let databases = Databases::start().await;
    let (mut stopped, other) = (Server::start(&databases).await, Server::start(&databases).await);
    let id = Uuid::now_v7();
    let blocker = standing(&databases, &stopped, id).await;
    let begin = Instant::now();
    assert_eq!(stopped.stop(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    let ended = other.client.full_audit(id).await.unwrap();
    assert_eq!((ended.state.as_str(), ended.reason.as_deref()), ("abandoned", Some("its server was stopped")));
    let waiting = "select count(*) from pg_locks where relation = 'audit_segment'::regclass and not granted";
    while databases.value("TX", waiting).await != "0" {
        assert!(begin.elapsed() < Duration::from_secs(10), "its statement still waits");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    blocker.batch_execute("rollback").await.unwrap();
    assert_balanced(&other.client, false).await;
    databases.finish().await;
}

#[tokio::test]
async fn a_snapshot_ends_with_the_host_that_holds_it_and_not_with_a_stream_that_waits() {
    let databases = Databases::start().await;
    let session = databases.login("AZ").await;
    // A stream with a full window is no host that vanished, whatever the database is set to.
    session.batch_execute("set role nostro_commit; set tcp_user_timeout = '10s'").await.unwrap();
    audit_rows::prepare(&session).await.unwrap();
    for (setting, expected) in [
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "0"),
        ("client_connection_check_interval", "1s"),
        ("idle_in_transaction_session_timeout", "2h"),
    ] {
        let found: String = session.query_one(&format!("show {setting}"), &[]).await.unwrap().get(0);
        assert_eq!(found, expected, "{setting}");
    }
    databases.finish().await;
}
