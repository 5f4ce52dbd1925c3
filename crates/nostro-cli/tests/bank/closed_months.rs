//! Months that are past: an audit keeps what they come to, once and only what is right, and reads them no more.

use crate::full_audit::{assert_balanced, full};
use crate::tampering::{key, tamper};
use nostro_client::{Client, FullAudit};
use nostro_core::AccountNumber;
use nostro_store::audit_periods;
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, open, pay, undo};
use nostro_torture::server::Server;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A month of long ago: ten transfers inside Arizona, one to Texas, as they would stand there.
async fn old_month(databases: &Databases, from: AccountNumber, to: AccountNumber, abroad: AccountNumber) {
    let (from, to, abroad) = (key(from), key(to), key(abroad));
    let old = "(lpad(to_hex(1700000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid";
    let id = |n: &str| old.replace(" + n)", &format!(" + {n})")).replace("to_hex(n)", &format!("to_hex({n})"));
    let columns = "id, period, kind, debit, credit, amount, currency, category, batch, posted_at";
    let posted_at = "'2023-11-14 22:13:20+00'";
    let abroad_row =
        format!("{}, 202311, 'transfer', {from}, {abroad}, 7, 'USD', 0, 'AZ-1-900002', {posted_at}", id("11::bigint"));
    let hash = format!(
        "sha256(uuid_send({}) || int8send({from}) || int8send({abroad}) || int8send(7) || 'USD'::bytea)",
        id("11::bigint")
    );
    let az = format!(
        "select make_transfer_partition(202311);
         insert into batch (id, outcome, home, parts, decided_at)
         values ('AZ-1-900001', 'committed', 'AZ', '{{AZ}}', {posted_at}), ('AZ-1-900002', 'committed', 'AZ', '{{AZ,TX}}', {posted_at});
         insert into transfer ({columns}, debit_balance_after, debit_seq, debit_previous, credit_balance_after, credit_seq, credit_previous)
         select {}, 202311, 'transfer', {from}, {to}, 10, 'USD', 0, 'AZ-1-900001', {posted_at},
           -10 * n, n, case when n > 1 then {} end, 10 * n, n, case when n > 1 then {} end
         from generate_series(1, 10::bigint) n;
         insert into transfer ({columns}, debit_balance_after, debit_seq, debit_previous)
         values ({abroad_row}, -107, 11, {});
         insert into batch_net (batch, counterparty, currency, amount, hash) values ('AZ-1-900002', 'TX', 'USD', 7, {hash});
         update account set overdraft_limit = 1000, opened_limit = 1000, balance = -107, seq = 11, last_transfer = {} where id = {from};
         update account set balance = 100, seq = 10, last_transfer = {} where id = {to}",
        id("n"),
        id("(n - 1)"),
        id("(n - 1)"),
        id("10::bigint"),
        id("11::bigint"),
        id("10::bigint"),
    );
    databases.sql("AZ", &az).await;
    let tx = format!(
        "select make_transfer_partition(202311);
         insert into participation (batch, outcome, home, parts, written_at)
         values ('AZ-1-900002', 'committed', 'AZ', '{{AZ,TX}}', {posted_at});
         insert into transfer ({columns}, credit_balance_after, credit_seq, credit_previous)
         values ({abroad_row}, 7, 1, null);
         insert into batch_net (batch, counterparty, currency, amount, hash) values ('AZ-1-900002', 'AZ', 'USD', -7, {hash});
         update account set balance = 7, seq = 1, last_transfer = {} where id = {abroad}",
        id("11::bigint"),
    );
    databases.sql("TX", &tx).await;
}

/// An account that pays, one that is paid, and one of the other branch, with a month of long ago.
async fn with_an_old_month(databases: &Databases, client: &Client) -> [AccountNumber; 3] {
    let (from, to, abroad) = (open(client, "AZ", 0).await, open(client, "AZ", 0).await, open(client, "TX", 0).await);
    old_month(databases, from, to, abroad).await;
    [from, to, abroad]
}

/// Of a branch: partitions read, and known from before.
fn periods(audit: &FullAudit, branch: &str) -> (u32, u32) {
    let looked = audit.branches.iter().find(|looked| looked.branch == branch).unwrap();
    (looked.periods_read, looked.periods_known)
}

