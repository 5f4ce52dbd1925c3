//! Plans at a branch with a million transfers: what a list with a filter reads is the account's own, whatever the
//! filter and wherever the page begins.
//!
//! The statements are those that the store sends, with PostgreSQL's own way to plan and fresh statistics. The rows are
//! made by SQL, as nothing is asked of a server: accounts whose chains and marks are right, over two months. Balances
//! are not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use nostro_store::{filtered, read};
use nostro_torture::databases::{Databases, filled};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio_postgres::{Client, SimpleQueryMessage};

/// Every 200th transfer pays the long account, 5,000 in all. The others go round 3,980 accounts, 250 to each: those
/// that a block of 200 pays are paid again 20 blocks later.
const HISTORY: &str = "
    select make_transfer_partition(202310), make_transfer_partition(202311);
    create function pg_temp.id_of(n bigint) returns uuid language sql immutable as $$
      select (lpad(to_hex(1697500000000 + n * 2592), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid
    $$;
    insert into customer (id, request_id, name) values (1900000000000, gen_random_uuid(), 'Many');
    insert into account (id, customer, kind, currency, balance, seq, last_transfer)
    select 1000000001042 + i, 1900000000000, 'checking', 'USD', 1, case when i = 0 then 5000 else 250 end,
      pg_temp.id_of(case when i = 0 then 999800 else (4980 + (i - 1) / 199) * 200 + (i - 1) % 199 + 1 end)
    from generate_series(0::bigint, 3980) i;
    insert into transfer (id, period, kind, debit, credit, amount, currency, category, reference, batch, posted_at,
      credit_seq, credit_balance_after, credit_previous)
    select pg_temp.id_of(n),
      case when 1697500000000 + n * 2592 < 1698796800000 then 202310 else 202311 end,
      case when b % 100 = 3 then 'deposit' else 'transfer' end,
      2000000001042 + b % 50,
      1000000001042 + case when p = 0 then 0 else p + 199 * (b % 20) end,
      1 + b % 1000,
      'USD',
      (b % 40)::integer,
      case when b % 500 = 7 then 'rare' end,
      'AZ-1-' || b,
      timestamptz '2023-10-16 23:46:40Z' + n * interval '2.592 s',
      case when p = 0 then b + 1 else b / 20 + 1 end,
      1,
      case when p = 0 and b > 0 then pg_temp.id_of(n - 200) when p > 0 and b >= 20 then pg_temp.id_of(n - 4000) end
    from (select n, n / 200 as b, n % 200 as p from generate_series(0::bigint, 999999) n) made";

/// Every 50th hold of 200,000 is at the long account, 4,000 in all. One in a hundred is open, and due since long.
const HOLDS: &str = "
    insert into hold (id, debit, credit, amount, currency, placed_at, expires_at, state, released, ended_at)
    select gen_random_uuid(),
      1000000001042 + case when p = 0 then 0 else p + 49 * (b % 80) end,
      2000000001042 + b % 50,
      1 + b % 1000,
      'USD',
      placed_at,
      placed_at + interval '1 day',
      case when b % 100 = 3 then 'open' else 'released' end,
      case when b % 100 = 3 then 0 else 1 + b % 1000 end,
      case when b % 100 = 3 then null else placed_at + interval '1 s' end
    from (
      select n / 50 as b, n % 50 as p, timestamptz '2023-10-16 23:46:40Z' + n * interval '12.96 s' as placed_at
      from generate_series(0::bigint, 199999) n
    ) made";

/// The long account.
const LONG: &str = "1000000001042";

/// What a statement did.
#[derive(Debug)]
struct Plan {
    /// Handed out.
    found: f64,
    /// Of transfers and holds.
    rows_read: f64,
    /// Pages of memory that were looked at.
    blocks: f64,
    indexes: BTreeSet<String>,
    /// Tables that were read from end to end, but those that are empty.
    whole: Vec<String>,
}

fn nodes<'a>(node: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(node);
    for child in node["Plans"].as_array().into_iter().flatten() {
        nodes(child, found);
    }
}

impl Plan {
    async fn of(admin: &Client, statement: &str) -> Self {
        let explain = format!("explain (analyze, buffers, timing off, format json) {statement}");
        let messages = admin.simple_query(&explain).await.unwrap();
        let text = messages.iter().find_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            row.get(0)
        });
        let plans: Value = serde_json::from_str(text.expect("a plan")).unwrap();
        let root = &plans[0]["Plan"];
        let mut all = Vec::new();
        nodes(root, &mut all);
        let word = |node: &Value, name: &str| node[name].as_str().unwrap_or_default().to_owned();
        let figure = |node: &Value, name: &str| node[name].as_f64().unwrap_or_default();
        let relation = |node: &Value| word(node, "Relation Name");
        let read = |node: &Value| {
            let each = figure(node, "Actual Rows") + figure(node, "Rows Removed by Filter");
            each * figure(node, "Actual Loops")
        };
        let is_large = |name: &str| name.starts_with("transfer_2023") || ["hold", "account"].contains(&name);
        let scans = all.iter().filter(|node| node["Node Type"] == "Seq Scan").map(|node| relation(node));
        Self {
            found: figure(root, "Actual Rows"),
            rows_read: all.iter().filter(|node| is_large(&relation(node))).map(|node| read(node)).sum(),
            blocks: figure(root, "Shared Hit Blocks") + figure(root, "Shared Read Blocks"),
            indexes: all.iter().map(|node| word(node, "Index Name")).collect(),
            whole: scans.filter(|name| is_large(name)).collect(),
        }
    }

    /// It found so many rows by these indexes, and read no more than it may.
    fn check(&self, what: &str, found: f64, indexes: &[&str], rows_max: f64, blocks_max: f64) {
        println!("{what}: {} of {} rows, {} blocks", self.found, self.rows_read, self.blocks);
        assert_eq!(self.whole, Vec::<String>::new(), "{what}: {self:?}");
        assert!(indexes.iter().all(|index| self.indexes.contains(*index)), "{what}: {self:?}");
        assert_eq!(self.found, found, "{what}: {self:?}");
        assert!(self.rows_read <= rows_max && self.blocks <= blocks_max, "{what}: {self:?}");
    }
}

