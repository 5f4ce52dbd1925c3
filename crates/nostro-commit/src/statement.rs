//! The SQL of the protocol.
//!
//! PREPARE TRANSACTION and its like take no parameters, so these texts carry their values; the values come from
//! types that admit only letters, digits and the characters `: , -` ([`crate::id`]). The two guarded messages
//! begin with a statement that fails in a failed transaction (25P02), because PREPARE TRANSACTION and COMMIT
//! alone would answer ROLLBACK there without an error.

use crate::id::{Batch, Gid};
use crate::message::Message;
use crate::token::CommitToken;

/// One message: fails with 25P02 if the transaction has failed, else prepares it.
pub fn prepare(gid: &Gid) -> String {
    format!("{} select 1; prepare transaction '{gid}'", Message::Prepare)
}

/// One message: the decision row and the commit that is the decision.
pub fn decide(batch: &Batch) -> String {
    format!(
        "{} insert into batch (id, outcome, home, parts) values ('{}', 'committed', '{}', '{}'); commit",
        Message::Decide,
        batch.id,
        batch.id.home,
        array(batch)
    )
}

/// A message of its own: PostgreSQL refuses it beside other statements (25001). The token proves the decision.
pub(crate) fn commit_prepared(gid: &Gid, token: CommitToken) -> String {
    assert_eq!(gid.batch, token.batch(), "a decision finishes its own batch only");
    format!("{} commit prepared '{gid}'", Message::CommitPrepared)
}

/// A message of its own.
pub fn roll_back_prepared(gid: &Gid) -> String {
    format!("{} rollback prepared '{gid}'", Message::RollBackPrepared)
}

/// At a participant, inside its transaction: the marker row that becomes visible with COMMIT PREPARED.
pub fn participate(batch: &Batch) -> String {
    format!(
        "{} insert into participation (batch, outcome, home, parts) values ('{}', 'committed', '{}', '{}')",
        Message::Mark,
        batch.id,
        batch.id.home,
        array(batch)
    )
}

/// At home: insert the abort row, or wait for a decision in flight and return the row that won. One statement, on
/// purpose: an insert-or-select returns no row after waiting. `$1` id, `$2` home, `$3` parts.
pub fn settle() -> String {
    format!(
        "{} insert into batch (id, outcome, home, parts)
         values ($1, 'aborted', $2, $3)
         on conflict (id) do update set touched = now()
         returning outcome, parts",
        Message::Settle
    )
}

/// At a participant: insert the tombstone or return the marker that is there. `$1` batch, `$2` home, `$3` parts.
pub fn tombstone() -> String {
    format!(
        "{} insert into participation (batch, outcome, home, parts)
         values ($1, 'aborted', $2, $3)
         on conflict (batch) do update set touched = now()
         returning outcome",
        Message::Tombstone
    )
}

/// At a participant: the marker, if there is one. `$1` batch.
pub fn read_marker() -> String {
    format!("{} select outcome from participation where batch = $1", Message::ReadMarker)
}

/// Ends the open transaction of a part.
pub fn roll_back() -> String {
    format!("{} rollback", Message::RollBack)
}

/// One row at least: the prepared transactions of ours with their ages, oldest first, and beside each how many
/// slots are used, by whoever in the cluster, and how many there are. `$1` the beginning of our gids.
pub const LOOK: &str = "
    select x.gid, x.age_ms, s.used, current_setting('max_prepared_transactions')::integer as slots
    from (select count(*)::integer as used from pg_prepared_xacts) s
    left join (
      select gid, (extract(epoch from clock_timestamp() - prepared) * 1000)::bigint as age_ms
      from pg_prepared_xacts
      where database = current_database()
        and starts_with(gid, $1)
    ) x on true
    order by x.age_ms desc";

/// The sessions that wait for prepared transactions of ours, or behind one that does. A prepared transaction has
/// no process, so `pg_blocking_pids` shows 0 for it; its locks are found by the one on its own transaction id,
/// which it holds under the same virtual transaction. `$1` the beginning of our gids.
pub const WAITING: &str = "
    with recursive ours as (
      select x.gid, own.virtualtransaction as holder
      from pg_prepared_xacts x
      join pg_locks own on own.locktype = 'transactionid' and own.transactionid = x.transaction and own.granted
      where x.database = current_database()
        and starts_with(x.gid, $1)
    ), waiting as materialized (
      select pid, locktype, mode, waitstart, database, relation, transactionid, pg_blocking_pids(pid) as blockers
      from pg_locks
      where not granted
        and pid is not null
    ), waiter as (
      select o.gid, w.pid, true as direct
      from ours o
      join pg_locks held on held.virtualtransaction = o.holder and held.pid is null and held.granted
        and held.locktype in ('transactionid', 'relation')
      join waiting w on w.locktype = held.locktype
        and (w.database, w.relation, w.transactionid) is not distinct from (held.database, held.relation, held.transactionid)
        and 0 = any(w.blockers)
      union
      select before.gid, w.pid, false
      from waiter before
      join waiting w on before.pid = any(w.blockers)
    )
    select distinct on (r.gid, r.pid) r.gid, r.pid, r.direct, w.locktype, w.mode,
           coalesce(a.application_name, '') as application,
           coalesce((extract(epoch from clock_timestamp() - w.waitstart) * 1000)::bigint, 0) as waited_ms
    from waiter r
    join waiting w on w.pid = r.pid
    left join pg_stat_activity a on a.pid = r.pid
    order by r.gid, r.pid, r.direct desc";

/// At home: its present incarnation, and the rows that are there, without inserting one: what is missing is not
/// aborted by this. One row at least, of nulls but for the incarnation. `$1` ids.
pub const READ_DECISIONS: &str = "
    select n.incarnation, b.id, b.outcome
    from batch_number n
    left join batch b on b.id = any($1)";

/// What a database knows of a batch: the name of its prepared transaction, the parts of its rows. `$1` id, `$2`
/// the beginning of the batch's gids.
pub const TRACES: &str = "
    select gid, null::text[] as parts
    from pg_prepared_xacts
    where database = current_database()
      and starts_with(gid, $2)
    union all
    select null, parts from participation where batch = $1
    union all
    select null, parts from batch where id = $1 and parts is not null";

fn array(batch: &Batch) -> String {
    let parts: Vec<String> = batch.parts().iter().map(ToString::to_string).collect();
    format!("{{{}}}", parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{BatchId, Participants};

    #[test]
    fn statements_carry_the_batch_in_their_text() {
        let id = BatchId { home: "AZ".parse().unwrap(), incarnation: 1, number: 7 };
        let participants = Participants::new(id.home, ["TX".parse().unwrap()]).unwrap();
        let batch = Batch { id, participants };
        let gid = batch.gid(&"demo".parse().unwrap(), "TX".parse().unwrap());
        assert_eq!(prepare(&gid), "/*n13*/ select 1; prepare transaction 'n1:demo:AZ:1:7:TX:TX'");
        assert_eq!(commit_prepared(&gid, CommitToken::decided(id)), "/*n15*/ commit prepared 'n1:demo:AZ:1:7:TX:TX'");
        assert_eq!(roll_back_prepared(&gid), "/*n18*/ rollback prepared 'n1:demo:AZ:1:7:TX:TX'");
        assert_eq!(
            decide(&batch),
            "/*n14*/ insert into batch (id, outcome, home, parts) values ('AZ-1-7', 'committed', 'AZ', '{AZ,TX}'); commit"
        );
    }
}
