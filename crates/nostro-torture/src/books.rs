//! What stands in the databases at the end, read with statements of its own.

use crate::history::Link;
use std::collections::BTreeMap;
use tokio_postgres::{Client, Config, Error, NoTls};
use uuid::Uuid;

/// Rows fetched at a time, so that a long run is never in memory twice.
const FETCH_ROWS: usize = 10_000;

/// What other operations than plain movements have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Particulars {
    /// Of a capture, a release or an expiry.
    pub hold: Option<Uuid>,
    /// Of a capture.
    pub is_final: Option<bool>,
    /// Of a hold; microseconds of the Unix epoch.
    pub expires_at: Option<i64>,
    /// Of a transfer of what is available.
    pub asked: Option<i64>,
    /// Of a reversal.
    pub original: Option<Uuid>,
    /// Of a reversal.
    pub is_forced: bool,
}

/// A row of `transfer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The id.
    pub id: Uuid,
    /// The kind.
    pub kind: Box<str>,
    /// Key of the account that pays.
    pub debit: i64,
    /// Key of the account that is paid.
    pub credit: i64,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: Box<str>,
    /// Category.
    pub category: i32,
    /// Reference.
    pub reference: Option<Box<str>>,
    /// The batch.
    pub batch: Box<str>,
    /// Microseconds of the Unix epoch.
    pub posted_at: i64,
    /// Null if it was posted.
    pub refusal: Option<Box<str>>,
    /// Number and balance on the debit side, if that is of this branch.
    pub debit_side: Option<(i64, i64)>,
    /// Number and balance on the credit side, if that is of this branch.
    pub credit_side: Option<(i64, i64)>,
    /// What only some kinds have.
    pub particulars: Particulars,
    /// Its place in a chain.
    pub link: Option<Link>,
}

/// The limits and the state of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How far below zero it may go.
    pub limit: i64,
    /// What its balance may not go above.
    pub ceiling: Option<i64>,
    /// Whether it pays nothing.
    pub freezes_debits: bool,
    /// Whether it is paid nothing.
    pub freezes_credits: bool,
}

impl Terms {
    /// From the words of the tables; no account of a run is closed.
    pub fn new(limit: i64, ceiling: Option<i64>, state: &str) -> Self {
        let (freezes_debits, freezes_credits) = match state {
            "open" => (false, false),
            "debits_frozen" => (true, false),
            "credits_frozen" => (false, true),
            "frozen" => (true, true),
            other => panic!("no account of a run is {other}"),
        };
        Self { limit, ceiling, freezes_debits, freezes_credits }
    }
}

/// A row of `account`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Credits minus debits.
    pub balance: i64,
    /// Reserved by holds.
    pub held: i64,
    /// Number of its last entry.
    pub seq: i64,
    /// None for the bank's own.
    pub terms: Option<Terms>,
    /// Whether it is said to be outside its limits.
    pub limit_exceeded: bool,
}

/// A row of `account_change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeRow {
    /// Of the request.
    pub id: Uuid,
    /// Key of the account.
    pub account: i64,
    /// As the account was.
    pub before: Terms,
    /// As it was from then on.
    pub after: Terms,
    /// Microseconds of the Unix epoch.
    pub changed_at: i64,
}

/// A row of `hold`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// What was reserved at first.
    pub amount: i64,
    /// So much was captured.
    pub captured: i64,
    /// So much was given back.
    pub released: i64,
    /// What became of it.
    pub state: Box<str>,
}

/// A row of `reversal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReversalRow {
    /// What the original moved.
    pub amount: i64,
    /// So much went back.
    pub reversed: i64,
}

/// A row of `batch` or of `participation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Committed, or aborted.
    pub committed: bool,
    /// Branches of the batch; empty where an abort row does not know them.
    pub parts: Vec<String>,
}

/// Batch, counterparty and currency of a net.
pub type NetKey = (Box<str>, Box<str>, Box<str>);

/// Everything of one branch.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Its transfers.
    pub rows: Vec<Row>,
    /// Its accounts.
    pub accounts: BTreeMap<i64, AccountRow>,
    /// Decisions of which it is home.
    pub decisions: BTreeMap<Box<str>, Mark>,
    /// Markers of batches that were prepared here.
    pub markers: BTreeMap<Box<str>, Mark>,
    /// Nets, with their hashes.
    pub nets: BTreeMap<NetKey, (i64, Vec<u8>)>,
    /// Its holds.
    pub holds: BTreeMap<Uuid, HoldRow>,
    /// What went back, by the original.
    pub reversals: BTreeMap<Uuid, ReversalRow>,
    /// Changes of its accounts, in the order in which they were made.
    pub changes: Vec<ChangeRow>,
    /// The branch's clock when all this was read; microseconds of the Unix epoch.
    pub read_at: i64,
}

/// How to reach a branch's database as its superuser.
#[derive(Clone, Debug)]
pub struct Access {
    /// On 127.0.0.1.
    pub port: u16,
    /// Of the superuser.
    pub password: String,
}

