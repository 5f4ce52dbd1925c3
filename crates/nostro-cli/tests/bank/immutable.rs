//! What was written stays as it is: the server's role may write no more than the reference grants it, and the owner and
//! a superuser are stopped by the triggers.
//!
//! Every column of every table is tried, as `pg_catalog` has them, so that a new one is not forgotten. A statement must
//! be refused for the reason that is meant: one that is misspelt proves nothing.

use nostro_client::ChangeRequest;
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, open, pay, reserve, undo};
use nostro_torture::server::Server;
use std::collections::BTreeMap;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

/// A table and some of its columns.
type Columns = (&'static str, &'static [&'static str]);

/// What the server's role may update: nothing else of these tables, and nothing of the others.
const UPDATED: [Columns; 7] = [
    (
        "account",
        &[
            "balance",
            "held",
            "overdraft_limit",
            "seq",
            "state",
            "last_posted_at",
            "last_transfer",
            "ceiling",
            "limit_exceeded",
        ],
    ),
    ("audit", &["state", "heartbeat_at", "finished_at", "progress", "reason", "batches_in_flight", "notes"]),
    ("batch", &["touched"]),
    ("batch_number", &["next"]),
    ("hold", &["captured", "released", "state", "ended_at"]),
    ("participation", &["touched"]),
    ("reversal", &["reversed"]),
];

/// Where the server's role may insert, and the columns that it may write; any, where none is named.
const INSERTED: [Columns; 12] = [
    ("account", &[]),
    ("account_change", &[]),
    ("audit", &[]),
    ("audit_branch", &[]),
    ("audit_finding", &[]),
    ("batch", &["id", "outcome", "home", "parts"]),
    ("batch_net", &["batch", "counterparty", "currency", "amount", "hash"]),
    ("customer", &[]),
    ("hold", &[]),
    ("participation", &["batch", "outcome", "home", "parts"]),
    ("reversal", &[]),
    ("transfer", &[]),
];

/// The journal, and what of it changes.
const JOURNAL: [Columns; 7] = [
    ("account_change", &[]),
    ("batch", &["touched"]),
    ("batch_net", &[]),
    ("hold", &["captured", "released", "state", "ended_at", "due_at"]),
    ("participation", &["touched"]),
    ("reversal", &["reversed"]),
    ("transfer", &[]),
];

/// Every table, partitions among them, with its columns.
async fn tables(admin: &Client) -> BTreeMap<String, Vec<String>> {
    let columns = "select c.relname::text, array_agg(a.attname::text order by a.attnum)
                   from pg_class c
                   join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
                   group by c.relname";
    let rows = admin.query(columns, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// With which SQLSTATE a statement is refused, and what is said.
async fn refusal(client: &Client, statement: &str) -> (SqlState, String) {
    match client.batch_execute(statement).await {
        Ok(()) => panic!("allowed: {statement}"),
        Err(error) => match error.as_db_error() {
            Some(refused) => (refused.code().clone(), refused.message().to_owned()),
            None => panic!("{statement}: {error}"),
        },
    }
}

/// For lack of a right, before any trigger.
async fn denied(login: &Client, statement: &str) {
    let (state, said) = refusal(login, statement).await;
    assert_eq!(state, SqlState::INSUFFICIENT_PRIVILEGE, "{statement}: {said}");
    assert!(said.starts_with("permission denied") || said.starts_with("must be owner of"), "{statement}: {said}");
}

/// By the journal's trigger on this table, or on a partition of it.
async fn stopped(admin: &Client, operation: &str, table: &str, statement: &str) {
    let (state, said) = refusal(admin, statement).await;
    assert_eq!(state, SqlState::INSUFFICIENT_PRIVILEGE, "{statement}: {said}");
    let begins = said.starts_with(&format!("{operation} of {table}"));
    assert!(begins && said.ends_with("rows of the journal are never changed or deleted"), "{statement}: {said}");
}

/// No row of a table may go, and only what is listed may be written.
async fn nothing_else_is_written(login: &Client, table: &str, columns: &[String]) {
    denied(login, &format!("delete from {table}")).await;
    denied(login, &format!("truncate {table}")).await;
    let listed = |lists: &[Columns]| lists.iter().find(|(name, _)| *name == table).map(|(_, columns)| *columns);
    let updated = listed(&UPDATED).unwrap_or_default();
    for column in columns {
        if updated.contains(&column.as_str()) {
            let statement = format!("update {table} set {column} = {column} where false");
            login.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        } else {
            denied(login, &format!("update {table} set {column} = default")).await;
        }
    }
    match listed(&INSERTED) {
        None => denied(login, &format!("insert into {table} default values")).await,
        Some([]) => {}
        Some(written) => {
            for column in columns.iter().filter(|column| !written.contains(&column.as_str())) {
                denied(login, &format!("insert into {table} ({column}) values (default)")).await;
            }
        }
    }
}

#[tokio::test]
async fn history_is_immutable_for_the_servers_role() {
    let databases = Databases::start().await;
    for code in ["AZ", "TX"] {
        let tables = tables(&databases.admin(code).await).await;
        let named = UPDATED.iter().chain(&INSERTED).map(|(table, _)| *table);
        let lacking: Vec<&str> = named.chain(["transfer_other"]).filter(|table| !tables.contains_key(*table)).collect();
        assert_eq!(lacking, Vec::<&str>::new(), "no such table at {code}");
        let login = databases.login(code).await;
        // Before it takes the role it may do nothing at all.
        denied(&login, "select * from transfer").await;
        login.batch_execute("set role nostro_commit").await.unwrap();
        for (table, columns) in &tables {
            nothing_else_is_written(&login, table, columns).await;
        }
        for statement in [
            "alter table transfer disable trigger all",
            "drop trigger transfer_is_immutable on transfer",
            "drop table transfer",
            "create table loot (id integer)",
            "select setval('account_serial', 1042)",
            "select make_transfer_partition(209901)",
            "select detach_transfer_period(202301)",
            "select forget_audited_period(202301)",
            "set session_replication_role = replica",
            "set role nostro_owner",
            "set session authorization postgres",
        ] {
            denied(&login, statement).await;
        }
    }
    databases.finish().await;
}

/// Leaves rows in every table of the journal, at both branches.
async fn write_journal(databases: &Databases, server: &Server) {
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 1_000).await);
    for (from, to) in [(az, tx), (tx, az)] {
        let original = pay(from, to, 300);
        assert_posted(client.transfer(&original).await);
        assert_posted(client.reverse(original.id, None, &undo(None)).await);
        assert_posted(client.place_hold(&reserve(from, to, 100, None)).await);
        let change = ChangeRequest { id: Uuid::now_v7(), ceiling: Some("5000".into()), ..ChangeRequest::default() };
        client.change_account(from, &change).await.unwrap();
    }
    // Home is Arizona whichever side pays, so tombstones stand where it is the other way round.
    let decided = "insert into batch (id, outcome) values ('TX-1-999999', 'aborted')";
    databases.sql("TX", decided).await;
    let marked = "insert into participation (batch, outcome, home, parts)
                  values ('TX-1-999999', 'aborted', 'TX', '{AZ,TX}')";
    databases.sql("AZ", marked).await;
}

#[tokio::test]
async fn history_is_immutable_for_its_owner_and_a_superuser() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    write_journal(&databases, &server).await;
    for code in ["AZ", "TX"] {
        let admin = databases.admin(code).await;
        let tables = tables(&admin).await;
        for role in ["nostro_owner", "none"] {
            admin.batch_execute(&format!("set role {role}")).await.unwrap();
            for (table, changing) in JOURNAL {
                // A trigger of a row is silent where there is none.
                let rows: i64 = admin.query_one(&format!("select count(*) from {table}"), &[]).await.unwrap().get(0);
                assert!(rows > 0, "{code} has no row in {table}");
                stopped(&admin, "DELETE", table, &format!("delete from {table}")).await;
                stopped(&admin, "TRUNCATE", table, &format!("truncate {table}")).await;
                for column in tables[table].iter().filter(|column| !changing.contains(&column.as_str())) {
                    stopped(&admin, "UPDATE", table, &format!("update {table} set {column} = default")).await;
                }
            }
            let partitions = tables.keys().filter(|name| name.starts_with("transfer_") && *name != "transfer_period");
            for partition in partitions {
                stopped(&admin, "TRUNCATE", partition, &format!("truncate {partition}")).await;
            }
        }
    }
    assert!(server.client.audit().await.unwrap().balanced);
    databases.finish().await;
}
