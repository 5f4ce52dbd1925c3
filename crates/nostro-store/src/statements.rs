//! The prepared statements of the engine, made once on each connection.

use crate::rows::{ACCOUNT_COLUMNS, ENTRY_COLUMNS, HOLD_COLUMNS, LOCKED_COLUMNS, TRANSFER_COLUMNS};
use crate::transfer_rows::Width;
use futures_util::future::{try_join, try_join4, try_join5};
use nostro_commit::Message;
use std::time::Duration;
use tokio_postgres::{Client, Error, Statement};

/// What is sent again and again. Arrays in, so that one row is the N = 1 case.
#[derive(Clone)]
pub struct Statements {
    pub(crate) lock_accounts: Statement,
    pub(crate) find_transfers: Statement,
    pub(crate) find_transfers_anywhere: Statement,
    pub(crate) detached_periods: Statement,
    pub(crate) find_holds: Statement,
    pub(crate) find_originals: Statement,
    pub(crate) update_accounts: Statement,
    pub(crate) update_and_mark_accounts: Statement,
    copy_transfers: [Statement; 2],
    insert_transfer: [Statement; 2],
    pub(crate) write_holds: Statement,
    pub(crate) write_reversals: Statement,
    pub(crate) insert_nets: Statement,
    pub(crate) clock: Statement,
    pub(crate) find_accounts: Statement,
    pub(crate) list_entries: Statement,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Batches.
    Writing,
    /// Look-ups, audits and what one customer asks for.
    Reading,
}

/// A server that died or gave up while its batch waited for a gate or a row must not be given it later.
const GONE: &str = "set client_connection_check_interval = '200ms'";

/// Every statement of a batch finds its rows by key, whatever the tables' statistics say at the moment: a plan that
/// reads a whole table would be chosen while the table is small, and kept while it grows. What is switched off has a
/// cost in the planner's eyes for which it would compile a plan (jit), which takes longer than the whole batch.
const BY_KEY: &str = "set jit = off; set plan_cache_mode = force_generic_plan; set enable_seqscan = off; \
     set enable_hashjoin = off; set enable_mergejoin = off";

/// Nobody waits for a look-up, an audit or a roll-up longer; what nobody waits for ends by itself.
const ABANDONED: &str = "set statement_timeout = '60s'";

impl std::fmt::Debug for Statements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Statements")
    }
}

