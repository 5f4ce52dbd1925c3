//! A branch's database as an earlier version of the program left it.

use nostro_commit::schema;
use nostro_torture::databases::Databases;
use sha2::{Digest, Sha256};

/// The published texts, in their order.
const MIGRATIONS: [(&str, &str); 4] = [
    ("commit", schema::TABLES),
    ("bank", include_str!("../../../nostro-store/src/migrations/0002_bank.sql")),
    ("positions", include_str!("../../../nostro-store/src/migrations/0003_positions.sql")),
    ("restored", schema::RESTORED),
];

/// Empties the branch's database and applies the first migrations only.
pub async fn take_back(databases: &Databases, code: &str, number: i32, last: usize) {
    let admin = databases.admin(code).await;
    admin
        .batch_execute(
            "drop schema public cascade;
             create schema public authorization nostro_owner;
             set role nostro_owner;
             grant usage on schema public to nostro_commit;
             create table migration (
               number integer not null,
               name text not null,
               sha256 bytea not null,
               applied_at timestamptz not null default clock_timestamp(),
               constraint migration_pkey primary key (number)
             )",
        )
        .await
        .unwrap();
    for (number, (name, sql)) in (1_i32..).zip(MIGRATIONS).take(last) {
        admin.batch_execute(sql).await.unwrap();
        let hash = Sha256::digest(sql).to_vec();
        let record = "insert into migration (number, name, sha256) values ($1, $2, $3)";
        admin.execute(record, &[&number, &name, &hash]).await.unwrap();
    }
    admin.execute(schema::STAMP, &[&"test", &code, &number]).await.unwrap();
}
