//! History over its partitions: the chain of an account's lines, and ids that come again, however old they are.

use crate::past;
use nostro_client::{Outcome, TransferRequest};
use nostro_core::{AccountNumber, BranchNumber, TransferId};
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, open, pay, told};
use nostro_torture::program::run;
use nostro_torture::server::Server;
use std::collections::BTreeMap;
use tokio_postgres::Client;
use uuid::Uuid;

fn key(account: AccountNumber, branch: u32) -> i64 {
    account.key(BranchNumber::new(branch).unwrap()).as_i64()
}

/// An account's lines, by the function that follows the chain or by the view that reads everything.
async fn lines(admin: &Client, from: &str, account: i64, before: i64, limit: i32) -> Vec<String> {
    let query = format!(
        "select concat_ws('|', seq, transfer, kind, side, amount, currency, balance_after, counterparty, reference, batch)
         from {from} where account = $1 and seq < $2 order by seq desc limit $3"
    );
    let rows = admin.query(&query, &[&account, &before, &i64::from(limit)]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn check_pages(admin: &Client, account: i64, last: i64) {
    for before in [i64::MAX, last + 1, last, last - 1, 130, 129, 128, 127, 65, 64, 63, 2, 1, 0, -7, i64::MIN] {
        for limit in [1, 7, 50, 200] {
            let chain = format!("account_entries({account}, {before}, {limit})");
            let by_chain = lines(admin, &chain, account, before, limit).await;
            assert_eq!(by_chain, lines(admin, "entry", account, before, limit).await, "before {before}, {limit} lines");
        }
    }
}

#[tokio::test]
async fn the_chain_tells_what_the_whole_table_tells() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 10_000).await, open(client, "TX", 10_000).await);
    let local = open(client, "AZ", 10_000).await;
    // Both sides, both kinds of ids, several batches of several transfers: 151 lines.
    let mut requests: Vec<TransferRequest> = (1..=150)
        .map(|cents| match cents % 3 {
            0 => pay(az, tx, cents),
            1 => pay(tx, az, cents),
            _ => TransferRequest { id: version_4_id(), ..pay(az, local, cents) },
        })
        .collect();
    requests.reverse();
    for some in requests.chunks(40) {
        for item in client.transfers_bulk(some).await.unwrap() {
            assert_eq!(item.state, "posted");
        }
    }
    let admin = databases.admin("AZ").await;
    check_pages(&admin, key(az, 1), 151).await;
    check_pages(&databases.admin("TX").await, key(tx, 2), 101).await;
    let marked = "select count(*) from transfer where debit_seq % 64 = 0 or credit_seq % 64 = 0";
    assert_eq!(databases.value("AZ", marked).await, "2", "the 64th and the 128th of one account");
    databases.finish().await;
}

