//! Nostro positions as opening plus what came since: the same figure as the sum over everything, in every
//! snapshot, whoever rolls up and whatever is in flight; and cheap to read.

use crate::past;
use nostro_store::totals::{POSITIONS, ROLLED_UP_TO};
use nostro_torture::databases::Databases;
use nostro_torture::money::{open, pay, told};
use nostro_torture::program::run;
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

const ROLL_UP: &str = "select roll_up_positions()::text";

/// No recovery and no help by others while a test looks.
const PATIENT: &str = "recovery_age_ms = 600000\n";

/// What the server's role may do.
async fn server_role(databases: &Databases, code: &str) -> Client {
    let client = databases.login(code).await;
    client.batch_execute("set role nostro_commit; set statement_timeout = '10s'").await.unwrap();
    client
}

async fn sums(client: &Client, query: &str, up_to: Option<&String>) -> BTreeMap<(String, String), String> {
    let rows = match up_to {
        Some(up_to) => client.query(query, &[up_to]).await,
        None => client.query(query, &[]).await,
    };
    rows.unwrap().iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
}

/// The positions in one snapshot, after they were compared with the sum from the beginning.
async fn exact(client: &Client) -> BTreeMap<(String, String), String> {
    client.batch_execute("begin isolation level repeatable read read only").await.unwrap();
    let up_to: String = client.query_one(ROLLED_UP_TO, &[]).await.unwrap().get(0);
    let positions = sums(client, POSITIONS, Some(&up_to)).await;
    let naive = "select counterparty, currency, sum(amount)::text from batch_net group by counterparty, currency";
    assert_eq!(positions, sums(client, naive, None).await, "rolled up to {up_to}");
    client.batch_execute("rollback").await.unwrap();
    positions
}

/// Up to which transaction it rolled up; `None` if somebody else was at it.
async fn roll_up(client: &Client) -> Option<u64> {
    let up_to: Option<String> = client.query_one(ROLL_UP, &[]).await.unwrap().get(0);
    up_to.map(|up_to| up_to.parse().unwrap())
}

#[tokio::test]
async fn a_batch_that_was_prepared_across_roll_ups_is_counted_when_it_commits() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    let mut dying = Server::start_through(&databases, &[("TX", &proxy)]).await;
    let (az, tx) = (open(&dying.client, "AZ", 1_000_000).await, open(&dying.client, "TX", 1_000_000).await);
    let (other_az, other_tx) = (open(&dying.client, "AZ", 1_000_000).await, open(&dying.client, "TX", 1_000_000).await);
    let mut held = proxy.hold("commit prepared", Hold::Message);
    let (client, sent) = (dying.client.clone(), pay(az, tx, 100));
    let asking = tokio::spawn(async move { told(&client.transfer(&sent).await) });
    held.reached().await;
    dying.kill();
    held.cut();
    assert_eq!(asking.await.unwrap(), "unknown");
    let gid = databases.value("TX", "select gid from pg_prepared_xacts").await;
    let prepared: u64 = databases.value("TX", "select transaction from pg_prepared_xacts").await.parse().unwrap();
    let server = Server::start_with_setting(&databases, PATIENT).await;
    let roller = server_role(&databases, "TX").await;
    for cents in [1, 20, 300] {
        nostro_torture::money::assert_posted(server.client.transfer(&pay(other_az, other_tx, cents)).await);
        nostro_torture::money::assert_posted(server.client.transfer(&pay(other_tx, other_az, 7)).await);
        assert!(roll_up(&roller).await.unwrap() <= prepared, "what is prepared can still come");
        exact(&roller).await;
        assert!(server.client.audit().await.unwrap().balanced);
    }
    let before = exact(&roller).await;
    assert_eq!(before[&("AZ".to_owned(), "USD".to_owned())], "-300", "7 x 3 - 321");
    let batch = gid.split(':').collect::<Vec<_>>()[2..5].join("-");
    assert!(server.client.resolve_in_doubt(&batch).await.unwrap().finished);
    let after = exact(&roller).await;
    assert_eq!(after[&("AZ".to_owned(), "USD".to_owned())], "-400");
    assert!(roll_up(&roller).await.unwrap() > prepared);
    assert_eq!(exact(&roller).await, after);
    let opening = "select amount from position_opening where counterparty = 'AZ' and currency = 'USD'";
    assert_eq!(databases.value("TX", opening).await, "-400", "all of it is in the opening now");
    let report = server.client.audit().await.unwrap();
    assert!(report.balanced, "{report:?}");
    databases.finish().await;
}

