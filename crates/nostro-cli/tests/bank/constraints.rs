//! The database itself refuses what the core would never do: every CHECK and foreign key, by a row that violates it.
//!
//! Each table has a row that it takes, and a case differs from that one only in what is refused. A row is inserted by
//! the owner in a transaction that is rolled back. A constraint without a case fails the test.

mod accounts;
mod batches;
mod transfers;

use nostro_torture::databases::Databases;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Columns and what stands in them, as SQL.
type Values = &'static [(&'static str, &'static str)];

/// Rows of a table.
struct Table {
    name: &'static str,
    /// Done first in the same transaction.
    before: &'static str,
    /// A row that it takes; other columns have their defaults.
    taken: Values,
    /// Rows that it refuses: by which constraint, and where they differ from the one that it takes.
    refused: &'static [(&'static str, Values)],
}

/// All that have a constraint of these kinds.
fn tables() -> impl Iterator<Item = &'static Table> {
    accounts::TABLES.iter().chain(&batches::TABLES).chain(&transfers::TABLES)
}

/// A connection with the owner's rights.
async fn owner(databases: &Databases) -> Client {
    let owner = databases.admin("AZ").await;
    owner.batch_execute("set role nostro_owner").await.unwrap();
    owner
}

/// Which constraint refuses the row that the table takes with these differences, and with which SQLSTATE; `None` if it
/// is taken. It is not kept.
async fn refusal(owner: &mut Client, table: &Table, differences: &[(&str, &str)]) -> Option<(SqlState, String)> {
    let mut row: BTreeMap<&str, &str> = table.taken.iter().copied().collect();
    row.extend(differences.iter().copied());
    let columns: Vec<&str> = row.keys().copied().collect();
    let values: Vec<&str> = row.values().copied().collect();
    let (columns, values) = (columns.join(", "), values.join(", "));
    let statement = format!("{}; insert into {} ({columns}) values ({values})", table.before, table.name);
    let transaction = owner.transaction().await.unwrap();
    let inserted = transaction.batch_execute(&statement).await;
    transaction.rollback().await.unwrap();
    let error = inserted.err()?;
    match error.as_db_error() {
        Some(refused) => {
            let constraint = refused.constraint().unwrap_or_else(|| panic!("{statement}: {refused:?}"));
            Some((refused.code().clone(), constraint.to_owned()))
        }
        None => panic!("{statement}: {error}"),
    }
}

/// What is answered by a CHECK or a foreign key.
fn violation(constraint: &str) -> Option<(SqlState, String)> {
    let is_key = constraint.ends_with("_fkey");
    let state = if is_key { SqlState::FOREIGN_KEY_VIOLATION } else { SqlState::CHECK_VIOLATION };
    Some((state, constraint.to_owned()))
}

#[tokio::test]
async fn the_database_itself_refuses_what_the_core_would_never_do() {
    let databases = Databases::start().await;
    let mut owner = owner(&databases).await;
    for table in tables() {
        assert_eq!(refusal(&mut owner, table, &[]).await, None, "{} takes {:?}", table.name, table.taken);
        for (constraint, differences) in table.refused {
            let refused = refusal(&mut owner, table, differences).await;
            assert_eq!(refused, violation(constraint), "{} with {differences:?}", table.name);
        }
    }
    databases.finish().await;
}

#[tokio::test]
async fn no_constraint_is_without_a_row_that_violates_it() {
    let databases = Databases::start().await;
    let constraints = "select distinct conname::text from pg_constraint
                       where connamespace = 'public'::regnamespace and contype in ('c', 'f')";
    let rows = databases.admin("AZ").await.query(constraints, &[]).await.unwrap();
    let known: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let cases = tables().flat_map(|table| table.refused).map(|(constraint, _)| (*constraint).to_owned());
    assert_eq!(cases.collect::<BTreeSet<String>>(), known);
    databases.finish().await;
}

#[tokio::test]
async fn each_kind_of_transfer_has_its_columns_and_no_others() {
    let databases = Databases::start().await;
    let mut owner = owner(&databases).await;
    for kind in transfers::KINDS {
        let word = format!("'{}'", kind.word);
        let mut row = vec![("kind", word.as_str())];
        row.extend(transfers::KIND_COLUMNS.into_iter().filter(|(column, _)| kind.needs.contains(column)));
        let lines = if kind.has_lines { transfers::LINE } else { transfers::NO_LINE };
        let others = if kind.has_lines { transfers::NO_LINE } else { transfers::LINE };
        let taken = [&row[..], lines].concat();
        assert_eq!(refusal(&mut owner, &transfers::TRANSFER, &taken).await, None, "{word}");
        let refused = refusal(&mut owner, &transfers::TRANSFER, &[&row[..], others].concat()).await;
        assert_eq!(refused, violation("transfer_sides"), "{word}");
        for (column, value) in transfers::KIND_COLUMNS {
            let value = if kind.needs.contains(&column) { "null" } else { value };
            let expected = if kind.may_have.contains(&column) { None } else { violation("transfer_kind") };
            let refused = refusal(&mut owner, &transfers::TRANSFER, &[&taken[..], &[(column, value)]].concat()).await;
            assert_eq!(refused, expected, "{word} with {column} {value}");
        }
    }
    databases.finish().await;
}

#[tokio::test]
async fn a_branch_is_one_branch_and_decides_for_its_present_incarnation_only() {
    let databases = Databases::start().await;
    let owner = owner(&databases).await;
    for (statement, state) in [
        (
            "insert into batch_number (deployment, part, part_number, system_identifier) values ('x', 'AZ', 1, 1)",
            SqlState::UNIQUE_VIOLATION,
        ),
        (
            "insert into batch (id, outcome, home, parts) values ('AZ-2-1', 'committed', 'AZ', '{AZ}')",
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        ),
    ] {
        let error = owner.batch_execute(statement).await.expect_err(statement);
        assert_eq!(error.code(), Some(&state), "{statement}: {error:?}");
    }
    databases.finish().await;
}
