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
