//! Balances and statements of past instants: what they tell is what the entries add up to, it fits together, and once it
//! was told it stays so.

use crate::entries::{all, change, history, id_of, instant, later, random, time};
use nostro_client::{BalanceAt, Client, ClientError, Entry, Page};
use nostro_core::{AccountNumber, BranchNumber, Timestamp};
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, code, dollars, open, pay, told, until_final};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::{Duration, Instant, SystemTime};

/// One word for what became of a question, with the code of its problem.
fn asked<T>(answer: &Result<T, ClientError>) -> String {
    match answer {
        Ok(_) => "told".into(),
        Err(ClientError::Rejected(problem)) => format!("{} {}", problem.status, problem.code),
        Err(ClientError::Unavailable { problem, .. }) => format!("unavailable {}", problem.code),
        Err(error) => panic!("{error:?}"),
    }
}

fn sum(entries: &[Entry], normal_side: &str, wanted: impl Fn(&Entry) -> bool) -> i128 {
    entries.iter().filter(|entry| wanted(entry)).map(|entry| change(entry, normal_side)).sum()
}

/// A balance against the entries of the account.
fn check_balance(told: &BalanceAt, entries: &[Entry], at: Timestamp) {
    let is_there = |entry: &Entry| time(entry) <= at;
    assert_eq!(told.at, at.to_string());
    assert_eq!(told.posted, sum(entries, &told.normal_side, is_there), "at {at}");
    let seq = entries.iter().filter(|entry| is_there(entry)).count();
    assert_eq!(told.seq, i64::try_from(seq).unwrap(), "at {at}");
}

/// A statement in pages of so many entries against the entries of the account. Its opening and closing balance.
async fn check_statement(
    client: &Client,
    account: AccountNumber,
    entries: &[Entry],
    (from, to): (Timestamp, Timestamp),
    limit: u16,
) -> (i128, i128) {
    let mut page = Page { limit: Some(limit), cursor: None };
    let first = client.statement(account, from, to, &page).await.unwrap();
    let mut lines = first.data.clone();
    let mut next = first.next_cursor.clone();
    while let Some(cursor) = next {
        assert_eq!(lines.len() % usize::from(limit), 0, "only the last page is short");
        page.cursor = Some(cursor);
        let more = client.statement(account, from, to, &page).await.unwrap();
        assert_eq!((more.opening_balance, more.total_debits), (None, None), "figures are on the first page");
        assert_eq!((more.opening_seq, more.closing_seq), (first.opening_seq, first.closing_seq));
        lines.extend(more.data);
        next = more.next_cursor;
    }
    let wanted: Vec<&Entry> = entries.iter().filter(|entry| (from..to).contains(&time(entry))).collect();
    assert_eq!(first.count, i64::try_from(wanted.len()).unwrap());
    let shown =
        |entry: &Entry| (entry.seq, entry.transfer, entry.balance_after, entry.category, entry.posted_at.clone());
    assert!(lines.iter().map(shown).eq(wanted.iter().map(|entry| shown(entry))), "from {from} to {to}");
    let side = first.normal_side.as_str();
    let (opening, closing) = (first.opening_balance.unwrap(), first.closing_balance.unwrap());
    let (debits, credits) = (first.total_debits.unwrap(), first.total_credits.unwrap());
    assert_eq!(opening, sum(entries, side, |entry| time(entry) < from));
    let moved = if side == "credit" { credits - debits } else { debits - credits };
    assert_eq!(opening + moved, closing);
    let of_side = |side: &str| wanted.iter().filter(|entry| entry.side == side).map(|entry| entry.amount).sum::<i128>();
    assert_eq!((debits, credits), (of_side("debit"), of_side("credit")));
    assert_eq!(lines.last().map_or(opening, |last| last.balance_after), closing);
    (opening, closing)
}

