//! The prepared statements of the engine, made once on each connection.

mod texts;

use crate::transfer_rows::Width;
use futures_util::future::try_join_all;
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
        let all = [
            texts::lock_accounts(),
            texts::find_transfers(),
            texts::find_transfers_anywhere(),
            texts::detached_periods(),
            texts::find_holds(),
            texts::find_originals(),
            texts::update_accounts(),
            texts::update_and_mark_accounts(),
            texts::copy_transfers(Width::Plain),
            texts::copy_transfers(Width::All),
            texts::insert_transfer(Width::Plain),
            texts::insert_transfer(Width::All),
            texts::write_holds(),
            texts::write_reversals(),
            texts::insert_nets(),
            texts::clock(),
            texts::find_accounts(),
            texts::list_entries(),
        ];
        let [
            lock_accounts,
            find_transfers,
            find_transfers_anywhere,
            detached_periods,
            find_holds,
            find_originals,
            update_accounts,
            update_and_mark_accounts,
            copy_plain,
            copy_all,
            insert_plain,
            insert_all,
            write_holds,
            write_reversals,
            insert_nets,
            clock,
            find_accounts,
            list_entries,
        ] = prepare(client, all).await?;
        Ok(Self {
            lock_accounts,
            find_transfers,
            find_transfers_anywhere,
            detached_periods,
            find_holds,
            find_originals,
            update_accounts,
            update_and_mark_accounts,
            copy_transfers: [copy_plain, copy_all],
            insert_transfer: [insert_plain, insert_all],
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

/// All are sent, then all are heard of.
async fn prepare<const N: usize>(client: &Client, texts: [String; N]) -> Result<[Statement; N], Error> {
    let statements = try_join_all(texts.iter().map(|text| client.prepare(text))).await?;
    let Ok(statements) = <[Statement; N]>::try_from(statements) else { unreachable!("one statement for each text") };
    Ok(statements)
}