impl Statements {
    /// Bounds every lock wait of the session, gates included, and prepares all statements.
    pub async fn open(client: &Client, purpose: Purpose, lock_wait: Duration) -> Result<Self, Error> {
        let settings = match purpose {
            Purpose::Writing => format!("{GONE}; {BY_KEY}"),
            Purpose::Reading => ABANDONED.to_owned(),
        };
        client
            .batch_execute(&format!(
                "{} set lock_timeout = '{}ms'; {settings}",
                Message::OpenSession,
                lock_wait.as_millis()
            ))
            .await?;
        // Any row order: whoever is here is inside the gate, and nobody past the gate waits for a row. A join, not
        // `id = any($1)`: a row that changed while it was waited for is checked again, against the whole array.
        let lock_accounts = format!(
            "{} select {LOCKED_COLUMNS}
             from unnest($1::bigint[]) as w (id)
             join account a on a.id = w.id
             for no key update of a",
            Message::LockRows
        );
        let find_transfers = format!(
            "{} select {TRANSFER_COLUMNS} from transfer where period = $1 and id = any($2)",
            Message::ReadKnown
        );
        let find_transfers_anywhere =
            format!("{} select {TRANSFER_COLUMNS} from transfer where id = any($1)", Message::ReadKnown);
        let detached_periods = format!(
            "{} select period from transfer_period where period = any($1) and detached_at is not null",
            Message::ReadPeriods
        );
        let clock = format!("{} select clock_timestamp()", Message::ReadClock);
        // An array less to send and to unfold, where every mark is as it was: nearly always.
        let update = |set: &str, array: &str, column: &str| {
            format!(
                "{} update account a
                 set balance = w.balance, held = w.held, seq = w.seq, last_transfer = w.last_transfer, last_posted_at = $7{set}
                 from unnest($1::tid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[]{array})
                   as w (place, id, balance, held, seq, last_transfer{column})
                 where a.ctid = w.place
                   and a.id = w.id",
                Message::UpdateRows
            )
        };
        let update_accounts = update("", "", "");
        let update_and_mark_accounts =
            update(", limit_exceeded = w.limit_exceeded", ", $8::boolean[]", ", limit_exceeded");
        let [copy_plain, copy_all] = [Width::Plain, Width::All].map(|width| {
            let (names, _) = width.names_and_places();
            format!("{} copy transfer ({names}) from stdin (format binary)", Message::InsertRows)
        });
        let [insert_plain, insert_all] = [Width::Plain, Width::All].map(|width| {
            let (names, places) = width.names_and_places();
            format!("{} insert into transfer ({names}) values ({places})", Message::InsertRows)
        });
        let find_holds = format!("{} select {HOLD_COLUMNS} from hold where id = any($1)", Message::ReadKnown);
        // Where the account that was paid is kept: there, and only there, is known how much has gone back.
        let find_originals = format!(
            "{} select t.id, t.kind, t.debit, t.credit, t.amount, t.currency, coalesce(r.reversed, 0)
             from unnest($1::integer[], $2::uuid[]) as asked (in_period, under)
             join transfer t on t.period = in_period and t.id = under
             left join reversal r on r.original = t.id
             where t.credit_seq is not null",
            Message::ReadKnown
        );
        let write_reversals = format!(
            "{} insert into reversal as r (original, amount, reversed)
             select * from unnest($1::uuid[], $2::bigint[], $3::bigint[])
             on conflict (original) do update
             set reversed = excluded.reversed
             where r.reversed < excluded.reversed",
            Message::UpdateRows
        );
        // One that is there is of these accounts: its id is taken otherwise, which the key of `transfer` meets.
        let write_holds = format!(
            "{} insert into hold as h
               (id, debit, credit, amount, currency, captured, released, state, expires_at, placed_at, ended_at)
             select *
             from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[],
               $8::text[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[])
             on conflict (id) do update
             set captured = excluded.captured, released = excluded.released, state = excluded.state, ended_at = excluded.ended_at
             where h.debit = excluded.debit and h.credit = excluded.credit and h.state = 'open'",
            Message::UpdateRows
        );
        let insert_nets = format!(
            "{} insert into batch_net (batch, counterparty, currency, amount, hash)
             select $5, w.*
             from unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[]) as w",
            Message::InsertNets
        );
        let find_accounts = format!("select {ACCOUNT_COLUMNS} from account where id = any($1)");
        let list_entries = format!("select {ENTRY_COLUMNS} from account_entries($1, $2, $3)");
        // All are sent, then all are heard of.
        let batches = try_join5(
            client.prepare(&lock_accounts),
            try_join(client.prepare(&update_accounts), client.prepare(&update_and_mark_accounts)),
            try_join(client.prepare(&copy_plain), client.prepare(&copy_all)),
            try_join(client.prepare(&insert_plain), client.prepare(&insert_all)),
            client.prepare(&insert_nets),
        );
        let holds = try_join4(
            client.prepare(&find_holds),
            client.prepare(&write_holds),
            client.prepare(&find_originals),
            client.prepare(&write_reversals),
        );
        let ids = try_join4(
            client.prepare(&clock),
            client.prepare(&find_transfers),
            client.prepare(&find_transfers_anywhere),
            client.prepare(&detached_periods),
        );
        let look_ups = try_join(client.prepare(&find_accounts), client.prepare(&list_entries));
        let all = Box::pin(try_join4(batches, holds, ids, look_ups));
        let (batches, holds, ids, look_ups) = all.await?;
        let (lock_accounts, (update_accounts, update_and_mark_accounts), copy_transfers, insert_transfer, insert_nets) =
            batches;
        let (find_holds, write_holds, find_originals, write_reversals) = holds;
        let (clock, find_transfers, find_transfers_anywhere, detached_periods) = ids;
        let (find_accounts, list_entries) = look_ups;
        Ok(Self {
            lock_accounts,
            find_transfers,
            find_transfers_anywhere,
            detached_periods,
            find_holds,
            find_originals,
            update_accounts,
            update_and_mark_accounts,
            copy_transfers: copy_transfers.into(),
            insert_transfer: insert_transfer.into(),
            write_holds,
            write_reversals,
            insert_nets,
            clock,
            find_accounts,
            list_entries,
        })
    }

    pub(crate) fn copy_transfers(&self, width: Width) -> &Statement {
        Self::of_width(&self.copy_transfers, width)
    }

    pub(crate) fn insert_transfer(&self, width: Width) -> &Statement {
        Self::of_width(&self.insert_transfer, width)
    }

    fn of_width([plain, all]: &[Statement; 2], width: Width) -> &Statement {
        match width {
            Width::Plain => plain,
            Width::All => all,
        }
    }
}
