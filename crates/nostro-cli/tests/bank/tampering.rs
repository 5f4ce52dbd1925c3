//! A busy bank, and rows of it that are changed behind its back, by a superuser whom no trigger stops, and put back.

use nostro_client::{BulkOperation, BulkOrder, ChangeRequest, Client, Outcome};
use nostro_core::{AccountNumber, BranchNumber};
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, give_back, open, pay, reserve, take, told, undo};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The tables that are tampered with.
const TABLES: [&str; 9] =
    ["customer", "account", "account_change", "transfer", "hold", "reversal", "batch", "participation", "batch_net"];

/// A way to break a row, and what must be found at its branch.
pub struct Case {
    /// Where.
    pub branch: &'static str,
    /// In which table.
    pub table: &'static str,
    /// How.
    pub sql: String,
    /// The rule that is broken.
    pub rule: &'static str,
    /// The row that is named.
    pub key: String,
}

/// Runs statements without triggers.
pub async fn tamper(admin: &tokio_postgres::Client, sql: &str) {
    let statement = format!("set session_replication_role = replica; {sql}; set session_replication_role = origin");
    admin.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// Copies of the tables, in each branch.
pub struct Kept;

impl Kept {
    /// As they are now.
    pub async fn of(databases: &Databases) -> Self {
        let copies: Vec<String> =
            TABLES.iter().map(|table| format!("create table kept.{table} as table {table}")).collect();
        for branch in ["AZ", "TX"] {
            // What is rolled up is not summed again, whatever happens to its rows meanwhile.
            let copy = format!("select roll_up_positions(); create schema kept; {}", copies.join("; "));
            databases.sql(branch, &copy).await;
        }
        Self
    }

    /// Puts a table back as it was.
    pub async fn restore(&self, admin: &tokio_postgres::Client, table: &str) {
        // What is generated follows from the rest.
        let columns = format!(
            "select string_agg(column_name, ', ') from information_schema.columns
             where table_schema = 'public' and table_name = '{table}' and is_generated = 'NEVER'"
        );
        let columns: String = admin.query_one(&columns, &[]).await.unwrap().get(0);
        let sql = format!(
            "delete from {table}; insert into {table} ({columns}) overriding system value select {columns} from kept.{table}"
        );
        tamper(admin, &sql).await;
    }
}

/// The key of an account in the tests' branches.
pub fn key(account: AccountNumber) -> i64 {
    let number = if account.branch().as_str() == "AZ" { 1 } else { 2 };
    account.key(BranchNumber::new(number).unwrap()).as_i64()
}

/// What a test tampers with.
pub struct Bank {
    /// An account of Arizona that has paid.
    pub az: AccountNumber,
    other: AccountNumber,
    chain: Uuid,
    chain_batch: String,
    /// The chain's second link, which is between branches.
    linked: Uuid,
    chained: Uuid,
    payment: Uuid,
    batch: String,
    local: Uuid,
    poor: Uuid,
    /// A batch of one local transfer, which is refused.
    refused: String,
    open: Uuid,
    ended: Uuid,
    released: Uuid,
    reversed: Uuid,
    /// A capture between branches of the open hold.
    taken: Uuid,
    /// A reversal between branches.
    undone: Uuid,
}

/// Transfers over both branches, refusals, holds of every end, reversals.
pub async fn busy(client: &Client) -> Bank {
    let (az, tx) = (open(client, "AZ", 10_000).await, open(client, "TX", 10_000).await);
    let other = open(client, "AZ", 1_000).await;
    for cents in 1..=20 {
        assert_posted(client.transfer(&pay(az, tx, cents)).await);
        assert_posted(client.transfer(&pay(tx, other, cents)).await);
    }
    let many: Vec<_> =
        (1..=70).map(|cents| if cents % 2 == 0 { pay(az, other, cents) } else { pay(az, tx, cents) }).collect();
    assert!(client.transfers_bulk(&many).await.unwrap().iter().all(|item| item.state == "posted"));
    let sent = pay(az, tx, 300);
    let Ok(Outcome::Posted { transfer, .. }) = client.transfer(&sent).await else { panic!("it was not posted") };
    let local = pay(az, other, 40);
    assert_posted(client.transfer(&local).await);
    let poor = pay(az, tx, 1_000_000);
    assert_eq!(told(&client.transfer(&poor).await), "refused insufficient_funds");
    let poor_local = pay(az, other, 1_000_000);
    assert_eq!(told(&client.transfer(&poor_local).await), "refused insufficient_funds");
    let [open_hold, ended, released] = [500, 400, 300].map(|cents| reserve(az, tx, cents, None));
    let expiring = reserve(az, tx, 200, Some(Duration::from_millis(1_500)));
    for hold in [&expiring, &open_hold, &ended, &released] {
        assert_posted(client.place_hold(hold).await);
    }
    let taken = take(100, false);
    assert_posted(client.capture_hold(open_hold.id, None, &taken).await);
    assert_posted(client.capture_hold(ended.id, None, &take(50, false)).await);
    assert_posted(client.capture_hold(ended.id, None, &take(150, true)).await);
    assert_posted(client.release_hold(released.id, None, &give_back()).await);
    let begin = Instant::now();
    while client.hold(expiring.id, None).await.unwrap().state != "expired" {
        assert!(begin.elapsed() < Duration::from_secs(10), "it does not expire");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let reversed = pay(az, tx, 90);
    assert_posted(client.transfer(&reversed).await);
    let undone = undo(Some(20));
    assert_posted(client.reverse(reversed.id, None, &undone).await);
    assert_posted(client.reverse(reversed.id, None, &undo(Some(30))).await);
    // So that what is tampered with is not the last of its accounts.
    assert_posted(client.transfer(&pay(az, tx, 1)).await);
    assert_posted(client.transfer(&pay(tx, other, 1)).await);
    // Limits that were changed, and chains that were posted and refused.
    let limit = ChangeRequest { id: Uuid::now_v7(), overdraft_limit: Some("700".into()), ..ChangeRequest::default() };
    client.change_account(az, &limit).await.unwrap();
    let links = |cents: i64| -> [BulkOrder; 3] {
        [pay(az, other, 2), pay(tx, other, cents), pay(other, az, 1)].map(|link| BulkOperation::Transfer(link).into())
    };
    let chain = client.atomic_bulk(&links(3)).await.unwrap();
    assert!(chain.iter().all(|item| item.state == "posted"));
    let refused = client.atomic_bulk(&links(10_000_000)).await.unwrap();
    assert!(refused.iter().all(|item| item.state == "refused"));
    Bank {
        az,
        other,
        chain: chain[0].id,
        linked: chain[1].id,
        chain_batch: client.transfer_by_id(chain[0].id, None).await.unwrap().batch,
        chained: client.transfer_by_id(refused[0].id, None).await.unwrap().id,
        payment: sent.id,
        batch: transfer.batch,
        local: local.id,
        poor: poor.id,
        refused: client.transfer_by_id(poor_local.id, None).await.unwrap().batch,
        open: open_hold.id,
        ended: ended.id,
        released: released.id,
        reversed: reversed.id,
        taken: taken.id,
        undone: undone.id,
    }
}

/// Each way to break a row: where, in which table, how, and what must be found there.
pub fn cases(bank: &Bank) -> Vec<Case> {
    let Bank { chained, payment, batch, local, poor, refused, open, ended, released, reversed, .. } = bank;
    let (number, az) = (bank.az.to_string(), key(bank.az));
    let extra = Uuid::now_v7();
    let case = |branch, table, sql: String, rule, key: String| Case { branch, table, sql, rule, key };
    let account = |set: &str, rule| {
        case("AZ", "account", format!("update account set {set} where id = {az}"), rule, number.clone())
    };
    let sent = |branch, set: &str, rule| {
        let sql = format!("update transfer set {set} where id = '{payment}'");
        case(branch, "transfer", sql, rule, payment.to_string())
    };
    let hold = |set: &str, id: &Uuid, rule| {
        case("AZ", "hold", format!("update hold set {set} where id = '{id}'"), rule, id.to_string())
    };
    let net = |branch, other: &str, set: &str, rule| {
        let sql = format!("update batch_net set {set} where batch = '{batch}'");
        case(branch, "batch_net", sql, rule, format!("{batch} {other} USD"))
    };
    let gone = |branch, table, column: &str, id: &str, rule, key: String| {
        case(branch, table, format!("delete from {table} where {column} = '{id}'"), rule, key)
    };
    let sides = "credit_seq = null, credit_balance_after = null, credit_previous = null";
    let inserted = format!(
        "insert into transfer (id, period, kind, debit, credit, amount, currency, category, batch, posted_at,
           debit_balance_after, debit_seq, debit_previous)
         select '{extra}', transfer_period_of('{extra}'), kind, debit, credit, amount, currency, category, batch, posted_at,
           debit_balance_after, debit_seq, debit_previous
         from transfer
         where id = '{payment}'"
    );
    let posted = format!(
        "update transfer set refusal = null, debit_seq = 5000, debit_balance_after = 0, debit_previous = '{payment}' where id = '{poor}'"
    );
    let broken = format!(
        "update transfer set refusal = null, debit_seq = 6000, debit_balance_after = 0, debit_previous = '{payment}' where id = '{chained}'"
    );
    vec![
        account("balance = balance + 1", "account_balance"),
        account("seq = seq + 1", "account_number"),
        account("held = held + 1", "account_held"),
        account("overdraft_limit = overdraft_limit + 1", "account_terms"),
        account("state = 'frozen'", "account_terms"),
        case(
            "AZ",
            "account",
            "update account set ceiling = 100000000 where state = 'open' and kind <> 'cash' and ceiling is null".into(),
            "account_terms",
            bank.other.to_string(),
        ),
        case("AZ", "transfer", broken, "chain_links", chained.to_string()),
        account("last_transfer = gen_random_uuid()", "account_last_transfer"),
        account("last_transfer = null", "account_last_transfer"),
        gone("AZ", "account", "id", &az.to_string(), "entry_account", number.clone()),
        sent("TX", "amount = amount + 1", "entry_balance"),
        sent("TX", "amount = amount + 1", "transfer_sides"),
        sent("TX", "kind = 'deposit'", "transfer_sides"),
        sent("TX", &format!("refusal = 'insufficient_funds', {sides}"), "transfer_sides"),
        sent("AZ", "debit_balance_after = debit_balance_after + 1", "entry_balance"),
        sent("AZ", "debit_seq = debit_seq + 5000", "entry_number"),
        sent("AZ", "debit_previous = gen_random_uuid()", "entry_previous"),
        sent("TX", "credit_balance_after = credit_balance_after + 1", "entry_balance"),
        sent("TX", "credit_seq = credit_seq + 5000", "entry_number"),
        sent("TX", "credit_previous = gen_random_uuid()", "entry_previous"),
        gone("TX", "transfer", "id", &payment.to_string(), "transfer_sides", payment.to_string()),
        case("AZ", "transfer", inserted, "entry_number", extra.to_string()),
        case("AZ", "transfer", posted, "entry_number", poor.to_string()),
        case(
            "AZ",
            "transfer",
            format!("update transfer set {sides} where id = '{local}'"),
            "transfer_lines",
            local.to_string(),
        ),
        hold("captured = captured + 1", open, "hold_parts"),
        hold("captured = captured + 1, released = released - 1", ended, "hold_parts"),
        hold("state = 'expired', expires_at = now()", released, "hold_state"),
        hold("amount = amount + 1", open, "hold_placed"),
        gone("AZ", "hold", "id", &ended.to_string(), "hold_placed", ended.to_string()),
        case(
            "TX",
            "reversal",
            "update reversal set reversed = reversed + 1".into(),
            "reversal_total",
            reversed.to_string(),
        ),
        case(
            "TX",
            "reversal",
            "update reversal set amount = amount + 1".into(),
            "reversal_original",
            reversed.to_string(),
        ),
        case("TX", "reversal", "delete from reversal".into(), "reversal_total", reversed.to_string()),
        net("AZ", "TX", "amount = amount + 1", "batch_net"),
        net("TX", "AZ", "hash = sha256('x')", "batch_hash"),
        gone("TX", "batch_net", "batch", batch, "batch_net", format!("{batch} AZ USD")),
        gone("AZ", "batch", "id", batch, "batch_record", batch.clone()),
        gone("TX", "participation", "batch", batch, "batch_record", batch.clone()),
        gone("AZ", "transfer", "batch", refused, "batch_rows", refused.clone()),
    ]
}

/// The same for what never changes of a row: accounts, currencies, kinds, times and terms.
pub fn cases_of_terms(bank: &Bank) -> Vec<Case> {
    let Bank { chain, linked, payment, batch, local, poor, open, ended, released, reversed, taken, undone, .. } = bank;
    let (other, other_key) = (bank.other.to_string(), key(bank.other));
    let (number, az) = (bank.az.to_string(), key(bank.az));
    let case = |branch, table, sql: String, rule, key: String| Case { branch, table, sql, rule, key };
    let account = |set: &str, id: i64, name: &str| {
        let sql = format!("update account set {set} where id = {id}");
        case("AZ", "account", sql, "account_terms", name.to_owned())
    };
    let placed = |set: &str| {
        case("AZ", "hold", format!("update hold set {set} where id = '{ended}'"), "hold_placed", ended.to_string())
    };
    let changed = |branch, set: &str, which: String, rule, key: &dyn ToString| {
        case(branch, "transfer", format!("update transfer set {set} where {which}"), rule, key.to_string())
    };
    let is = |id: &Uuid| format!("id = '{id}'");
    let earlier = "posted_at = posted_at - interval '1 hour'";
    let later = "posted_at = posted_at + interval '1 second'";
    let link = |position: i32| format!("chain = '{chain}' and chain_position = {position}");
    vec![
        account("overdraft_limit = overdraft_limit + 5", other_key, &other),
        account("opened_limit = opened_limit + 5", other_key, &other),
        account("opened_limit = opened_limit + 5", az, &number),
        case(
            "AZ",
            "account_change",
            "update account_change set overdraft_limit_before = 5".into(),
            "account_terms",
            number.clone(),
        ),
        placed(&format!("debit = {other_key}")),
        placed("credit = credit + 1"),
        placed("currency = 'EUR'"),
        placed("expires_at = now()"),
        placed("placed_at = placed_at - interval '1 hour'"),
        changed("AZ", "expires_at = now()", is(open), "hold_placed", open),
        changed(
            "AZ",
            "credit = credit + 1",
            format!("kind = 'release' and hold = '{released}'"),
            "hold_terms",
            released,
        ),
        changed("AZ", "currency = 'EUR'", format!("kind = 'capture' and hold = '{open}'"), "hold_terms", open),
        changed(
            "AZ",
            &format!("debit = {other_key}"),
            format!("kind = 'release' and hold = '{released}'"),
            "hold_terms",
            released,
        ),
        changed("TX", &format!("debit = {other_key}"), is(reversed), "reversal_accounts", reversed),
        changed(
            "TX",
            "currency = 'EUR'",
            format!("kind = 'reversal' and original = '{reversed}'"),
            "reversal_accounts",
            reversed,
        ),
        changed("AZ", earlier, is(payment), "entry_time", payment),
        changed("TX", earlier, is(payment), "entry_time", payment),
        changed("TX", later, is(payment), "batch_time", batch),
        changed("AZ", later, link(1), "batch_time", &bank.chain_batch),
        changed("AZ", "currency = 'EUR'", is(local), "transfer_currency", local),
        changed("AZ", "kind = 'deposit'", is(local), "transfer_kind", local),
        changed("AZ", "kind = 'withdrawal'", is(local), "transfer_kind", local),
        changed("AZ", "period = 0", is(payment), "transfer_period", payment),
        changed("TX", "period = 0", is(payment), "transfer_period", payment),
        changed("AZ", "period = 0", is(local), "transfer_period", local),
        changed("AZ", "period = 0", is(poor), "transfer_period", poor),
        changed("AZ", "period = 0", is(open), "transfer_period", open),
        changed("TX", "category = 5", is(payment), "transfer_sides", payment),
        changed("TX", "reference = 'another'", is(payment), "transfer_sides", payment),
        changed("TX", "asked = amount", is(payment), "transfer_sides", payment),
        changed("TX", "is_final = true", is(taken), "transfer_sides", taken),
        changed("TX", &format!("hold = '{ended}'"), is(taken), "transfer_sides", taken),
        changed("TX", "is_forced = true", is(undone), "transfer_sides", undone),
        changed("TX", "is_forced = false", is(undone), "transfer_sides", undone),
        changed("TX", &format!("original = '{payment}'"), is(undone), "transfer_sides", undone),
        changed("TX", "chain = null, chain_position = null, chain_length = null", link(1), "transfer_sides", linked),
        case(
            "AZ",
            "customer",
            format!("delete from customer where id = (select customer from account where id = {az})"),
            "account_customer",
            number.clone(),
        ),
        case(
            "AZ",
            "account",
            format!("update account set customer = 1 where id = {az}"),
            "account_customer",
            number.clone(),
        ),
        case("AZ", "account_change", "update account_change set account = 1".into(), "account_customer", "1".into()),
        changed("AZ", "chain_position = 1", link(2), "chain_links", chain),
        changed("AZ", "chain_length = 4", link(1), "chain_links", chain),
    ]
}
