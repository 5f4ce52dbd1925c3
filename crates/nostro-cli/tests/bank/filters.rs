//! Filters of lists: over several pages they select what filtering everything selects, and no page does more work than it
//! may, however long the history and however rare the row.

use crate::entries::{all, history, instant, later, many, random, time};
use nostro_client::{Client, Entry, EntryFilter, HoldFilter, Page};
use nostro_core::{AccountNumber, BranchNumber};
use nostro_store::{filtered, past};
use nostro_torture::databases::{Databases, KEY, filled};
use nostro_torture::money::{amount, assert_posted, give_back, open, pay, reserve};
use nostro_torture::server::Server;
use serde_json::Value;

/// The sequence numbers of what a filter selects, page by page, newest first.
async fn selected(client: &Client, account: AccountNumber, filter: &EntryFilter, limit: u16) -> Vec<i64> {
    let mut page = Page { limit: Some(limit), cursor: None };
    let mut found = Vec::new();
    loop {
        let listing = client.filtered_entries(account, filter, &page).await.unwrap();
        assert!(listing.data.len() <= usize::from(limit));
        found.extend(listing.data.iter().map(|entry| entry.seq));
        match listing.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => return found,
        }
    }
}

/// What the filter says, in the words of the test.
fn is_wanted(filter: &EntryFilter, entry: &Entry) -> bool {
    let cents = |amount: nostro_core::Amount| i128::from(amount.minor_units());
    filter.kind.as_ref().is_none_or(|kind| *kind == entry.kind)
        && filter.category.is_none_or(|category| category == entry.category)
        && filter.reference.as_ref().is_none_or(|reference| entry.reference.as_ref() == Some(reference))
        && filter.from.is_none_or(|from| time(entry) >= from)
        && filter.to.is_none_or(|to| time(entry) < to)
        && filter.amount_min.is_none_or(|min| entry.amount >= cents(min))
        && filter.amount_max.is_none_or(|max| entry.amount <= cents(max))
        && filter.counterparty.is_none_or(|number| entry.counterparty == number)
}

#[tokio::test]
async fn filters_select_what_filtering_everything_selects() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let mut random = random("filters::filters_select_what_filtering_everything_selects");
    let accounts = history(&mut random, client, 400).await;
    let (mut some, mut none) = (0, 0);
    for account in &accounts {
        let entries = all(client, *account).await;
        for _ in 0..40 {
            // Figures of entries that there are, so that most filters select something.
            let like = |random: &mut fastrand::Rng| entries[random.usize(..entries.len())].clone();
            let mut filter = EntryFilter::default();
            for _ in 0..random.u8(1..=3) {
                match random.u8(..8) {
                    0 => filter.kind = Some(like(&mut random).kind),
                    1 => filter.category = Some(like(&mut random).category),
                    2 => filter.reference = like(&mut random).reference,
                    3 => filter.from = Some(instant(&mut random, &entries)),
                    4 => filter.to = Some(instant(&mut random, &entries)),
                    5 => filter.amount_min = Some(amount(random.i64(1..300))),
                    6 => filter.amount_max = Some(amount(random.i64(1..300))),
                    _ => filter.counterparty = Some(like(&mut random).counterparty),
                }
            }
            if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
                filter.to = filter.from.map(|from| later(from, 1));
            }
            if filter.amount_min.zip(filter.amount_max).is_some_and(|(min, max)| min > max) {
                filter.amount_max = filter.amount_min;
            }
            let wanted: Vec<i64> =
                entries.iter().rev().filter(|entry| is_wanted(&filter, entry)).map(|entry| entry.seq).collect();
            assert_eq!(selected(client, *account, &filter, random.u16(1..=50)).await, wanted, "{filter:?}");
            some += usize::from(!wanted.is_empty());
            none += usize::from(wanted.is_empty());
        }
    }
    println!("{some} filters selected something, {none} nothing");
    assert!(some > 20, "too little for a proof");
    databases.finish().await;
}

#[tokio::test]
async fn holds_are_filtered_by_how_they_stand() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (payer, shop) = (open(client, "AZ", 10_000).await, open(client, "TX", 0).await);
    let hotel = open(client, "AZ", 0).await;
    let mut holds = Vec::new();
    for at in 0..9 {
        let hold = reserve(payer, if at % 3 == 0 { hotel } else { shop }, 100 + at, None);
        assert_posted(client.place_hold(&hold).await);
        if at % 2 == 0 {
            assert_posted(client.release_hold(hold.id, None, &give_back()).await);
        }
        holds.push(client.hold(hold.id, None).await.unwrap());
    }
    let placed = |at: usize| holds[at].placed_at.parse().unwrap();
    for (filter, expected) in [
        (HoldFilter { state: Some("released".into()), ..HoldFilter::default() }, vec![8, 6, 4, 2, 0]),
        (HoldFilter { counterparty: Some(hotel), ..HoldFilter::default() }, vec![6, 3, 0]),
        (HoldFilter { state: Some("open".into()), counterparty: Some(hotel), ..HoldFilter::default() }, vec![3]),
        (
            HoldFilter { amount_min: Some(amount(103)), amount_max: Some(amount(105)), ..HoldFilter::default() },
            vec![5, 4, 3],
        ),
        (HoldFilter { from: Some(placed(2)), to: Some(placed(5)), ..HoldFilter::default() }, vec![4, 3, 2]),
        (HoldFilter { state: Some("expired".into()), ..HoldFilter::default() }, vec![]),
    ] {
        let mut page = Page { limit: Some(2), cursor: None };
        let mut found = Vec::new();
        loop {
            let listing = client.filtered_holds(payer, &filter, &page).await.unwrap();
            found.extend(listing.data.iter().map(|hold| hold.id));
            match listing.next_cursor {
                Some(cursor) => page.cursor = Some(cursor),
                None => break,
            }
        }
        let expected: Vec<_> = expected.into_iter().map(|at: usize| holds[at].id).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    databases.finish().await;
}