#[tokio::test]
async fn a_closed_month_is_read_once_and_again_from_scratch_only() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let [from, to, abroad] = with_an_old_month(&databases, client).await;
    // Histories go on beyond the month.
    assert_posted(client.transfer(&pay(abroad, from, 3)).await);
    assert_posted(client.transfer(&pay(to, abroad, 30)).await);
    let first = assert_balanced(client, false).await;
    let (all, _) = periods(&first, "AZ");
    assert_eq!((periods(&first, "AZ").1, periods(&first, "TX").1), (0, 0));
    let second = assert_balanced(client, false).await;
    assert_eq!(periods(&second, "AZ"), (all - 1, 1));
    assert_eq!(periods(&second, "TX").1, 1);
    let entries = |audit: &FullAudit| audit.branches.iter().map(|looked| looked.entries).sum::<u64>();
    assert_eq!(entries(&first), entries(&second), "what was kept stands for the same entries");
    assert_eq!(databases.value("AZ", "select string_agg(period::text, ' ') from audit_period").await, "202311");
    // What is tampered with afterwards is found from scratch, and only then.
    let admin = databases.admin("AZ").await;
    let fifth = "period = 202311 and debit_seq = 5";
    tamper(&admin, &format!("update transfer set amount = 11 where {fifth}")).await;
    assert_balanced(client, false).await;
    let found = full(client, true).await;
    let rules: Vec<(&str, &str)> =
        found.findings.iter().map(|finding| (finding.rule.as_str(), finding.table.as_str())).collect();
    let expected = [("entry_balance", "transfer"), ("closed_month", "audit_segment")];
    assert!(expected.iter().all(|expected| rules.contains(expected)), "{found:?}");
    assert_eq!(periods(&found, "AZ"), (all, 0));
    tamper(&admin, &format!("update transfer set amount = 10 where {fifth}")).await;
    assert_balanced(client, true).await;
    // What was kept is what the archive is checked by.
    for code in ["AZ", "TX"] {
        databases.sql(code, "select detach_transfer_period(202311)").await;
    }
    let detached = assert_balanced(client, false).await;
    assert_eq!((periods(&detached, "AZ"), detached.notes.len()), ((all - 1, 1), 0));
    assert_eq!(entries(&detached), entries(&first));
    assert_balanced(client, true).await;
    // Without it the audit says that it does not know, and still checks what came after.
    databases.sql("AZ", "select forget_audited_period(202311)").await;
    let unknown = assert_balanced(client, false).await;
    assert_eq!(unknown.notes.len(), 1);
    assert!(unknown.notes[0].starts_with("AZ: 202311"), "{unknown:?}");
    databases.sql("AZ", &format!("update account set balance = balance + 1 where id = {}", key(from))).await;
    assert_eq!(full(client, false).await.state, "unbalanced");
    databases.sql("AZ", &format!("update account set balance = balance - 1 where id = {}", key(from))).await;
    databases.finish().await;
}

#[tokio::test]
async fn what_was_kept_without_contents_is_read_anew_unless_it_is_in_the_archive() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    with_an_old_month(&databases, client).await;
    assert_balanced(client, false).await;
    databases.sql("TX", "select detach_transfer_period(202311)").await;
    // As it was before, and what the migration makes of it.
    let contents = include_str!("../../../nostro-store/src/migrations/0013_contents.sql");
    for branch in ["AZ", "TX"] {
        databases.sql(branch, "alter table audit_batch rename column contents to kinds").await;
        databases.sql(branch, contents).await;
    }
    let kept_months = || async { (kept(&databases, "AZ").await.0, kept(&databases, "TX").await.0) };
    assert_eq!(kept_months().await, ("0".to_owned(), "1".to_owned()));
    assert_eq!(databases.value("TX", "select count(*) from audit_batch where contents is null").await, "1");
    // The archive's transfers are held against those that Arizona still has, as far as they are known.
    let audit = assert_balanced(client, false).await;
    assert_eq!(audit.notes, Vec::<String>::new());
    assert_eq!(kept_months().await, ("1".to_owned(), "1".to_owned()));
    databases.finish().await;
}

/// A connection that may do what the server may.
async fn as_the_server(databases: &Databases) -> tokio_postgres::Client {
    let client = databases.login("AZ").await;
    client.batch_execute("set role nostro_commit").await.unwrap();
    client
}

/// How many months are kept, and how many of their segments.
async fn kept(databases: &Databases, branch: &str) -> (String, String) {
    let months = databases.value(branch, "select count(*) from audit_period").await;
    (months, databases.value(branch, "select count(*) from audit_segment").await)
}

#[tokio::test]
async fn a_month_is_kept_at_neither_branch_of_a_finding() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    with_an_old_month(&databases, client).await;
    // Of the transfer between them nobody can say which branch has it right.
    let admin = databases.admin("TX").await;
    tamper(&admin, "update transfer set kind = 'reversal', original = id where period = 202311").await;
    let found = full(client, false).await;
    assert!(found.findings.iter().all(|finding| finding.branch == "TX"), "{found:?}");
    assert!(found.findings.iter().any(|finding| finding.rule == "transfer_sides"), "{found:?}");
    for branch in ["AZ", "TX"] {
        assert_eq!(kept(&databases, branch).await.0, "0", "{branch}");
    }
    tamper(&admin, "update transfer set kind = 'transfer', original = null where period = 202311").await;
    // The positions of the bank are nobody's, so nobody's month is kept.
    let one_more = "insert into position_opening values ('AZ', 'USD', 1)
        on conflict (counterparty, currency) do update set amount = position_opening.amount + 1";
    tamper(&admin, one_more).await;
    let found = full(client, false).await;
    assert!(
        found.findings.iter().any(|finding| (finding.branch.as_str(), finding.rule.as_str()) == ("all", "positions"))
    );
    for branch in ["AZ", "TX"] {
        assert_eq!(kept(&databases, branch).await.0, "0", "{branch}");
    }
    tamper(&admin, "update position_opening set amount = amount - 1").await;
    assert_balanced(client, false).await;
    for branch in ["AZ", "TX"] {
        assert_eq!(kept(&databases, branch).await.0, "1", "{branch}");
    }
    databases.finish().await;
}

