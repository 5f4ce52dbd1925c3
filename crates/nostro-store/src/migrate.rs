//! Makes a database a branch of a bank, and brings its tables up to date.
//!
//! Migrations only go forward, are numbered, and each is applied in a transaction of its own as `nostro_owner`,
//! behind an advisory lock, so that two servers that start at once do not both migrate. The SHA-256 of each is
//! kept: a database whose past differs from this program's is refused, not guessed at.

use crate::rows::BranchId;
use nostro_commit::{Deployment, schema};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

/// Behind this advisory lock one migrates at a time.
const MIGRATION_LOCK: i64 = 0x6e6f_7374_726f_0001;

/// A migration whose tables are busy for longer fails: then a batch is in doubt, or somebody's transaction is open.
const LOCKS_WAIT_MAX: Duration = Duration::from_secs(30);
/// Between two tries; batches that waited for the last one go on meanwhile.
const LOCKS_PAUSE: Duration = Duration::from_millis(300);

struct Migration {
    number: i32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "commit", sql: schema::TABLES },
    Migration { number: 2, name: "bank", sql: include_str!("migrations/0002_bank.sql") },
    Migration { number: 3, name: "positions", sql: include_str!("migrations/0003_positions.sql") },
    Migration { number: 4, name: "restored", sql: schema::RESTORED },
    Migration { number: 5, name: "history", sql: include_str!("migrations/0005_history.sql") },
    Migration { number: 6, name: "entries", sql: include_str!("migrations/0006_entries.sql") },
    Migration { number: 7, name: "operations", sql: include_str!("migrations/0007_operations.sql") },
    Migration { number: 8, name: "limits", sql: include_str!("migrations/0008_limits.sql") },
    Migration { number: 9, name: "chains", sql: include_str!("migrations/0009_chains.sql") },
    Migration { number: 10, name: "statements", sql: include_str!("migrations/0010_statements.sql") },
    Migration { number: 11, name: "audit", sql: include_str!("migrations/0011_audit.sql") },
    Migration { number: 12, name: "due", sql: include_str!("migrations/0012_due.sql") },
    Migration { number: 13, name: "contents", sql: include_str!("migrations/0013_contents.sql") },
    Migration { number: 14, name: "due_order", sql: include_str!("migrations/0014_due_order.sql") },
];

/// A branch as it stands in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRow {
    /// Code and number.
    pub branch: BranchId,
    /// For people.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Host and port of its database.
    pub address: String,
}

/// Why a database was not made or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database said no.
    #[error("the database refused {0}")]
    Refused(&'static str, #[source] Error),
    /// Its past is not this program's.
    #[error(
        "migration {number} of the database differs from this program's: it was made by another build of nostro; use that build, or a new database"
    )]
    AnotherPast {
        /// The first that differs.
        number: i32,
    },
    /// It is ahead of this program.
    #[error("the database has migration {found}, this program knows up to {known}: use a newer nostro")]
    Ahead {
        /// The database's last.
        found: i32,
        /// The program's last.
        known: i32,
    },
    /// It was stamped as another one.
    #[error("the database is {found}, expected {expected}: the configuration points to another branch's database")]
    AnotherBranch {
        /// By the configuration.
        expected: String,
        /// By the database.
        found: String,
    },
}

fn refused(what: &'static str) -> impl FnOnce(Error) -> MigrateError {
    move |error| MigrateError::Refused(what, error)
}

/// In a new cluster, as its superuser in the database `postgres`: roles, the server's login and the database.
/// Harmless when they exist; the password is set anew.
pub async fn prepare_cluster(
    superuser: &Client,
    database: &str,
    login: &str,
    password: &str,
) -> Result<(), MigrateError> {
    superuser.batch_execute(schema::ROLES).await.map_err(refused("the roles"))?;
    let quoted = |text: &str| text.replace('\'', "''");
    let login_exists = superuser
        .query_opt("select from pg_roles where rolname = $1", &[&login])
        .await
        .map_err(refused("to look for the login role"))?
        .is_some();
    let verb = if login_exists { "alter" } else { "create" };
    superuser
        .batch_execute(&format!(
            "{verb} role \"{login}\" login nosuperuser nocreatedb nocreaterole noinherit password '{}';
             grant nostro_commit to \"{login}\"",
            quoted(password)
        ))
        .await
        .map_err(refused("the login role"))?;
    let exists = superuser
        .query_opt("select from pg_database where datname = $1", &[&database])
        .await
        .map_err(refused("to look for the database"))?
        .is_some();
    if !exists {
        superuser
            .batch_execute(&format!("create database \"{database}\" owner nostro_owner"))
            .await
            .map_err(refused("the database"))?;
    }
    superuser
        .batch_execute(&format!(
            "revoke all on database \"{database}\" from public;
             grant connect on database \"{database}\" to nostro_commit, \"{login}\""
        ))
        .await
        .map_err(refused("the grants on the database"))
}