#[tokio::test]
async fn what_an_earlier_version_recorded_is_taken_over() {
    let databases = Databases::start().await;
    past::take_back(&databases, "AZ", 1, 4).await;
    let admin = databases.admin("AZ").await;
    admin
        .batch_execute(
            "insert into account (id, kind, currency, balance, seq) values (1000000000840, 'cash', 'USD', -900, 131);
             insert into customer (id, request_id, name) values (1900000000000, gen_random_uuid(), 'Old');
             insert into account (id, customer, kind, currency, balance, seq, request_id, overdraft_limit)
             values (1000000001042, 1900000000000, 'checking', 'USD', 900, 131, gen_random_uuid(), 300);
             insert into transfer (id, kind, debit, credit, amount, currency, category, batch, posted_at,
               debit_balance_after, debit_seq, credit_balance_after, credit_seq)
             select (lpad(to_hex(1700000000000 + n::bigint * 40000000), 12, '0') || case when n % 5 = 0 then '4' else '7' end || '000'
                      || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
               'deposit', 1000000000840, 1000000001042, 10, 'USD', 0, 'AZ-1-' || n, now(), -10 * n, n, 10 * n, n
             from generate_series(1, 131) n;
             insert into transfer (id, kind, debit, credit, amount, currency, category, batch, posted_at, refusal)
             values ('00000000-0000-7000-8000-000000000001', 'transfer', 1000000001042, 1, 5, 'USD', 0, 'AZ-1-1', now(),
               'credit_account_not_found')",
        )
        .await
        .unwrap();
    let before = lines(&admin, "entry", 1_000_000_001_042, i64::MAX, 200).await;
    let config = databases.config(&BTreeMap::new());
    let migrated = run(&["migrate", "--config", config.to_str().unwrap()]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    for account in [1_000_000_001_042, 1_000_000_000_840] {
        check_pages(&admin, account, 131).await;
    }
    assert_eq!(lines(&admin, "entry", 1_000_000_001_042, i64::MAX, 200).await, before, "nothing is lost or changed");
    let periods = "select string_agg(period::text, ' ' order by period) from transfer_period where period < 202400";
    assert_eq!(databases.value("AZ", periods).await, "0 197001 202311 202312");
    let astray = "select count(*) from transfer where period <> transfer_period_of(id)";
    assert_eq!(databases.value("AZ", astray).await, "0");
    let opened = "select string_agg(opened_limit::text, ' ' order by id) from account";
    assert_eq!(databases.value("AZ", opened).await, "0 300", "no limit was changed before");
}

#[tokio::test]
async fn the_database_and_the_server_agree_on_the_period_of_an_id() {
    let databases = Databases::start().await;
    let admin = databases.admin("AZ").await;
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..2_000 {
        // Any bits, and mostly those of a version 7 of the years 1970 to 2100.
        let mut bits = random.u128(..);
        if round % 4 > 0 {
            bits = bits >> 48 | u128::from(random.u64(..4_102_444_800_000)) << 80;
            bits = bits & !(0xf << 76) | 7 << 76;
            bits = if round % 4 > 1 { bits & !(3 << 62) | 2 << 62 } else { bits };
        }
        let id = Uuid::from_u128(bits);
        let row = admin.query_one("select transfer_period_of($1)", &[&id]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), TransferId(id).period().as_i32(), "{id}");
    }
}

fn version_4_id() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

/// A version 7 of the given milliseconds.
fn id_of(millis: u64) -> Uuid {
    Uuid::from_u128(u128::from(millis) << 80 | 7 << 76 | 2 << 62 | 0x1234)
}

fn now_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[tokio::test]
async fn an_id_from_another_time_is_refused_and_not_recorded() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let day = 24 * 60 * 60 * 1_000;
    let now = now_millis();
    let (epoch, year_9999) = (id_of(0), id_of(253_402_300_799_999));
    for (id, expected) in [
        (epoch, "refused id_time_out_of_range"),
        (year_9999, "refused id_time_out_of_range"),
        (id_of((1 << 48) - 1), "refused id_time_out_of_range"),
        (id_of(now - day - 120_000), "refused id_time_out_of_range"),
        (id_of(now + day + 120_000), "refused id_time_out_of_range"),
        (id_of(now - day + 120_000), "posted"),
        (id_of(now + day - 120_000), "posted"),
        (version_4_id(), "posted"),
        (Uuid::from_u128(1), "posted"),
    ] {
        let request = TransferRequest { id, ..pay(az, tx, 10) };
        assert_eq!(told(&client.transfer(&request).await), expected, "{id}");
        let again = if expected == "posted" { "replayed" } else { expected };
        assert_eq!(told(&client.transfer(&request).await), again, "{id}");
        for code in ["AZ", "TX"] {
            let rows = format!("select count(*) from transfer where id = '{id}'");
            assert_eq!(databases.value(code, &rows).await, if expected == "posted" { "1" } else { "0" });
        }
    }
    let bulk = [pay(az, tx, 10), TransferRequest { id: epoch, ..pay(az, tx, 10) }, pay(az, tx, 10)];
    let items = client.transfers_bulk(&bulk).await.unwrap();
    assert_eq!(items.iter().map(|item| item.state.as_str()).collect::<Vec<_>>(), ["posted", "refused", "posted"]);
    let problem = items[1].problem.as_ref().unwrap();
    assert_eq!(
        (problem.code.as_str(), problem.errors[0].pointer.as_str()),
        ("id_time_out_of_range", "/transfers/1/id")
    );
    assert_eq!(balance(client, tx).await, 60);
    // As many months as somebody likes: one question for all.
    let month = 31 * day;
    let mut bulk: Vec<TransferRequest> =
        (1..=200).map(|months| TransferRequest { id: id_of(now - months * month), ..pay(az, tx, 10) }).collect();
    bulk.push(pay(az, tx, 10));
    let items = client.transfers_bulk(&bulk).await.unwrap();
    assert!(items[..200].iter().all(|item| item.problem.as_ref().unwrap().code == "id_time_out_of_range"));
    assert_eq!(items[200].state, "posted");
    databases.finish().await;
}