/// The instant of the row with this number, where they are so far from each other.
async fn instant(databases: &Databases, number: i64, step: &str) -> String {
    let reckoned = format!("timestamptz '2023-10-16 23:46:40Z' + {number} * interval '{step}'");
    format!("'{}'", databases.value("AZ", &reckoned).await)
}

/// A page's parameters: the first four, and the one of the filters that is given.
fn with_filter<'a>(before: &'a str, place: usize, value: &'a str, filters: usize) -> Vec<&'a str> {
    let mut values = vec![LONG, before, "1000", "51"];
    values.extend((0..filters).map(|at| if at == place { value } else { "null" }));
    values
}

#[tokio::test]
async fn a_filter_reads_the_accounts_own_rows_among_a_million() {
    let databases = Databases::start().await;
    let admin = databases.admin("AZ").await;
    for rows in [HISTORY, HOLDS, "analyze"] {
        admin.batch_execute(rows).await.unwrap();
    }
    let astray = format!("select count(*) from transfer where credit = {LONG} and period <> transfer_period_of(id)");
    assert_eq!(databases.value("AZ", &astray).await, "0");
    let max = i64::MAX.to_string();

    // A page looks at the last thousand lines, or at those in the middle, where the history passes into another month:
    // up to 63 more are walked from the mark above it. A line is four blocks or eight, as one or both months are
    // searched for it.
    for (newest, before) in [(4_999, max.as_str()), (2_499, "2501")] {
        let from = instant(&databases, 200 * (newest - 9), "2.592 s").await;
        let to = instant(&databases, 200 * (newest - 989), "2.592 s").await;
        for (place, value, found) in [
            (0, from.as_str(), 10.0),
            (1, to.as_str(), 10.0),
            (2, "991", 10.0),
            (3, "10", 10.0),
            (4, "2000000001045", 20.0),
            (5, "'deposit'", 10.0),
            (6, "7", 25.0),
            (7, "'rare'", 2.0),
            // One row tells what was looked at.
            (7, "'absent'", 1.0),
        ] {
            let statement = filled(&filtered::entries_statement(), &with_filter(before, place, value, 8));
            let what = format!("entries below {before}, {value}");
            let indexes = ["transfer_202311_pkey", "transfer_202311_credit", "account_pkey"];
            Plan::of(&admin, &statement).await.check(&what, found, &indexes, 1_200.0, 12_000.0);
        }
    }
    for (newest, before) in [(3_999, max.as_str()), (2_499, "125001")] {
        let from = instant(&databases, 50 * (newest - 9), "12.96 s").await;
        let to = instant(&databases, 50 * (newest - 989), "12.96 s").await;
        for (place, value, found) in [
            (0, from.as_str(), 10.0),
            (1, to.as_str(), 10.0),
            (2, "991", 10.0),
            (3, "10", 10.0),
            (4, "2000000001045", 20.0),
            (5, "'open'", 10.0),
            (5, "'captured'", 1.0),
        ] {
            let statement = filled(&filtered::holds_statement(), &with_filter(before, place, value, 6));
            let what = format!("holds below {before}, {value}");
            Plan::of(&admin, &statement).await.check(&what, found, &["hold_debit"], 1_000.0, 3_000.0);
        }
    }
    let due = filled(&read::due_holds_statement(), &["null", "null", "100"]);
    Plan::of(&admin, &due).await.check("holds that are due", 100.0, &["hold_due"], 100.0, 500.0);
    databases.finish().await;
}