impl Access {
    /// A connection; it ends with the client.
    pub async fn connect(&self) -> Result<Client, Error> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user("postgres").password(&self.password).dbname("nostro");
        config.application_name("torture").connect_timeout(std::time::Duration::from_secs(5));
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The prepared transactions that are the bank's.
    pub async fn prepared(&self) -> Result<Vec<String>, Error> {
        let client = self.connect().await?;
        let rows =
            client.query("select gid from pg_prepared_xacts where gid like 'n1:%' order by prepared", &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// How many holds are open although their time was up so many seconds ago.
    pub async fn overdue(&self, seconds: f64) -> Result<i64, Error> {
        let client = self.connect().await?;
        let overdue = "select count(*) from hold
             where state = 'open' and expires_at < clock_timestamp() - make_interval(secs => $1)";
        Ok(client.query_one(overdue, &[&seconds]).await?.get(0))
    }

    /// Everything, in one snapshot.
    pub async fn read(&self) -> Result<Books, Error> {
        let client = self.connect().await?;
        client.batch_execute("begin isolation level repeatable read read only").await?;
        let mut books = Books { rows: rows(&client).await?, accounts: accounts(&client).await?, ..Books::default() };
        books.decisions = marks(&client, "select id, outcome, parts from batch").await?;
        books.markers = marks(&client, "select batch, outcome, parts from participation").await?;
        for row in client.query("select batch, counterparty, currency, amount, hash from batch_net", &[]).await? {
            books.nets.insert((text(&row, 0), text(&row, 1), text(&row, 2)), (row.get(3), row.get(4)));
        }
        for row in client.query("select id, amount, captured, released, state from hold", &[]).await? {
            let hold = HoldRow { amount: row.get(1), captured: row.get(2), released: row.get(3), state: text(&row, 4) };
            books.holds.insert(row.get(0), hold);
        }
        for row in client.query("select original, amount, reversed from reversal", &[]).await? {
            books.reversals.insert(row.get(0), ReversalRow { amount: row.get(1), reversed: row.get(2) });
        }
        books.changes = changes(&client).await?;
        let clock = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";
        books.read_at = client.query_one(clock, &[]).await?.get(0);
        Ok(books)
    }
}

async fn accounts(client: &Client) -> Result<BTreeMap<i64, AccountRow>, Error> {
    let every = "select id, balance, held, seq, customer is null, overdraft_limit, ceiling, state, limit_exceeded
         from account";
    let account = |row: &tokio_postgres::Row| {
        let terms = Terms::new(row.get(5), row.get(6), row.get(7));
        let account = AccountRow {
            balance: row.get(1),
            held: row.get(2),
            seq: row.get(3),
            terms: (!row.get::<_, bool>(4)).then_some(terms),
            limit_exceeded: row.get(8),
        };
        (row.get::<_, i64>(0), account)
    };
    Ok(client.query(every, &[]).await?.iter().map(account).collect())
}

async fn changes(client: &Client) -> Result<Vec<ChangeRow>, Error> {
    let every = "select id, account, overdraft_limit_before, ceiling_before, state_before,
                overdraft_limit_after, ceiling_after, state_after, (extract(epoch from changed_at) * 1000000)::bigint
         from account_change
         order by serial";
    let change = |row: &tokio_postgres::Row| ChangeRow {
        id: row.get(0),
        account: row.get(1),
        before: Terms::new(row.get(2), row.get(3), row.get(4)),
        after: Terms::new(row.get(5), row.get(6), row.get(7)),
        changed_at: row.get(8),
    };
    Ok(client.query(every, &[]).await?.iter().map(change).collect())
}

fn text(row: &tokio_postgres::Row, column: usize) -> Box<str> {
    row.get::<_, &str>(column).into()
}

async fn marks(client: &Client, query: &str) -> Result<BTreeMap<Box<str>, Mark>, Error> {
    let mut marks = BTreeMap::new();
    for row in client.query(query, &[]).await? {
        let parts = row.get::<_, Option<Vec<String>>>(2).unwrap_or_default();
        marks.insert(text(&row, 0), Mark { committed: row.get::<_, &str>(1) == "committed", parts });
    }
    Ok(marks)
}

async fn rows(client: &Client) -> Result<Vec<Row>, Error> {
    client
        .batch_execute(
            "declare every no scroll cursor for
             select id, kind, debit, credit, amount, currency, category, reference, batch,
                    (extract(epoch from posted_at) * 1000000)::bigint, refusal,
                    debit_seq, debit_balance_after, credit_seq, credit_balance_after,
                    hold, is_final, (extract(epoch from expires_at) * 1000000)::bigint, asked, original,
                    coalesce(is_forced, false), chain, chain_position, chain_length
             from transfer",
        )
        .await?;
    let fetch = format!("fetch {FETCH_ROWS} from every");
    let mut all = Vec::new();
    loop {
        let some = client.query(&fetch, &[]).await?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some.iter().map(|row| Row {
            id: row.get(0),
            kind: text(row, 1),
            debit: row.get(2),
            credit: row.get(3),
            amount: row.get(4),
            currency: text(row, 5),
            category: row.get(6),
            reference: row.get::<_, Option<&str>>(7).map(Into::into),
            batch: text(row, 8),
            posted_at: row.get(9),
            refusal: row.get::<_, Option<&str>>(10).map(Into::into),
            debit_side: side(row, 11),
            credit_side: side(row, 13),
            particulars: Particulars {
                hold: row.get(15),
                is_final: row.get(16),
                expires_at: row.get(17),
                asked: row.get(18),
                original: row.get(19),
                is_forced: row.get(20),
            },
            link: link(row, 21),
        }));
    }
}

fn side(row: &tokio_postgres::Row, column: usize) -> Option<(i64, i64)> {
    Some((row.get::<_, Option<i64>>(column)?, row.get::<_, Option<i64>>(column + 1)?))
}

fn link(row: &tokio_postgres::Row, column: usize) -> Option<Link> {
    let whole = |column: usize| u16::try_from(row.get::<_, i32>(column)).expect("a place in a chain");
    let chain = row.get::<_, Option<Uuid>>(column)?;
    Some(Link { chain, position: whole(column + 1), length: whole(column + 2) })
}
