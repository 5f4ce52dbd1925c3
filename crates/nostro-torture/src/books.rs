//! What stands in the databases at the end, read with statements of its own.

use std::collections::BTreeMap;
use tokio_postgres::{Client, Config, Error, NoTls};
use uuid::Uuid;

/// Rows fetched at a time, so that a long run is never in memory twice.
const FETCH_ROWS: usize = 10_000;

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
}

/// A row of `account`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Credits minus debits.
    pub balance: i64,
    /// Number of its last entry.
    pub seq: i64,
    /// How far below zero it may go; none for the bank's own.
    pub limit: Option<i64>,
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

    /// Everything, in one snapshot.
    pub async fn read(&self) -> Result<Books, Error> {
        let client = self.connect().await?;
        client.batch_execute("begin isolation level repeatable read read only").await?;
        let mut books = Books { rows: rows(&client).await?, ..Books::default() };
        for row in client.query("select id, balance, seq, overdraft_limit, customer is null from account", &[]).await? {
            let limit = if row.get::<_, bool>(4) { None } else { Some(row.get(3)) };
            books.accounts.insert(row.get(0), AccountRow { balance: row.get(1), seq: row.get(2), limit });
        }
        books.decisions = marks(&client, "select id, outcome, parts from batch").await?;
        books.markers = marks(&client, "select batch, outcome, parts from participation").await?;
        for row in client.query("select batch, counterparty, currency, amount, hash from batch_net", &[]).await? {
            books.nets.insert((text(&row, 0), text(&row, 1), text(&row, 2)), (row.get(3), row.get(4)));
        }
        Ok(books)
    }
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
                    debit_seq, debit_balance_after, credit_seq, credit_balance_after
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
        }));
    }
}

fn side(row: &tokio_postgres::Row, column: usize) -> Option<(i64, i64)> {
    Some((row.get::<_, Option<i64>>(column)?, row.get::<_, Option<i64>>(column + 1)?))
}