#[tokio::test]
async fn what_is_told_of_the_past_is_what_the_entries_add_up_to() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let mut random = random("statements::what_is_told_of_the_past_is_what_the_entries_add_up_to");
    let mut accounts = history(&mut random, client, 400).await;
    accounts.extend(["AZ", "TX"].map(|branch| AccountNumber::cash(code(branch), dollars())));
    for account in accounts {
        let entries = all(client, account).await;
        let first = time(&entries[0]);
        let mut instants: Vec<Timestamp> = (0..40).map(|_| instant(&mut random, &entries)).collect();
        instants.extend([Timestamp::from_micros(0), later(first, -1), first]);
        for at in &instants {
            check_balance(&client.balance(account, Some(*at)).await.unwrap(), &entries, *at);
        }
        let now = client.balance(account, None).await.unwrap();
        let present = client.account(account).await.unwrap();
        assert_eq!((now.posted, now.seq), (present.posted, present.seq));
        // Periods side by side.
        instants.sort();
        instants.dedup();
        let mut before = 0;
        for pair in instants.windows(2) {
            let limit = random.u16(1..=60);
            let (opening, closing) = check_statement(client, account, &entries, (pair[0], pair[1]), limit).await;
            assert!(pair[0] > first || opening == 0);
            assert_eq!(opening, before, "where the period before ended");
            before = closing;
        }
    }
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_of_the_past_under_load_stays_so() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let mut accounts = Vec::new();
    for branch in ["AZ", "TX", "AZ", "TX"] {
        accounts.push(open(client, branch, 1_000_000).await);
    }
    let end = Instant::now() + Duration::from_secs(4);
    let paying = (0..8_usize).map(|at| {
        let (client, accounts) = (client.clone(), accounts.clone());
        tokio::spawn(async move {
            let mut posted = 0_u32;
            while Instant::now() < end {
                let from = fastrand::usize(..accounts.len());
                let to = (from + 1 + at % (accounts.len() - 1)) % accounts.len();
                let answer = told(&client.transfer(&pay(accounts[from], accounts[to], 1)).await);
                let expected = ["posted", "settling"].contains(&answer.as_str()) || answer.starts_with("unavailable");
                assert!(expected, "{answer}");
                posted += u32::from(answer == "posted");
            }
            posted
        })
    });
    let paying: Vec<_> = paying.collect();
    let mut balances: Vec<(AccountNumber, Timestamp, BalanceAt)> = Vec::new();
    while Instant::now() < end {
        let account = accounts[fastrand::usize(..accounts.len())];
        // As late as may be: by the time that it arrives it is past.
        let at = Timestamp::from(SystemTime::now());
        match client.balance(account, Some(at)).await {
            Ok(balance) => balances.push((account, at, balance)),
            refused => {
                let refused = asked(&refused);
                assert!(refused == "400 invalid_request" || refused.starts_with("unavailable"), "{refused}");
            }
        }
    }
    let mut posted = 0;
    for client in paying {
        posted += client.await.unwrap();
    }
    println!("{posted} transfers, {} balances", balances.len());
    assert!(posted > 100 && balances.len() > 50, "too little for a proof");
    databases.nothing_prepared_within(Duration::from_secs(10)).await;
    for account in accounts {
        let entries = all(client, account).await;
        for (_, at, balance) in balances.iter().filter(|(of, ..)| *of == account) {
            check_balance(balance, &entries, *at);
        }
    }
    databases.finish().await;
}

#[tokio::test]
async fn a_past_that_a_batch_may_still_change_is_not_told() {
    let databases = Databases::start().await;
    let to_az = Wire::to(databases.cluster("AZ").port()).await;
    // No recovery by itself while the test looks.
    let server = Server::start_set(&databases, &[("AZ", &to_az)], "recovery_age_ms = 600000").await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    // The batch has read its clock; its decision is on the way.
    let mut held = to_az.hold("insert into batch (id", Hold::Message);
    let (payer, request) = (client.clone(), pay(az, tx, 100));
    let sent = request.clone();
    let paying = tokio::spawn(async move { told(&payer.transfer(&sent).await) });
    held.reached().await;
    let at = Timestamp::from(SystemTime::now());
    tokio::time::sleep(Duration::from_millis(5)).await;
    // The batch lives, or is in doubt by the time that this is asked; it has the rows in either case.
    let expected = ["unavailable busy", "unavailable account_in_doubt"];
    let refused = |answer: String| assert!(expected.contains(&answer.as_str()), "{answer}");
    let begin = Instant::now();
    refused(asked(&client.balance(az, Some(at)).await));
    refused(asked(&client.statement(tx, later(at, -1_000_000), at, &Page::default()).await));
    println!("refused twice within {} ms", begin.elapsed().as_millis());
    for account in [az, tx] {
        assert_eq!(asked(&client.balance(account, None).await), "told", "what is there now needs no lock");
    }
    held.release();
    assert!(["posted", "settling", "unknown"].contains(&paying.await.unwrap().as_str()));
    let again = until_final(client, &request).await;
    assert_eq!(again, "replayed");
    databases.nothing_prepared_within(Duration::from_secs(10)).await;
    let entry = all(client, tx).await.remove(0);
    assert!(time(&entry) <= at, "it came before the instant that was asked for");
    assert_eq!(settled(client, az, at).await.posted, 900);
    assert_eq!(settled(client, tx, at).await.posted, 100);
    databases.finish().await;
}

