//! The tables against their rules, read from `pg_catalog`.

use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, open, pay};
use nostro_torture::server::Server;

/// The rows of a query, joined.
async fn found(databases: &Databases, query: &str) -> Vec<String> {
    let rows = databases.admin("AZ").await.query(query, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn the_tables_keep_their_rules() {
    let databases = Databases::start().await;
    let columns = "from information_schema.columns c join pg_class t on t.relname = c.table_name and t.relkind in ('r', 'p') and not t.relispartition
                   where c.table_schema = 'public'";
    let money = format!(
        "select c.table_name || '.' || c.column_name {columns}
         and c.column_name ~ '(amount|balance|held|limit|ceiling)' and c.data_type <> 'bigint' and c.column_name <> 'limit_exceeded'"
    );
    assert_eq!(found(&databases, &money).await, Vec::<String>::new(), "money that is not a bigint");
    let nullable =
        format!("select c.table_name || '.' || c.column_name {columns} and c.is_nullable = 'YES' order by 1");
    assert_eq!(
        found(&databases, &nullable).await,
        [
            "account.ceiling",
            "account.customer",
            "account.last_posted_at",
            "account.last_transfer",
            "account.request_id",
            "account_change.ceiling_after",
            "account_change.ceiling_before",
            "account_change.reason",
            "audit.finished_at",
            "audit.reason",
            "audit_batch.contents",
            "audit_batch.hash",
            "audit_hold.expires_at",
            "audit_hold.placed_at",
            "audit_segment.first_previous",
            "batch.decided_at",
            "batch.home",
            "batch.parts",
            "batch.touched",
            "batch.xid",
            "hold.due_at",
            "hold.ended_at",
            "hold.expires_at",
            "participation.touched",
            "transfer.asked",
            "transfer.chain",
            "transfer.chain_length",
            "transfer.chain_position",
            "transfer.credit_balance_after",
            "transfer.credit_previous",
            "transfer.credit_seq",
            "transfer.debit_balance_after",
            "transfer.debit_previous",
            "transfer.debit_seq",
            "transfer.expires_at",
            "transfer.hold",
            "transfer.is_final",
            "transfer.is_forced",
            "transfer.original",
            "transfer.reference",
            "transfer.refusal",
            "transfer_period.detached_at",
        ],
        "nullable by accident"
    );
    let keyless = "select relname::text from pg_class t where relkind = 'r' and relnamespace = 'public'::regnamespace
                   and not exists (select from pg_constraint where conrelid = t.oid and contype = 'p')";
    assert_eq!(found(&databases, keyless).await, Vec::<String>::new(), "without a primary key");
    let silent =
        "select relname::text from pg_class where relkind in ('r', 'p', 'v') and relnamespace = 'public'::regnamespace
                  and obj_description(oid) is null";
    assert_eq!(found(&databases, silent).await, Vec::<String>::new(), "without a comment");
    let unnamed = "select conname::text from pg_constraint
                   where connamespace = 'public'::regnamespace and conname ~ '_check[0-9]*$'";
    assert_eq!(found(&databases, unnamed).await, Vec::<String>::new(), "a constraint that PostgreSQL had to name");
    let owners = "select relname::text from pg_class where relnamespace = 'public'::regnamespace
                  and relkind in ('r', 'p', 'v', 'S') and relowner <> 'nostro_owner'::regrole";
    assert_eq!(found(&databases, owners).await, Vec::<String>::new(), "not the owner's");
    let roles = "select rolname::text from pg_roles where rolname ~ '^nostro' and
                 (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or (rolcanlogin and rolname <> 'nostro'))";
    assert_eq!(found(&databases, roles).await, Vec::<String>::new(), "a role with more rights than it needs");
}

#[tokio::test]
async fn debits_equal_credits_in_the_entries_of_each_branch() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    assert_posted(server.client.transfer(&pay(az, tx, 300)).await);
    let sums = "select sum(case side when 'debit' then -amount else amount end) from entry";
    for code in ["AZ", "TX"] {
        assert_eq!(databases.value(code, sums).await, "0", "double entry at {code}");
    }
    databases.finish().await;
}
