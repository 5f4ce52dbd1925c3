//! The SQL of the protocol.
//!
//! PREPARE TRANSACTION and its like take no parameters, so these texts carry their values; the values come from
//! types that admit only letters, digits and the characters `: , -` ([`crate::id`]). The two guarded messages
//! begin with a statement that fails in a failed transaction (25P02), because PREPARE TRANSACTION and COMMIT
//! alone would answer ROLLBACK there without an error.

use crate::id::{Batch, Gid};
use crate::token::CommitToken;

/// One message: fails with 25P02 if the transaction has failed, else prepares it.
pub fn prepare(gid: &Gid) -> String {
    format!("select 1; prepare transaction '{gid}'")
}

/// One message: the decision row and the commit that is the decision.
pub fn decide(batch: &Batch) -> String {
    format!(
        "insert into batch (id, outcome, home, parts) values ('{}', 'committed', '{}', '{}'); commit",
        batch.id,
        batch.id.home,
        array(batch)
    )
}

/// A message of its own: PostgreSQL refuses it beside other statements (25001). The token proves the decision.
pub(crate) fn commit_prepared(gid: &Gid, token: CommitToken) -> String {
    assert_eq!(gid.batch, token.batch(), "a decision finishes its own batch only");
    format!("commit prepared '{gid}'")
}

/// A message of its own.
pub fn roll_back_prepared(gid: &Gid) -> String {
    format!("rollback prepared '{gid}'")
}

/// At a participant, inside its transaction: the marker row that becomes visible with COMMIT PREPARED.
pub fn participate(batch: &Batch) -> String {
    format!(
        "insert into participation (batch, outcome, home, parts) values ('{}', 'committed', '{}', '{}')",
        batch.id,
        batch.id.home,
        array(batch)
    )
}

/// At home: insert the abort row, or wait for a decision in flight and return the row that won. One statement, on
/// purpose: an insert-or-select returns no row after waiting. `$1` id, `$2` home, `$3` parts.
pub const SETTLE: &str = "
    insert into batch (id, outcome, home, parts)
    values ($1, 'aborted', $2, $3)
    on conflict (id) do update set touched = now()
    returning outcome, parts";

/// At a participant: insert the tombstone or return the marker that is there. `$1` batch, `$2` home, `$3` parts.
pub const TOMBSTONE: &str = "
    insert into participation (batch, outcome, home, parts)
    values ($1, 'aborted', $2, $3)
    on conflict (batch) do update set touched = now()
    returning outcome";

/// At a participant: the marker, if there is one. `$1` batch.
pub const READ_MARKER: &str = "select outcome from participation where batch = $1";

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
        assert_eq!(prepare(&gid), "select 1; prepare transaction 'n1:demo:AZ:1:7:TX:TX'");
        assert_eq!(commit_prepared(&gid, CommitToken::decided(id)), "commit prepared 'n1:demo:AZ:1:7:TX:TX'");
        assert_eq!(roll_back_prepared(&gid), "rollback prepared 'n1:demo:AZ:1:7:TX:TX'");
        assert_eq!(
            decide(&batch),
            "insert into batch (id, outcome, home, parts) values ('AZ-1-7', 'committed', 'AZ', '{AZ,TX}'); commit"
        );
    }
}