/// The balance once the account is no longer in doubt.
async fn settled(client: &Client, account: AccountNumber, at: Timestamp) -> BalanceAt {
    let begin = Instant::now();
    loop {
        match client.balance(account, Some(at)).await {
            Ok(balance) => return balance,
            answer => assert_eq!(asked(&answer), "unavailable account_in_doubt"),
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "still in doubt");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_account_in_doubt_has_no_past_until_its_batch_is_settled() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let mut dying = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let (az, tx) = (open(&dying.client, "AZ", 1_000).await, open(&dying.client, "TX", 0).await);
    let mut held = to_tx.hold("commit prepared", Hold::Message);
    let (payer, request) = (dying.client.clone(), pay(az, tx, 100));
    let paying = tokio::spawn(async move { told(&payer.transfer(&request).await) });
    held.reached().await;
    dying.kill();
    assert_eq!(paying.await.unwrap(), "unknown");
    held.cut();
    let server = Server::start_with_setting(&databases, "recovery_age_ms = 600000\n").await;
    let client = &server.client;
    let at = Timestamp::from(SystemTime::now());
    tokio::time::sleep(Duration::from_millis(5)).await;
    for _ in 0..2 {
        assert_eq!(asked(&client.balance(tx, Some(at)).await), "unavailable account_in_doubt");
    }
    let answer = client.statement(tx, later(at, -1_000_000), at, &Page::default()).await;
    assert_eq!(asked(&answer), "unavailable account_in_doubt");
    assert_eq!(client.balance(tx, None).await.unwrap().posted, 0);
    assert_eq!(client.balance(az, Some(at)).await.unwrap().posted, 900, "its other account is not in doubt");
    let batch = client.in_doubt().await.unwrap().data.remove(0).batch;
    assert!(client.resolve_in_doubt(&batch).await.unwrap().finished);
    assert_eq!(settled(client, tx, at).await.posted, 100);
    databases.finish().await;
}

/// Lines of an account as they stand there years after they were posted: two of November 2023, two of January 2024.
async fn old_lines(databases: &Databases, account: AccountNumber) -> Vec<Timestamp> {
    let key = account.key(BranchNumber::new(1).unwrap()).as_i64();
    let mut sql = "select make_transfer_partition(202311); select make_transfer_partition(202401);".to_owned();
    let mut previous = "null".to_owned();
    let mut times = Vec::new();
    for (seq, millis) in (1_u8..).zip([1_700_000_000_000, 1_700_100_000_000, 1_704_900_000_000, 1_705_000_000_000]) {
        let id = id_of(millis, seq);
        let posted_at = Timestamp::from_micros(i64::try_from(millis).unwrap() * 1_000);
        sql += &format!(
            "insert into transfer (id, period, kind, debit, credit, amount, currency, category, batch, posted_at,
               credit_balance_after, credit_seq, credit_previous)
             values ('{id}', transfer_period_of('{id}'), 'transfer', 2000000000840, {key}, 10, 'USD', 0, 'TX-1-{seq}',
               '{posted_at}', {seq} * 10, {seq}, {previous});
             update account set balance = {seq} * 10, seq = {seq}, last_transfer = '{id}', last_posted_at = '{posted_at}'
             where id = {key};"
        );
        previous = format!("'{id}'");
        times.push(posted_at);
    }
    databases.sql("AZ", &sql).await;
    times
}

