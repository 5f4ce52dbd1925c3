//! The texts of the engine's statements.

use crate::rows::{ACCOUNT_COLUMNS, ENTRY_COLUMNS, HOLD_COLUMNS, LOCKED_COLUMNS, TRANSFER_COLUMNS};
use crate::transfer_rows::Width;
use nostro_commit::Message;

/// Any row order: whoever is here is inside the gate, and nobody past the gate waits for a row. A join, not
/// `id = any($1)`: a row that changed while it was waited for is checked again, against the whole array.
pub(crate) fn lock_accounts() -> String {
    format!(
        "{} select {LOCKED_COLUMNS}
         from unnest($1::bigint[]) as w (id)
         join account a on a.id = w.id
         for no key update of a",
        Message::LockRows
    )
}

pub(crate) fn find_transfers() -> String {
    format!("{} select {TRANSFER_COLUMNS} from transfer where period = $1 and id = any($2)", Message::ReadKnown)
}

pub(crate) fn find_transfers_anywhere() -> String {
    format!("{} select {TRANSFER_COLUMNS} from transfer where id = any($1)", Message::ReadKnown)
}

pub(crate) fn detached_periods() -> String {
    format!(
        "{} select period from transfer_period where period = any($1) and detached_at is not null",
        Message::ReadPeriods
    )
}

pub(crate) fn clock() -> String {
    format!("{} select clock_timestamp()", Message::ReadClock)
}

/// An array less to send and to unfold than [`update_and_mark_accounts`], where every mark is as it was: nearly always.
pub(crate) fn update_accounts() -> String {
    update("", "")
}

pub(crate) fn update_and_mark_accounts() -> String {
    update(", limit_exceeded = w.limit_exceeded", ", unnest($8::boolean[]) as limit_exceeded")
}

/// The arrays unfold among the columns: in `from` each would be kept in a store of its own first.
fn update(set: &str, column: &str) -> String {
    format!(
        "{} update account a
         set balance = w.balance, held = w.held, seq = w.seq, last_transfer = w.last_transfer, last_posted_at = $7{set}
         from (
           select unnest($1::tid[]) as place, unnest($2::bigint[]) as id, unnest($3::bigint[]) as balance,
             unnest($4::bigint[]) as held, unnest($5::bigint[]) as seq, unnest($6::uuid[]) as last_transfer{column}
         ) as w
         where a.ctid = w.place
           and a.id = w.id",
        Message::UpdateRows
    )
}

pub(crate) fn copy_transfers(width: Width) -> String {
    let (names, _) = width.names_and_places();
    format!("{} copy transfer ({names}) from stdin (format binary)", Message::InsertRows)
}

pub(crate) fn insert_transfer(width: Width) -> String {
    let (names, places) = width.names_and_places();
    format!("{} insert into transfer ({names}) values ({places})", Message::InsertRows)
}

pub(crate) fn find_holds() -> String {
    format!("{} select {HOLD_COLUMNS} from hold where id = any($1)", Message::ReadKnown)
}

/// Where the account that was paid is kept: there, and only there, is known how much has gone back.
pub(crate) fn find_originals() -> String {
    format!(
        "{} select t.id, t.kind, t.debit, t.credit, t.amount, t.currency, coalesce(r.reversed, 0)
         from unnest($1::integer[], $2::uuid[]) as asked (in_period, under)
         join transfer t on t.period = in_period and t.id = under
         left join reversal r on r.original = t.id
         where t.credit_seq is not null",
        Message::ReadKnown
    )
}

pub(crate) fn write_reversals() -> String {
    format!(
        "{} insert into reversal as r (original, amount, reversed)
         select unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[])
         on conflict (original) do update
         set reversed = excluded.reversed
         where r.reversed < excluded.reversed",
        Message::UpdateRows
    )
}

/// One that is there is of these accounts: its id is taken otherwise, which the key of `transfer` meets.
pub(crate) fn write_holds() -> String {
    format!(
        "{} insert into hold as h
           (id, debit, credit, amount, currency, captured, released, state, expires_at, placed_at, ended_at)
         select unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::bigint[]), unnest($5::text[]),
           unnest($6::bigint[]), unnest($7::bigint[]), unnest($8::text[]), unnest($9::timestamptz[]),
           unnest($10::timestamptz[]), unnest($11::timestamptz[])
         on conflict (id) do update
         set captured = excluded.captured, released = excluded.released, state = excluded.state, ended_at = excluded.ended_at
         where h.debit = excluded.debit and h.credit = excluded.credit and h.state = 'open'",
        Message::UpdateRows
    )
}

pub(crate) fn insert_nets() -> String {
    format!(
        "{} insert into batch_net (batch, counterparty, currency, amount, hash)
         select $5, w.*
         from unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[]) as w",
        Message::InsertNets
    )
}

pub(crate) fn find_accounts() -> String {
    format!("select {ACCOUNT_COLUMNS} from account where id = any($1)")
}

pub(crate) fn list_entries() -> String {
    format!("select {ENTRY_COLUMNS} from account_entries($1, $2, $3)")
}