#[tokio::test]
async fn a_month_that_is_taken_out_before_it_is_kept_is_not_kept() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    with_an_old_month(&databases, &server.client).await;
    let keeper = as_the_server(&databases).await;
    let pid: i32 = keeper.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let owner = databases.admin("AZ").await;
    owner.batch_execute("begin; select detach_transfer_period(202311)").await.unwrap();
    let keeping = tokio::spawn(async move { audit_periods::keep(&keeper, 202_311, Uuid::now_v7()).await });
    let waits = format!("select count(*) from pg_locks where pid = {pid} and not granted");
    let begin = Instant::now();
    while databases.value("AZ", &waits).await == "0" {
        assert!(!keeping.is_finished() && begin.elapsed() < Duration::from_secs(10), "it does not wait for the owner");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    owner.batch_execute("commit").await.unwrap();
    assert!(!keeping.await.unwrap().unwrap());
    assert_eq!(kept(&databases, "AZ").await, ("0".to_owned(), "0".to_owned()));
    let unknown = assert_balanced(&server.client, false).await;
    assert_eq!(unknown.notes.len(), 1, "nothing is known of it: {unknown:?}");
    databases.finish().await;
}

#[tokio::test]
async fn the_server_keeps_closed_months_as_they_are_and_nothing_else() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    with_an_old_month(&databases, &server.client).await;
    let keeper = as_the_server(&databases).await;
    let audit = Uuid::now_v7();
    let open_month: i32 = databases.value("AZ", "select max(period) from transfer_period").await.parse().unwrap();
    for period in [0, open_month, 209_912] {
        assert!(!audit_periods::keep(&keeper, period, audit).await.unwrap(), "{period}");
    }
    let writer = databases.admin("AZ").await;
    writer.batch_execute("begin; lock table transfer_202311 in row exclusive mode").await.unwrap();
    assert!(!audit_periods::keep(&keeper, 202_311, audit).await.unwrap(), "somebody has it open for writing");
    writer.batch_execute("rollback").await.unwrap();
    assert_eq!(kept(&databases, "AZ").await, ("0".to_owned(), "0".to_owned()));
    assert!(audit_periods::keep(&keeper, 202_311, audit).await.unwrap());
    assert_eq!(kept(&databases, "AZ").await, ("1".to_owned(), "2".to_owned()), "one run of each account");
    assert!(!audit_periods::keep(&keeper, 202_311, audit).await.unwrap(), "once");
    for statement in [
        "insert into audit_period (period, audit) values (202312, gen_random_uuid())",
        "insert into audit_reversal values (202311, gen_random_uuid(), 1, 2, 'USD', 5)",
        "update audit_segment set balance_after = 0",
        "delete from audit_batch",
        "select forget_audited_period(202311)",
    ] {
        let refused = keeper.batch_execute(statement).await.expect_err(statement);
        assert_eq!(refused.code().map(|code| code.code()), Some("42501"), "{statement}");
    }
    assert_balanced(&server.client, true).await;
    databases.finish().await;
}

#[tokio::test]
async fn what_was_reversed_of_a_kept_month_must_be_there_while_its_rows_are() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    with_an_old_month(&databases, client).await;
    let original: Uuid = databases.value("TX", "select id from transfer where period = 202311").await.parse().unwrap();
    assert_posted(client.reverse(original, None, &undo(Some(3))).await);
    assert_balanced(client, false).await;
    assert_eq!(periods(&assert_balanced(client, false).await, "TX").1, 1, "it is known");
    let admin = databases.admin("TX").await;
    let gone = "create table aside as select * from transfer where period = 202311; delete from transfer where period = 202311";
    tamper(&admin, gone).await;
    let found = full(client, false).await;
    let named = |finding: &nostro_client::AuditFinding| {
        finding.rule == "reversal_original" && finding.branch == "TX" && finding.key == original.to_string()
    };
    assert!(found.findings.iter().any(named), "{found:?}");
    tamper(&admin, "insert into transfer select * from aside; drop table aside").await;
    assert_balanced(client, false).await;
    databases.sql("TX", "select detach_transfer_period(202311)").await;
    assert_balanced(client, false).await;
    databases.finish().await;
}