#[tokio::test]
async fn positions_are_exact_while_two_roll_up_and_many_pay() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push((open(&server.client, "AZ", 1_000_000).await, open(&server.client, "TX", 1_000_000).await));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut rollers = Vec::new();
    for code in ["AZ", "AZ", "TX", "TX"] {
        let (client, stop) = (server_role(&databases, code).await, Arc::clone(&stop));
        rollers.push(tokio::spawn(async move {
            let (mut done, mut last) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                if let Some(up_to) = roll_up(&client).await {
                    assert!(up_to >= last, "it never goes back");
                    (done, last) = (done + 1, up_to);
                }
            }
            done
        }));
    }
    let mut payers = Vec::new();
    for (at, (az, tx)) in accounts.into_iter().enumerate() {
        let (client, stop) = (server.client.clone(), Arc::clone(&stop));
        payers.push(tokio::spawn(async move {
            let mut posted = 0;
            while !stop.load(Ordering::Relaxed) {
                let request = if posted % 3 == at % 3 { pay(tx, az, 3) } else { pay(az, tx, 10) };
                nostro_torture::money::until_final(&client, &request).await;
                posted += 1;
            }
            posted
        }));
    }
    let readers = [server_role(&databases, "AZ").await, server_role(&databases, "TX").await];
    let begin = Instant::now();
    let mut looks = 0;
    while begin.elapsed() < Duration::from_secs(5) {
        for reader in &readers {
            exact(reader).await;
            looks += 1;
        }
        if looks % 20 == 0 {
            assert!(server.client.audit().await.unwrap().balanced);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (mut posted, mut rolled) = (0, Vec::new());
    for payer in payers {
        posted += payer.await.unwrap();
    }
    for roller in rollers {
        rolled.push(roller.await.unwrap());
    }
    println!("{posted} payments, roll-ups {rolled:?}, {looks} looks");
    assert!(posted > 20 && looks > 20 && rolled.iter().all(|done| *done > 5), "{posted} {looks} {rolled:?}");
    for reader in &readers {
        exact(reader).await;
    }
    assert!(server.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn whoever_comes_second_leaves_the_roll_up_to_the_first() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    // The server itself rolls up soon after its start, at every branch.
    for code in ["AZ", "TX"] {
        let begin = Instant::now();
        while databases.value(code, "select rolled_up_at > now() - interval '1 minute' from position_roll_up").await
            != "true"
        {
            assert!(begin.elapsed() < Duration::from_secs(5), "nobody rolls up at {code}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    nostro_torture::money::assert_posted(server.client.transfer(&pay(az, tx, 100)).await);
    let (first, second) = (server_role(&databases, "AZ").await, server_role(&databases, "AZ").await);
    first.batch_execute("begin").await.unwrap();
    assert!(roll_up(&first).await.is_some());
    assert_eq!(roll_up(&second).await, None, "at once");
    exact(&second).await;
    first.batch_execute("commit").await.unwrap();
    exact(&second).await;
    assert!(roll_up(&second).await.is_some());
    let up_to: String = first.query_one(ROLLED_UP_TO, &[]).await.unwrap().get(0);
    assert_eq!(exact(&second).await[&("TX".to_owned(), "USD".to_owned())], "100", "counted once, up to {up_to}");
    // A database that was loaded from a dump counts its transactions from below.
    databases.sql("AZ", "update position_roll_up set up_to = '1000000000'").await;
    let refused = second.query_one(ROLL_UP, &[]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "55000", "{refused:?}");
    databases.sql("AZ", "truncate position_opening; update position_roll_up set up_to = '0'").await;
    exact(&second).await;
    assert!(roll_up(&second).await.is_some());
    exact(&second).await;
    databases.finish().await;
}

#[tokio::test]
async fn the_servers_role_cannot_write_positions_by_itself() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    nostro_torture::money::assert_posted(server.client.transfer(&pay(az, tx, 100)).await);
    let net = "insert into batch_net (batch, counterparty, currency, amount, hash";
    for code in ["AZ", "TX"] {
        let client = server_role(&databases, code).await;
        for statement in [
            &format!("{net}, xid) values ('AZ-1-999', 'TX', 'USD', 1, sha256('x'), '1')"),
            "update batch_net set xid = '1'",
            "insert into position_opening values ('NV', 'USD', 1)",
            "update position_opening set amount = 1",
            "delete from position_opening",
            "truncate position_opening",
            "insert into position_roll_up values (true, '1')",
            "update position_roll_up set up_to = '1'",
            "delete from position_roll_up",
            "truncate position_roll_up",
            "alter function roll_up_positions set search_path = pg_temp",
            "drop function roll_up_positions",
            "create temporary table batch_net (xid xid8)",
            // And of the decisions and markers.
            "truncate batch",
            "truncate participation",
            "update batch set id = 'AZ-1-0'",
            "update batch set parts = '{}'",
            "update batch set xid = '1'",
            "update batch set decided_at = now()",
            "update participation set batch = 'AZ-1-0'",
            "update participation set parts = '{}'",
            "update participation set xid = '1'",
            "delete from batch where outcome = 'aborted'",
            "delete from participation where outcome = 'aborted'",
        ] {
            let refused = client.batch_execute(statement).await.expect_err(statement);
            assert_eq!(refused.code().unwrap().code(), "42501", "{code}: {statement}: {refused:?}");
        }
        let allowed = format!("begin; {net}) values ('AZ-1-999', 'TX', 'USD', 1, sha256('x')); {ROLL_UP}; rollback");
        client.batch_execute(&allowed).await.unwrap();
    }
    // The triggers stop the owner, table by table, where there is a row.
    for (code, table) in [("AZ", "batch"), ("TX", "participation")] {
        let owner = databases.admin(code).await;
        owner.batch_execute("set role nostro_owner").await.unwrap();
        for statement in [
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("update {table} set outcome = 'aborted'"),
            format!("update {table} set xid = '1'"),
            format!("update {table} set parts = '{{}}'"),
        ] {
            let refused = owner.batch_execute(&statement).await.expect_err(&statement);
            assert_eq!(refused.code().unwrap().code(), "42501", "{code}: {statement}: {refused:?}");
        }
    }
    let function = "select prosecdef::text || ' ' || proowner::regrole || ' ' || proconfig::text || ' ' || proacl::text
                    from pg_proc where proname = 'roll_up_positions'";
    assert_eq!(
        databases.value("AZ", function).await,
        "true nostro_owner {\"search_path=public, pg_temp\"} {nostro_owner=X/nostro_owner,nostro_commit=X/nostro_owner}"
    );
    databases.finish().await;
}

#[tokio::test]
async fn a_position_over_many_nets_reads_few_rows() {
    let databases = Databases::start().await;
    let admin = databases.admin("AZ").await;
    admin
        .batch_execute(
            "do $$
             begin
               for round in 1..200 loop
                 insert into batch_net (batch, counterparty, currency, amount, hash)
                 select 'AZ-9-' || round || '-' || row, 'TX', 'USD', row - 500, sha256('x') from generate_series(1, 1000) row;
                 commit;
               end loop;
             end $$",
        )
        .await
        .unwrap();
    assert!(roll_up(&admin).await.is_some());
    admin
        .batch_execute(
            "insert into batch_net (batch, counterparty, currency, amount, hash)
             select 'AZ-10-' || row, 'TX', 'USD', row, sha256('x') from generate_series(1, 50) row",
        )
        .await
        .unwrap();
    // Whether autovacuum has been there or not.
    for statistics in ["select 1", "analyze batch_net"] {
        admin.batch_execute(statistics).await.unwrap();
        let begin = Instant::now();
        assert_eq!(exact(&admin).await.len(), 1);
        let naive_too = begin.elapsed();
        let up_to: String = admin.query_one(ROLLED_UP_TO, &[]).await.unwrap().get(0);
        let plan = explain(&admin, &up_to).await;
        assert!(plan.contains("batch_net_xid") && !plan.contains("Seq Scan on batch_net"), "{plan}");
        let read = plan.lines().find(|line| line.contains("batch_net_xid")).unwrap();
        assert!(read.contains("rows=50 "), "{plan}");
        println!("with the naive sum {naive_too:?}\n{plan}");
    }
    // The same question without an opening reads everything.
    let all = explain(&admin, &"0".to_owned()).await;
    assert!(all.contains("rows=200050 "), "{all}");
}

async fn explain(client: &Client, up_to: &String) -> String {
    let question = format!("explain (analyze, costs off, timing off, buffers off) {POSITIONS}");
    let rows = client.query(&question, &[up_to]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect()
}

#[tokio::test]
async fn nets_from_before_the_migration_are_in_the_position() {
    let databases = Databases::start().await;
    past::take_back(&databases, "AZ", 1, 2).await;
    let admin = databases.admin("AZ").await;
    let nets =
        "insert into batch_net values ('AZ-1-1', 'TX', 'USD', 5, sha256('x')), ('AZ-1-2', 'TX', 'USD', 7, sha256('x'))";
    admin.batch_execute(nets).await.unwrap();
    // A batch in flight is waited for by trying again, not by a lock request that stops everybody else.
    let busy = databases.admin("AZ").await;
    busy.batch_execute("begin; insert into batch_net values ('AZ-1-3', 'TX', 'USD', 30, sha256('x'))").await.unwrap();
    let config = databases.config(&BTreeMap::new());
    let migrating = tokio::task::spawn_blocking(move || run(&["migrate", "--config", config.to_str().unwrap()]));
    let begin = Instant::now();
    while !databases.log("AZ").contains("canceling statement due to lock timeout") {
        assert!(begin.elapsed() < Duration::from_secs(20), "the migration was not tried");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    busy.batch_execute("commit").await.unwrap();
    let migrated = migrating.await.unwrap();
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let expected = BTreeMap::from([(("TX".to_owned(), "USD".to_owned()), "42".to_owned())]);
    assert_eq!(exact(&admin).await, expected);
    assert!(roll_up(&admin).await.is_some());
    assert_eq!(exact(&admin).await, expected);
    assert_eq!(databases.value("AZ", "select amount from position_opening").await, "42");
}

#[tokio::test]
async fn openings_from_a_dump_of_another_cluster_are_not_used() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    // As after a dump was loaded: a border beyond every transaction of this cluster.
    databases.sql("AZ", "update position_roll_up set up_to = '99999999999'").await;
    assert_eq!(told(&server.client.transfer(&pay(az, tx, 100)).await), "posted");
    let report = server.client.audit().await.unwrap();
    assert!(report.balanced, "{report:?}");
    assert!(report.branches.iter().any(|line| line.positions == 100), "{report:?}");
    databases.finish().await;
}
