//! Rows that are changed behind the bank's back, by a superuser whom no trigger stops, and put back.

use nostro_torture::databases::Databases;
use tokio_postgres::Client;

/// The tables that are tampered with.
const TABLES: [&str; 7] = ["account", "transfer", "hold", "reversal", "batch", "participation", "batch_net"];

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
pub async fn tamper(admin: &Client, sql: &str) {
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
    pub async fn restore(&self, admin: &Client, table: &str) {
        let sql = format!("delete from {table}; insert into {table} overriding system value select * from kept.{table}");
        tamper(admin, &sql).await;
    }
}
