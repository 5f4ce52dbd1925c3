//! What a run left in a database.

use crate::database::Session;
use crate::error::BenchError;
use crate::open_holds::OpenHold;
use futures_util::TryStreamExt;

/// For statements over whole tables, for which the settings of the writers are the wrong ones.
const WHOLE_TABLES: &str = "reset enable_seqscan; reset enable_hashjoin; reset enable_mergejoin; reset plan_cache_mode";

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

/// Posted holds of a category at one branch, each recorded as a transfer and as a hold.
pub(crate) async fn count_holds(session: &Session, category: u16) -> Result<u64, BenchError> {
    let what = || BenchError::database("the count of a run's holds");
    session.client.batch_execute(WHOLE_TABLES).await.map_err(what())?;
    let row = session
        .client
        .query_one(
            "select count(*)
             from transfer t
             join hold h on h.id = t.id
             where t.category = $1 and t.kind = 'hold' and t.refusal is null",
            &[&i32::from(category)],
        )
        .await
        .map_err(what())?;
    Ok(u64::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}

/// The posted holds of a category at one branch.
pub(crate) async fn placed_holds(session: &Session, category: u16) -> Result<Vec<OpenHold>, BenchError> {
    let what = || BenchError::database("the holds to be captured");
    let rows = session
        .client
        .query_raw(
            "select id, amount
             from transfer
             where category = $1 and kind = 'hold' and refusal is null",
            [i32::from(category)],
        )
        .await
        .map_err(what())?;
    rows.map_ok(|row| OpenHold { id: row.get(0), amount: row.get(1) }).try_collect().await.map_err(what())
}

/// Accounts of a branch whose balance and number of entries are not those of its entries.
pub(crate) async fn count_inconsistent(session: &Session) -> Result<u64, BenchError> {
    let what = || BenchError::database("the comparison of balances with entries");
    session.client.batch_execute(WHOLE_TABLES).await.map_err(what())?;
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
