//! What a run left in a database.

use crate::database::Session;
use crate::error::BenchError;

/// The highest category below `end` that is in use at one branch, 0 if none is.
pub(crate) async fn last_category(session: &Session, end: u16) -> Result<u16, BenchError> {
    let row = session
        .client
        .query_one("select coalesce(max(category), 0) from transfer where category < $1", &[&i32::from(end)])
        .await
        .map_err(BenchError::database("the categories of earlier runs"))?;
    Ok(u16::try_from(row.get::<_, i32>(0)).unwrap_or(0))
}

/// Posted transfers of a category at one branch: rows with the debit's side and rows with the credit's.
pub(crate) async fn count_posted(session: &Session, category: u16) -> Result<[u64; 2], BenchError> {
    let row = session
        .client
        .query_one(
            "select count(debit_seq), count(credit_seq) from transfer where category = $1 and refusal is null",
            &[&i32::from(category)],
        )
        .await
        .map_err(BenchError::database("the count of a run's transfers"))?;
    Ok([0, 1].map(|at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0)))
}

/// Accounts of a branch whose balance and number of entries are not those of its entries.
pub(crate) async fn count_inconsistent(session: &Session) -> Result<u64, BenchError> {
    let what = || BenchError::database("the comparison of balances with entries");
    // Whole tables, for which the settings of the writers are the wrong ones.
    let settings = "reset enable_seqscan; reset enable_hashjoin; reset enable_mergejoin; reset plan_cache_mode";
    session.client.batch_execute(settings).await.map_err(what())?;
    let row = session
        .client
        .query_one(
            "select count(*)
             from account a
             left join (
               select account, sum(case side when 'credit' then amount else -amount end) as balance,
                      count(*) as entries, max(seq) as seq
               from entry
               where account is not null
               group by account
             ) e on e.account = a.id
             where (a.balance, a.seq, a.seq) is distinct from
                   (coalesce(e.balance, 0), coalesce(e.entries, 0), coalesce(e.seq, 0))",
            &[],
        )
        .await
        .map_err(what())?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}