#[tokio::test]
async fn an_id_is_another_transfer_where_it_was_never_seen_whatever_a_server_remembers() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 1_000).await);
    let (other_az, other_tx) = (open(client, "AZ", 0).await, open(client, "TX", 0).await);
    let in_arizona = pay(az, other_az, 10);
    let in_texas = TransferRequest { id: in_arizona.id, ..pay(tx, other_tx, 20) };
    let between = TransferRequest { id: in_arizona.id, ..pay(az, tx, 10) };
    for expected in ["posted", "replayed"] {
        assert_eq!(told(&client.transfer(&in_arizona).await), expected);
        assert_eq!(told(&client.transfer(&in_texas).await), expected);
        assert!(told(&client.transfer(&between).await).starts_with("conflict"), "both branches know the id otherwise");
    }
    assert_eq!((balance(client, az).await, balance(client, tx).await), (990, 980));
    databases.finish().await;
}

#[tokio::test]
async fn an_old_id_is_replayed_until_its_month_is_in_the_archive() {
    let databases = Databases::start().await;
    let mut server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    // A transfer as it stands there two years after it was posted.
    let old = TransferRequest { id: id_of(1_700_000_000_000), ..pay(az, tx, 10) };
    for (code, side, decided) in [("AZ", "debit", "batch (id"), ("TX", "credit", "participation (batch")] {
        let row = format!(
            "select make_transfer_partition(202311);
             insert into {decided}, outcome, home, parts) values ('AZ-1-900001', 'committed', 'AZ', '{{AZ,TX}}');
             insert into transfer (id, period, kind, debit, credit, amount, currency, category, batch, posted_at,
               {side}_balance_after, {side}_seq)
             values ('{}', 202311, 'transfer', {}, {}, 10, 'USD', 0, 'AZ-1-900001', now(), 5, 1)",
            old.id,
            key(az, 1),
            key(tx, 2)
        );
        databases.sql(code, &row).await;
    }
    let other = TransferRequest { amount: nostro_torture::money::amount(11), ..old.clone() };
    for round in 0..2 {
        assert_eq!(told(&server.client.transfer(&old).await), "replayed", "round {round}");
        assert_eq!(told(&server.client.transfer(&other).await), "conflict /amount", "round {round}");
    }
    for code in ["AZ", "TX"] {
        let detached = databases.value(code, "select detach_transfer_period(202311)").await;
        assert_eq!(detached, "transfer_202311");
        assert_eq!(databases.value(code, "select count(*) from transfer_202311").await, "1", "the table is kept");
    }
    // What is remembered from before is still true; a server that remembers nothing cannot know.
    server.kill();
    let server = Server::start(&databases).await;
    assert_eq!(told(&server.client.transfer(&old).await), "refused id_expired");
    assert_eq!(balance(&server.client, tx).await, 0);
    let younger = databases.admin("AZ").await.query_one("select detach_transfer_period(202611)", &[]).await;
    if now_millis() < 1_796_256_000_000 {
        assert_eq!(younger.unwrap_err().code().unwrap().code(), "55000", "a month that still takes transfers");
    }
    databases.finish().await;
}

