//! Random histories over both branches, and the entries of an account as a whole: what the tests of balances, statements
//! and filters hold their answers against.

use fastrand::Rng;
use nostro_client::{Client, Entry, Page, TransferRequest};
use nostro_core::{AccountNumber, Timestamp};
use nostro_torture::money::{amount, assert_posted, open, pay, reserve, take, undo};
use uuid::Uuid;

pub const REFERENCES: [&str; 4] = ["rent", "tax", "=HYPERLINK(\"http://evil.example\")", "one, \"two\""];

/// A generator whose seed is told, with the command that replays it.
pub fn random(test: &str) -> Rng {
    let named = std::env::var("NOSTRO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = named.unwrap_or_else(|| fastrand::u64(..));
    println!("NOSTRO_SEED={seed} cargo test -p nostro-cli --test bank -- {test}");
    Rng::with_seed(seed)
}

/// Two accounts at each branch with transfers of every kind that leaves entries between them.
pub async fn history(random: &mut Rng, client: &Client, transfers: usize) -> Vec<AccountNumber> {
    let mut accounts = Vec::new();
    for branch in ["AZ", "TX", "AZ", "TX"] {
        accounts.push(open(client, branch, 1_000_000).await);
    }
    let mut left = transfers;
    while left > 0 {
        let bulk: Vec<TransferRequest> =
            (0..random.usize(1..=left.min(25))).map(|_| request(random, &accounts)).collect();
        left -= bulk.len();
        for item in client.transfers_bulk(&bulk).await.unwrap() {
            assert_eq!(item.state, "posted", "{item:?}");
        }
        let some = request(random, &accounts);
        match random.u8(..4) {
            0 => {
                let hold = reserve(some.debit_account, some.credit_account, 50, None);
                assert_posted(client.place_hold(&hold).await);
                assert_posted(client.capture_hold(hold.id, None, &take(random.i64(1..50), true)).await);
            }
            1 => assert_posted(client.reverse(bulk[0].id, None, &undo(Some(1))).await),
            _ => {}
        }
    }
    accounts
}

fn request(random: &mut Rng, accounts: &[AccountNumber]) -> TransferRequest {
    let from = random.usize(..accounts.len());
    let to = (from + random.usize(1..accounts.len())) % accounts.len();
    let mut request = pay(accounts[from], accounts[to], random.i64(2..300));
    if random.bool() {
        request.id = uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid();
    }
    request.category = random.u16(..4);
    request.reference = random.bool().then(|| REFERENCES[random.usize(..REFERENCES.len())].to_owned());
    request
}

/// Every entry of an account, oldest first.
pub async fn all(client: &Client, account: AccountNumber) -> Vec<Entry> {
    let mut page = Page { limit: Some(200), cursor: None };
    let mut entries = Vec::new();
    loop {
        let listing = client.entries(account, &page).await.unwrap();
        entries.extend(listing.data);
        match listing.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    entries.reverse();
    assert!(entries.iter().map(|entry| entry.seq).eq(1..=i64::try_from(entries.len()).unwrap()), "without gaps");
    entries
}

/// When an entry was posted.
pub fn time(entry: &Entry) -> Timestamp {
    entry.posted_at.parse().unwrap()
}

/// What an entry adds to a balance on this side.
pub fn change(entry: &Entry, normal_side: &str) -> i128 {
    if entry.side == normal_side { entry.amount } else { -entry.amount }
}

/// So many microseconds later.
pub fn later(instant: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(instant.micros() + micros)
}

/// An instant of an account's life, often the very one of an entry, or one beside it.
pub fn instant(random: &mut Rng, entries: &[Entry]) -> Timestamp {
    let (first, last) = (time(&entries[0]), time(&entries[entries.len() - 1]));
    match random.u8(..4) {
        0 => Timestamp::from_micros(random.i64(first.micros() - 1_000..=last.micros())),
        _ => later(time(&entries[random.usize(..entries.len())]), random.i64(-1..=1)),
    }
}

/// So many transfers of one cent each, in as few requests as there may be.
pub async fn many(client: &Client, from: AccountNumber, to: AccountNumber, transfers: usize, reference: Option<&str>) {
    let mut left = transfers;
    while left > 0 {
        let some = left.min(6_000);
        let one = || TransferRequest { reference: reference.map(str::to_owned), ..pay(from, to, 1) };
        let bulk: Vec<TransferRequest> = (0..some).map(|_| one()).collect();
        assert_eq!(bulk[0].amount, amount(1));
        let items = client.transfers_bulk(&bulk).await.unwrap();
        assert!(items.iter().all(|item| item.state == "posted"));
        left -= some;
    }
}

/// A version 7 of the given milliseconds, as nobody else makes it.
pub fn id_of(millis: u64, number: u8) -> Uuid {
    Uuid::from_u128(u128::from(millis) << 80 | 7 << 76 | 2 << 62 | u128::from(number))
}