#[tokio::test]
async fn what_is_in_the_archive_is_not_guessed_and_what_follows_from_the_rest_is_told() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let account = open(client, "AZ", 0).await;
    let times = old_lines(&databases, account).await;
    let (new_year, today) = ("2024-01-01T00:00:00Z".parse().unwrap(), "2024-06-01T00:00:00Z".parse().unwrap());
    let expected = [(later(times[0], -1), 0), (times[0], 1), (times[1], 2), (new_year, 2), (times[2], 3), (today, 4)];
    for (at, seq) in expected {
        let told = client.balance(account, Some(at)).await.unwrap();
        assert_eq!((told.seq, told.posted), (seq, i128::from(seq) * 10), "at {at}");
    }
    databases.value("AZ", "select detach_transfer_period(202311)").await;
    for (at, seq) in expected {
        let answer = client.balance(account, Some(at)).await;
        if at < new_year {
            assert_eq!(asked(&answer), "410 history_archived", "at {at}");
        } else {
            let told = answer.unwrap();
            assert_eq!((told.seq, told.posted), (seq, i128::from(seq) * 10), "at {at}");
        }
    }
    let page = Page::default();
    let statement = client.statement(account, new_year, today, &page).await.unwrap();
    let figures = (statement.opening_balance, statement.closing_balance, statement.total_credits);
    assert_eq!((statement.opening_seq, figures), (2, (Some(20), Some(40), Some(20))));
    assert_eq!(asked(&client.statement(account, times[0], today, &page).await), "410 history_archived");
    assert_eq!(asked(&client.statement_csv(account, times[0], today).await), "410 history_archived");
    // All of it is in the archive, and nothing came since.
    databases.value("AZ", "select detach_transfer_period(202401)").await;
    let told = client.balance(account, Some(today)).await.unwrap();
    assert_eq!((told.seq, told.posted), (4, 40));
    let statement = client.statement(account, "2024-03-01T00:00:00Z".parse().unwrap(), today, &page).await.unwrap();
    assert_eq!((statement.count, statement.opening_balance, statement.closing_balance), (0, Some(40), Some(40)));
    databases.finish().await;
}

#[tokio::test]
async fn what_is_not_past_or_too_long_is_named() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (account, page) = (open(client, "AZ", 1_000).await, Page::default());
    let refused = |answer: Result<(), ClientError>| match answer {
        Err(ClientError::Rejected(problem)) => (problem.status, problem.detail),
        other => panic!("{other:?}"),
    };
    let (now, future) = (Timestamp::from(SystemTime::now()), "2999-01-01T00:00:00Z".parse().unwrap());
    let (status, detail) = refused(client.balance(account, Some(future)).await.map(drop));
    assert!(status == 400 && detail.starts_with("at: must lie before the branch's clock, which is 20"), "{detail}");
    let (status, detail) = refused(client.statement(account, now, future, &page).await.map(drop));
    assert!(status == 400 && detail.starts_with("to: must not be later than the branch's clock"), "{detail}");
    let (_, detail) = refused(client.statement_csv(account, now, future).await.map(drop));
    assert!(detail.starts_with("to: must not be later than"), "{detail}");
    let (_, detail) = refused(client.statement(account, now, now, &page).await.map(drop));
    assert_eq!(detail, "to: must be later than from");
    let missing = AccountNumber::new(code("AZ"), 77_777).unwrap();
    let elsewhere = AccountNumber::new(code("NV"), 1_042).unwrap();
    for account in [missing, elsewhere] {
        assert_eq!(asked(&client.balance(account, None).await), "404 account_not_found");
        assert_eq!(asked(&client.balance(account, Some(now)).await), "404 account_not_found");
        assert_eq!(asked(&client.statement(account, later(now, -5), now, &page).await), "404 account_not_found");
    }
    // A history of more lines than are added up, of which only the ends are there.
    let long = open(client, "AZ", 0).await;
    let times = old_lines(&databases, long).await;
    let key = long.key(BranchNumber::new(1).unwrap()).as_i64();
    let stretch = format!(
        "set session_replication_role = replica;
         update transfer set credit_seq = 150001, credit_previous = '{}' where credit = {key} and credit_seq = 4;
         update account set seq = 150001 where id = {key}",
        id_of(1_700_000_000_000, 1)
    );
    databases.sql("AZ", &stretch).await;
    let (status, detail) = refused(client.statement(long, later(times[0], -1), now, &page).await.map(drop));
    let rule = "to: the period has 150001 entries, more than the 100000 of a statement as JSON";
    assert!(status == 400 && detail.starts_with(rule), "{detail}");
    databases.finish().await;
}

#[tokio::test]
async fn transfers_have_their_category_in_the_entries() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let mut request = pay(az, tx, 10);
    request.category = 65_535;
    assert_posted(client.transfer(&request).await);
    for account in [az, tx] {
        assert_eq!(all(client, account).await.last().unwrap().category, 65_535);
    }
    databases.finish().await;
}