/// How many pages of memory a statement looks at.
async fn blocks(admin: &tokio_postgres::Client, statement: &str) -> u64 {
    let explain = format!("explain (analyze, buffers, timing off) {statement}");
    let rows = admin.query(&explain, &[]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let buffers = plan.iter().find(|line| line.trim_start().starts_with("Buffers: ")).expect("what it looks at");
    let shared = buffers.split(',').next().unwrap();
    let figures = shared.split_whitespace().filter_map(|word| {
        word.strip_prefix("hit=").or(word.strip_prefix("read=")).map(|figure| figure.parse::<u64>().unwrap())
    });
    figures.sum()
}

#[tokio::test]
async fn no_page_looks_at_more_than_it_may() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (long, other) = (open(client, "AZ", 1_000_000).await, open(client, "TX", 0).await);
    let few = open(client, "AZ", 1_000).await;
    let mut rare = pay(long, other, 7);
    rare.reference = Some("rare".into());
    assert_posted(client.transfer(&rare).await);
    assert_posted(client.transfer(&pay(few, other, 5)).await);
    many(client, long, other, 24_000, None).await;

    // The one row is the second of 24,002. A page looks at 10,000.
    let filter = EntryFilter { reference: Some("rare".into()), ..EntryFilter::default() };
    let mut page = Page { limit: Some(50), cursor: None };
    let mut pages = Vec::new();
    loop {
        let listing = client.filtered_entries(long, &filter, &page).await.unwrap();
        pages.push(listing.data.iter().map(|entry| entry.seq).collect::<Vec<_>>());
        match listing.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(pages, [vec![], vec![], vec![2]], "short pages, and a cursor until there is no more");

    // Where the history is not looked at at all: what is later than `to`, and what is earlier than `from`.
    let at = time(&client.filtered_entries(long, &filter, &page).await.unwrap().data[0]);
    let early = EntryFilter { to: Some(later(at, 1)), ..filter.clone() };
    let listing = client.filtered_entries(long, &early, &Page::default()).await.unwrap();
    assert_eq!((listing.data.len(), listing.next_cursor), (1, None));
    let late = client.entries(long, &Page { limit: Some(1), cursor: None }).await.unwrap().data.remove(0);
    let late = EntryFilter { from: Some(time(&late)), ..filter };
    let listing = client.filtered_entries(long, &late, &Page::default()).await.unwrap();
    assert!(listing.data.is_empty());

    let admin = databases.admin("AZ").await;
    admin.batch_execute("analyze; set jit = off").await.unwrap();
    let key = |account: AccountNumber| account.key(BranchNumber::new(1).unwrap()).as_i64().to_string();
    let max = i64::MAX.to_string();
    let anything = ["null"; 8];
    let of = |account: &str| {
        let values: Vec<&str> = [account, &max, "1000", "51"].into_iter().chain(anything).collect();
        filled(&filtered::entries_statement(), &values)
    };
    let looked = [blocks(&admin, &of(&key(few))).await, blocks(&admin, &of(&key(long))).await];
    let as_of = |account: &str, at: &str| filled(past::AS_OF, &[account, at]);
    let begun = format!("'{at}'");
    let found = [
        blocks(&admin, &as_of(&key(long), &begun)).await,
        blocks(&admin, &as_of(&key(long), "now()")).await,
        blocks(&admin, &as_of(&key(long), "'2020-01-01'")).await,
    ];
    println!("blocks: pages of two entries and of a thousand {looked:?}; balances long ago, now, before all {found:?}");
    assert!(looked[0] < 500, "the entries of other accounts are looked at: {looked:?}");
    assert!(looked[1] < 20_000, "more than a thousand entries are looked at: {looked:?}");
    assert!(found.iter().all(|blocks| *blocks < 3_000), "a long history is walked: {found:?}");
    databases.finish().await;
}

#[tokio::test]
async fn a_cursor_keeps_its_filters_over_http() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    for cents in [5, 6, 7] {
        assert_posted(client.transfer(&pay(az, tx, cents)).await);
    }
    let get = async |query: String| {
        let url = format!("{}/v1/accounts/{az}/entries?{query}", server.url);
        let response = reqwest::Client::new().get(url).bearer_auth(KEY).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, first) = get("kind=transfer&amount_max=6&limit=1".into()).await;
    assert_eq!((status, first["data"][0]["amount"].as_str()), (200, Some("6")));
    let cursor = first["next_cursor"].as_str().unwrap();
    for beside in ["", "&amount_max=6&kind=transfer"] {
        let (status, next) = get(format!("limit=1&cursor={cursor}{beside}")).await;
        assert_eq!((status, next["data"][0]["amount"].as_str()), (200, Some("5")), "{next}");
    }
    for beside in ["&kind=transfer", "&kind=transfer&amount_max=7", "&kind=deposit&amount_max=6"] {
        let (status, problem) = get(format!("cursor={cursor}{beside}")).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_request")), "{beside}: {problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with("cursor: "), "{problem}");
    }
    for (query, detail) in [
        ("kind=gift", "kind: "),
        ("category=x", "category: "),
        ("from=now", "from: "),
        ("amount_min=5&amount_max=4", "amount_max: "),
        ("counterparty=AZ1", "counterparty: "),
        ("state=open", "unknown query parameter"),
    ] {
        let (status, problem) = get(query.into()).await;
        assert_eq!(status, 400, "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
    }
    databases.finish().await;
}