#[tokio::test]
async fn a_server_that_remembers_nothing_meets_the_records() {
    let databases = Databases::start().await;
    let mut server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 1_000).await);
    let (posted, poor, version_4) =
        (pay(az, tx, 100), pay(az, tx, 5_000), TransferRequest { id: version_4_id(), ..pay(az, tx, 1) });
    let at_texas = TransferRequest { credit_account: open(&server.client, "TX", 0).await, ..pay(tx, az, 7) };
    for request in [&posted, &version_4, &at_texas] {
        assert_posted(server.client.transfer(request).await);
    }
    assert_eq!(told(&server.client.transfer(&poor).await), "refused insufficient_funds");
    server.kill();
    let server = Server::start(&databases).await;
    let client = &server.client;
    // Texas alone knows this id, and a refusal would be recorded at Arizona alone.
    let elsewhere = TransferRequest { id: at_texas.id, ..pay(az, tx, 5_000) };
    assert_eq!(told(&client.transfer(&elsewhere).await), "conflict /debit_account");
    let rows = format!("select count(*) from transfer where id = '{}'", at_texas.id);
    assert_eq!(databases.value("AZ", &rows).await, "0");
    // Old ones and new ones in one bulk.
    let changed = TransferRequest { amount: nostro_torture::money::amount(101), ..posted.clone() };
    let new = pay(az, tx, 3);
    let bulk = [posted.clone(), poor.clone(), new.clone(), version_4.clone(), at_texas.clone()];
    for round in 0..2 {
        let items = client.transfers_bulk(&bulk).await.unwrap();
        let states: Vec<(&str, bool)> = items.iter().map(|item| (item.state.as_str(), item.replayed)).collect();
        let expected =
            [("posted", true), ("refused", true), ("posted", round == 1), ("posted", true), ("posted", true)];
        assert_eq!(states, expected, "round {round}");
    }
    assert_eq!(told(&client.transfer(&changed).await), "conflict /amount");
    let Ok(Outcome::Posted { transfer, .. }) = client.transfer(&posted).await else { panic!("it was posted") };
    assert_eq!(transfer.entries.len(), 2, "both sides are told");
    assert_eq!(balance(client, az).await, 1_000 - 100 - 1 - 3);
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn a_write_that_fails_leaves_no_answer_behind_on_its_connection() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 10_000).await, open(client, "TX", 0).await);
    let local = open(client, "AZ", 0).await;
    for (code, table) in [("AZ", "account"), ("TX", "account"), ("AZ", "batch_net"), ("TX", "batch_net")] {
        let event = if table == "account" { "update of balance" } else { "insert" };
        let fails = format!(
            "create function fails() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '40001'; end $$;
             create trigger fails before {event} on {table} for each row execute function fails()"
        );
        databases.sql(code, &fails).await;
        assert_eq!(told(&client.transfer(&pay(az, tx, 1)).await), "unavailable busy", "{code} {table}");
        if (code, table) == ("AZ", "account") {
            assert_eq!(told(&client.transfer(&pay(az, local, 1)).await), "unavailable busy");
        }
        databases.sql(code, "drop function fails cascade").await;
        for _ in 0..12 {
            let request = pay(az, tx, 2);
            assert_posted(client.transfer(&request).await);
            for code in ["AZ", "TX"] {
                let rows = format!("select count(*) from transfer where id = '{}'", request.id);
                assert_eq!(databases.value(code, &rows).await, "1", "{code} after {table} failed");
            }
        }
        databases.nothing_prepared_within(std::time::Duration::from_secs(10)).await;
    }
    assert_eq!((balance(client, az).await, balance(client, tx).await), (10_000 - 96, 96));
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}
