//! The prepared statements of the engine's writers, made once on each connection.

use crate::rows::{LOCKED_COLUMNS, TRANSFER_COLUMNS};
use futures_util::future::try_join5;
use nostro_commit::Message;
use std::time::Duration;
use tokio_postgres::{Client, Error, Statement};

/// What a writer sends for every batch. Arrays in, so that one row is the N = 1 case.
#[derive(Clone)]
pub struct Statements {
    pub(crate) lock_accounts: Statement,
    pub(crate) find_transfers: Statement,
    pub(crate) update_accounts: Statement,
    pub(crate) insert_transfers: Statement,
    pub(crate) insert_nets: Statement,
    pub(crate) clock: Statement,
}

impl std::fmt::Debug for Statements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Statements")
    }
}

impl Statements {
    /// Bounds every lock wait of the session, gates included, and prepares all statements.
    pub async fn open(client: &Client, lock_wait: Duration) -> Result<Self, Error> {
        client
            .batch_execute(&format!("{} set lock_timeout = '{}ms'", Message::OpenSession, lock_wait.as_millis()))
            .await?;
        // Any row order: whoever is here is inside the gate, and nobody past the gate waits for a row.
        let lock_accounts =
            format!("{} select {LOCKED_COLUMNS} from account where id = any($1) for no key update", Message::LockRows);
        let find_transfers =
            format!("{} select {TRANSFER_COLUMNS} from transfer where id = any($1)", Message::ReadKnown);
        let clock = client.prepare(&format!("{} select clock_timestamp()", Message::ReadClock)).await?;
        let update_accounts = format!(
            "{} update account a
             set balance = w.balance, seq = w.seq, last_posted_at = $4
             from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as w (id, balance, seq)
             where a.id = w.id",
            Message::UpdateRows
        );
        let insert_transfers = format!(
            "{} insert into transfer (id, kind, debit, credit, amount, currency, category, reference, refusal,
               debit_balance_after, debit_seq, credit_balance_after, credit_seq, batch, posted_at)
             select w.*, $14, $15
             from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::integer[],
               $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[]) as w",
            Message::InsertRows
        );
        let insert_nets = format!(
            "{} insert into batch_net (batch, counterparty, currency, amount, hash)
             select $5, w.*
             from unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[]) as w",
            Message::InsertNets
        );
        let (lock_accounts, find_transfers, update_accounts, insert_transfers, insert_nets) = try_join5(
            client.prepare(&lock_accounts),
            client.prepare(&find_transfers),
            client.prepare(&update_accounts),
            client.prepare(&insert_transfers),
            client.prepare(&insert_nets),
        )
        .await?;
        Ok(Self { lock_accounts, find_transfers, update_accounts, insert_transfers, insert_nets, clock })
    }
}
