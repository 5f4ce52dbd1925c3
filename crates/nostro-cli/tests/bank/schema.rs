//! The tables against their rules, read from `pg_catalog`.

use nostro_torture::databases::Databases;

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
async fn the_database_itself_refuses_what_the_core_would_never_do() {
    let databases = Databases::start().await;
    let server = nostro_torture::server::Server::start(&databases).await;
    let rich = nostro_torture::money::open(&server.client, "AZ", 1_000).await;
    let empty = nostro_torture::money::open(&server.client, "AZ", 0).await;
    let admin = databases.admin("AZ").await;
    let number = nostro_core::BranchNumber::new(1).unwrap();
    let [key, empty] = [rich, empty].map(|account| account.key(number).as_i64());
    let transfer = "insert into transfer (id, period, kind, debit, credit, amount, currency, category, batch, posted_at, debit_seq, debit_balance_after)
                    values (gen_random_uuid(), 0, ";
    let of_hold = "insert into transfer (id, period, debit, credit, amount, currency, category, batch, posted_at, debit_seq, debit_balance_after, kind, hold, is_final, expires_at)
                   values (gen_random_uuid(), 0, 1, 2, 5, 'USD', 0, 'AZ-1-1', now(), ";
    let hold = "insert into hold (id, debit, credit, amount, currency, placed_at, captured, released, state, ended_at, expires_at)
                values (gen_random_uuid(), 1, ";
    let change = format!(
        "insert into account_change (id, account, asked, overdraft_limit_before, overdraft_limit_after, state_before, state_after, reason)
         values (gen_random_uuid(), {key}, "
    );
    let forced = "insert into transfer (id, period, debit, credit, amount, currency, category, batch, posted_at, debit_seq, debit_balance_after, kind, is_forced)
                  values (gen_random_uuid(), 0, 1, 2, 5, 'USD', 0, 'AZ-1-1', now(), 1, 5, ";
    let chain = "insert into transfer (id, period, debit, credit, amount, currency, category, batch, posted_at, debit_seq, debit_balance_after, kind, chain, chain_position, chain_length)
                 values ('8f14e45f-ceea-467f-9575-1f0a6b8c2d3e', 0, 1, 2, 5, 'USD', 0, 'AZ-1-1', now(), 1, 5, 'transfer', ";
    for (statement, constraint) in [
        (format!("{of_hold} 1, 5, 'hold', null, null, null)"), "transfer_sides"),
        (format!("{of_hold} 1, 5, 'release', gen_random_uuid(), null, null)"), "transfer_sides"),
        (format!("{of_hold} null, null, 'capture', gen_random_uuid(), true, null)"), "transfer_sides"),
        (format!("{of_hold} null, null, 'transfer', null, null, null)"), "transfer_sides"),
        (format!("{of_hold} 1, 5, 'capture', null, true, null)"), "transfer_kind"),
        (format!("{of_hold} 1, 5, 'capture', gen_random_uuid(), null, null)"), "transfer_kind"),
        (format!("{of_hold} 1, 5, 'transfer', gen_random_uuid(), null, null)"), "transfer_kind"),
        (format!("{of_hold} null, null, 'hold', gen_random_uuid(), null, null)"), "transfer_kind"),
        (format!("{of_hold} null, null, 'release', gen_random_uuid(), true, null)"), "transfer_kind"),
        (format!("{of_hold} null, null, 'expiry', null, null, null)"), "transfer_kind"),
        (format!("{of_hold} 1, 5, 'reversal', null, null, null)"), "transfer_kind"),
        ("insert into reversal values (gen_random_uuid(), 5, 6)".into(), "reversal_reversed"),
        ("insert into reversal values (gen_random_uuid(), 5, 0)".into(), "reversal_reversed"),
        (format!("{hold} 2, 0, 'USD', now(), 0, 0, 'open', null, null)"), "hold_amount"),
        (format!("{hold} 1, 5, 'USD', now(), 0, 0, 'open', null, null)"), "hold_accounts"),
        (format!("{hold} 2, 5, 'usd', now(), 0, 0, 'open', null, null)"), "currency_code"),
        (format!("{hold} 2, 5, 'USD', now(), 3, 3, 'captured', now(), null)"), "hold_parts"),
        (format!("{hold} 2, 5, 'USD', now(), -1, 6, 'released', now(), null)"), "hold_parts"),
        (format!("{hold} 2, 5, 'USD', now(), 5, 0, 'open', null, null)"), "hold_state"),
        (format!("{hold} 2, 5, 'USD', now(), 1, 0, 'open', now(), null)"), "hold_state"),
        (format!("{hold} 2, 5, 'USD', now(), 4, 0, 'captured', now(), null)"), "hold_state"),
        (format!("{hold} 2, 5, 'USD', now(), 0, 5, 'captured', now(), null)"), "hold_state"),
        (format!("{hold} 2, 5, 'USD', now(), 5, 0, 'released', now(), null)"), "hold_state"),
        (format!("{hold} 2, 5, 'USD', now(), 0, 5, 'expired', now(), null)"), "hold_state"),
        (format!("{hold} 2, 5, 'USD', now(), 0, 5, 'gone', now(), null)"), "hold_state"),
        (format!("update account set balance = -1 where id = {key}"), "account_within_limits"),
        (format!("update account set held = 1001 where id = {key}"), "account_within_limits"),
        (format!("update account set ceiling = 999 where id = {key}"), "account_within_limits"),
        (format!("update account set limit_exceeded = true where id = {key}"), "account_within_limits"),
        (format!("update account set ceiling = -1 where id = {empty}"), "account_limits"),
        ("update account set ceiling = 5 where kind = 'cash'".into(), "account_owner"),
        ("update account set state = 'frozen' where kind = 'cash'".into(), "account_owner"),
        (format!("{change} '{{}}', 0, 0, 'open', 'frozen', null)"), "account_change_asked"),
        (format!("{change} '{{balance}}', 0, 0, 'open', 'frozen', null)"), "account_change_asked"),
        (format!("{change} '{{state}}', 0, 0, 'open', 'frozen', '')"), "account_change_reason"),
        (format!("{forced} 'transfer', true)"), "transfer_kind"),
        (format!("{chain} gen_random_uuid(), null, null)"), "transfer_chain"),
        (format!("{chain} null, 1, 2)"), "transfer_chain"),
        (format!("{chain} gen_random_uuid(), 2, 2)"), "transfer_chain"),
        (format!("{chain} gen_random_uuid(), 0, 2)"), "transfer_chain"),
        (format!("{chain} '8f14e45f-ceea-467f-9575-1f0a6b8c2d3e', 1, 2)"), "transfer_chain"),
        (format!("{chain} gen_random_uuid(), 1, 8193)"), "transfer_chain"),
        (format!("update account set held = -1 where id = {key}"), "account_held"),
        (format!("update account set state = 'closed' where id = {key}"), "account_closed_is_empty"),
        (format!("update account set state = 'gone' where id = {empty}"), "account_state"),
        (format!("{transfer} 'transfer', 1, 2, 0, 'USD', 0, 'AZ-1-1', now(), 1, 1)"), "transfer_amount"),
        (format!("{transfer} 'transfer', 1, 1, 5, 'USD', 0, 'AZ-1-1', now(), 1, 1)"), "transfer_accounts"),
        (format!("{transfer} 'gift', 1, 2, 5, 'USD', 0, 'AZ-1-1', now(), 1, 1)"), "transfer_kind"),
        (format!("{transfer} 'transfer', 1, 2, 5, 'USD', 0, 'AZ-1-1', now(), null, 1)"), "transfer_sides"),
        (format!("{transfer} 'transfer', 1, 2, 5, 'USD', 0, 'AZ-1-1', now(), 2, 1)"), "transfer_sides"),
        (format!("update account set currency = 'usd' where id = {empty}"), "currency_code"),
        ("insert into batch (id, outcome) values ('AZ-1-999999', 'committed')".into(), "batch_complete"),
        (
            "insert into batch (id, outcome, home, parts) values ('AZ-1-999999', 'perhaps', 'AZ', '{AZ}')".into(),
            "batch_outcome",
        ),
        (
            "insert into batch_number (deployment, part, part_number, system_identifier) values ('x', 'AZ', 1, 1)"
                .into(),
            "batch_number_pkey",
        ),
    ] {
        let error = admin.batch_execute(&statement).await.expect_err(&statement);
        assert_eq!(
            error.as_db_error().and_then(|error| error.constraint()),
            Some(constraint),
            "{statement}: {error:?}"
        );
    }
    let older = "insert into batch (id, outcome, home, parts) values ('AZ-2-1', 'committed', 'AZ', '{AZ}')";
    assert!(admin.batch_execute(older).await.is_err(), "a decision of another incarnation");
    let sums = "select sum(case side when 'debit' then -amount else amount end) from entry";
    assert_eq!(databases.value("AZ", sums).await, "0", "double entry");
}