/// Brings the database that `client` is connected to up to date and writes the directory. The role must be a
/// superuser, or a member of `nostro_owner` once the roles exist.
pub async fn migrate(
    client: &mut Client,
    deployment: &Deployment,
    branch: BranchId,
    directory: &[DirectoryRow],
) -> Result<(), MigrateError> {
    client.batch_execute(schema::ROLES).await.map_err(refused("the roles"))?;
    client.execute("select pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await.map_err(refused("the migration lock"))?;
    let done = migrate_locked(client, deployment, branch, directory).await;
    let _ = client.batch_execute("reset role").await;
    client.execute("select pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await.map_err(refused("the migration lock"))?;
    done
}

async fn migrate_locked(
    client: &mut Client,
    deployment: &Deployment,
    branch: BranchId,
    directory: &[DirectoryRow],
) -> Result<(), MigrateError> {
    client
        .batch_execute(
            "set role nostro_owner;
             grant usage on schema public to nostro_commit;
             create table if not exists migration (
               number integer not null,
               name text not null,
               sha256 bytea not null,
               applied_at timestamptz not null default clock_timestamp(),
               constraint migration_pkey primary key (number)
             );
             comment on table migration is 'Which migrations were applied, and the hash of their text.';
             grant select on migration to nostro_commit",
        )
        .await
        .map_err(refused("the table of migrations (its schema public must belong to nostro_owner)"))?;
    let rows = client
        .query("select number, sha256 from migration order by number", &[])
        .await
        .map_err(refused("to read the table of migrations"))?;
    let last = rows.last().map_or(0, |row| row.get(0));
    if let Some(ahead) = rows.iter().map(|row| row.get::<_, i32>(0)).find(|number| *number > last_known()) {
        return Err(MigrateError::Ahead { found: ahead, known: last_known() });
    }
    for (row, known) in rows.iter().zip(MIGRATIONS) {
        if row.get::<_, &[u8]>(1) != hash(known).as_slice() {
            return Err(MigrateError::AnotherPast { number: known.number });
        }
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > last) {
        apply(client, migration).await?;
    }
    stamp(client, deployment, branch).await?;
    write_directory(client, directory).await
}

fn last_known() -> i32 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

fn hash(migration: &Migration) -> Vec<u8> {
    Sha256::digest(migration.sql).to_vec()
}

/// Behind a lock request of DDL everybody queues, so it is short, and tried again while batches are in the way.
async fn apply(client: &mut Client, migration: &Migration) -> Result<(), MigrateError> {
    let until = Instant::now() + LOCKS_WAIT_MAX;
    loop {
        match apply_once(client, migration).await {
            Err(error) if is_lock_timeout(&error) && Instant::now() < until => {
                tracing::info!(
                    number = migration.number,
                    name = migration.name,
                    "a table is busy, trying the migration again"
                );
                tokio::time::sleep(LOCKS_PAUSE).await;
            }
            done => return done,
        }
    }
}

fn is_lock_timeout(error: &MigrateError) -> bool {
    matches!(error, MigrateError::Refused(_, error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
}

async fn apply_once(client: &mut Client, migration: &Migration) -> Result<(), MigrateError> {
    let transaction = client.transaction().await.map_err(refused("a transaction"))?;
    transaction.batch_execute("set local lock_timeout = '200ms'").await.map_err(refused("a transaction"))?;
    transaction.batch_execute(migration.sql).await.map_err(refused(migration.name))?;
    transaction
        .execute(
            "insert into migration (number, name, sha256) values ($1, $2, $3)",
            &[&migration.number, &migration.name, &hash(migration)],
        )
        .await
        .map_err(refused("the record of a migration"))?;
    transaction.commit().await.map_err(refused(migration.name))?;
    tracing::info!(number = migration.number, name = migration.name, "applied a migration");
    Ok(())
}

async fn stamp(client: &Client, deployment: &Deployment, branch: BranchId) -> Result<(), MigrateError> {
    let number = i32::try_from(branch.number.get()).unwrap_or(i32::MAX);
    let code = branch.code.to_string();
    let deployment = deployment.to_string();
    client.execute(schema::STAMP, &[&deployment, &code, &number]).await.map_err(refused("the identity"))?;
    let row = client
        .query_one("select deployment, part, part_number from batch_number", &[])
        .await
        .map_err(refused("to read the identity"))?;
    let name =
        |deployment: &str, code: &str, number: i32| format!("{code} (number {number}) of deployment {deployment}");
    let expected = name(&deployment, &code, number);
    let found = name(row.get(0), row.get(1), row.get(2));
    if expected == found { Ok(()) } else { Err(MigrateError::AnotherBranch { expected, found }) }
}

async fn write_directory(client: &Client, directory: &[DirectoryRow]) -> Result<(), MigrateError> {
    for row in directory {
        let number = i32::try_from(row.branch.number.get()).unwrap_or(i32::MAX);
        client
            .execute(
                "insert into branch (code, number, name, time_zone, address)
                 values ($1, $2, $3, $4, $5)
                 on conflict (code) do update
                 set name = excluded.name, time_zone = excluded.time_zone, address = excluded.address
                 where (branch.name, branch.time_zone, branch.address)
                   is distinct from (excluded.name, excluded.time_zone, excluded.address)",
                &[&row.branch.code.to_string(), &number, &row.name, &row.time_zone, &row.address],
            )
            .await
            .map_err(refused("the directory of branches"))?;
    }
    Ok(())
}
