//! The rows and commands of the commit protocol, by hand.

use crate::database::Session;
use crate::error::BenchError;
use nostro_core::BranchCode;
use tokio_postgres::Error;

/// The decision row and the commit.
pub(crate) async fn decide(session: &Session, batch: &str, home: &str, parts: &[&str]) -> Result<(), Error> {
    let parts = parts.join(",");
    session
        .client
        .batch_execute(&format!(
            "insert into batch (id, outcome, home, parts) values ('{batch}', 'committed', '{home}', '{{{parts}}}'); commit"
        ))
        .await
}

/// The marker row and the vote; fails in a failed transaction.
pub(crate) async fn prepare(session: &Session, batch: &str, home: &str, parts: &[&str]) -> Result<(), Error> {
    let gid = gid(batch, parts);
    let parts = parts.join(",");
    session
        .client
        .batch_execute(&format!(
            "insert into participation (batch, outcome, home, parts) values ('{batch}', 'committed', '{home}', '{{{parts}}}');
             prepare transaction '{gid}'"
        ))
        .await
}

/// Finishes what [`prepare`] prepared.
pub(crate) async fn commit_prepared(session: &Session, batch: &str, parts: &[&str]) -> Result<(), Error> {
    session.client.batch_execute(&format!("commit prepared '{}'", gid(batch, parts))).await
}

/// Not of the engine's form, so that no server's recovery takes it for its own.
fn gid(batch: &str, parts: &[&str]) -> String {
    format!("bench:{batch}:{}", parts.last().copied().unwrap_or_default())
}

/// Finishes what an earlier bench left prepared when it was killed, as its home decided.
pub(crate) async fn settle_left(sessions: &[Session], codes: &[BranchCode]) -> Result<(), BenchError> {
    let what = || BenchError::database("what an earlier bench left prepared");
    for session in sessions {
        let left =
            "select gid from pg_prepared_xacts where database = current_database() and starts_with(gid, 'bench:')";
        for row in session.client.query(left, &[]).await.map_err(what())? {
            let gid: String = row.get(0);
            let batch = gid.split(':').nth(1).unwrap_or_default();
            let is_home = |code: &BranchCode| batch.split('-').next() == Some(code.as_str());
            let Some(home) = codes.iter().position(is_home) else { continue };
            let decided = "select from batch where id = $1 and outcome = 'committed'";
            let decided = sessions[home].client.query_opt(decided, &[&batch]).await.map_err(what())?.is_some();
            let verb = if decided { "commit" } else { "rollback" };
            session.client.batch_execute(&format!("{verb} prepared '{gid}'")).await.map_err(what())?;
        }
    }
    Ok(())
}
