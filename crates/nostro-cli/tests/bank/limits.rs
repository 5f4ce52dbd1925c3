//! Limits and states of accounts over HTTP: what they refuse across branches, how they are changed, and what is kept of it.

use crate::entries::{all, time};
use nostro_client::{Account, AccountChange, ChangeRequest, Client, ClientError, Entry, Page, ReversalRequest, Terms};
use nostro_core::{AccountNumber, Timestamp};
use nostro_torture::databases::Databases;
use nostro_torture::money::{
    assert_posted, balance, cash, code, give_back, open, pay, reserve, take, told, undo, until_final,
};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

fn change() -> ChangeRequest {
    ChangeRequest { id: Uuid::now_v7(), ..ChangeRequest::default() }
}

fn state(word: &str) -> ChangeRequest {
    ChangeRequest { state: Some(word.into()), ..change() }
}

fn ceiling(minor: &str) -> ChangeRequest {
    ChangeRequest { ceiling: Some(minor.into()), ..change() }
}

fn limit(minor: &str) -> ChangeRequest {
    ChangeRequest { overdraft_limit: Some(minor.into()), ..change() }
}

async fn changed(client: &Client, number: AccountNumber, request: &ChangeRequest) -> Account {
    client.change_account(number, request).await.unwrap()
}

async fn refused(client: &Client, number: AccountNumber, request: &ChangeRequest) -> String {
    match client.change_account(number, request).await {
        Err(ClientError::Rejected(problem) | ClientError::Unavailable { problem, .. }) => problem.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_frozen_account_takes_what_it_is_not_frozen_for() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    for (from, to) in [("AZ", "TX"), ("TX", "AZ"), ("TX", "TX")] {
        let (payer, paid) = (open(client, from, 1_000).await, open(client, to, 100).await);
        let (held, freed) = (reserve(payer, paid, 50, None), reserve(payer, paid, 60, None));
        assert_posted(client.place_hold(&held).await);
        assert_posted(client.place_hold(&freed).await);
        assert_eq!(changed(client, payer, &state("debits_frozen")).await.state, "debits_frozen");
        assert_eq!(told(&client.transfer(&pay(payer, paid, 1)).await), "refused debit_account_frozen");
        assert_eq!(told(&client.place_hold(&reserve(payer, paid, 1, None)).await), "refused debit_account_frozen");
        let capture = take(50, true);
        assert_eq!(
            told(&client.capture_hold(held.id, None, &capture).await),
            "refused debit_account_frozen",
            "{from} {to}"
        );
        assert_posted(client.release_hold(freed.id, None, &give_back()).await);
        assert_posted(client.transfer(&pay(paid, payer, 1)).await);
        assert_eq!(told(&client.withdraw(&cash(payer, 1)).await), "refused debit_account_frozen");
        assert_posted(client.deposit(&cash(payer, 1)).await);
        changed(client, payer, &state("credits_frozen")).await;
        assert_posted(client.capture_hold(held.id, None, &take(50, true)).await);
        assert_eq!(told(&client.transfer(&pay(paid, payer, 1)).await), "refused credit_account_frozen");
        changed(client, payer, &state("frozen")).await;
        assert_eq!(told(&client.transfer(&pay(payer, paid, 1)).await), "refused debit_account_frozen");
        assert_eq!(told(&client.transfer(&pay(paid, payer, 1)).await), "refused credit_account_frozen");
        changed(client, payer, &state("open")).await;
        assert_posted(client.transfer(&pay(payer, paid, 952)).await);
        assert_eq!((balance(client, payer).await, balance(client, paid).await), (0, 1_101));
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn a_ceiling_and_a_lowered_limit_leave_the_account_a_way_back() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (payer, paid) = (open(client, "AZ", 1_000).await, open(client, "TX", 100).await);
    assert_eq!(changed(client, paid, &ceiling("150")).await.ceiling, Some(150));
    assert_eq!(told(&client.transfer(&pay(payer, paid, 51)).await), "refused ceiling_exceeded");
    let at_most = nostro_client::TransferRequest { up_to: true, ..pay(payer, paid, 51) };
    assert_eq!(told(&client.transfer(&at_most).await), "refused ceiling_exceeded");
    assert_eq!(told(&client.deposit(&cash(paid, 51)).await), "refused ceiling_exceeded");
    assert_posted(client.transfer(&pay(payer, paid, 50)).await);

    let above = changed(client, paid, &ceiling("120")).await;
    assert!(above.limit_exceeded);
    assert_eq!(told(&client.transfer(&pay(payer, paid, 1)).await), "refused ceiling_exceeded");
    assert_posted(client.transfer(&pay(paid, payer, 29)).await);
    assert!(client.account(paid).await.unwrap().limit_exceeded, "121 is above 120");
    assert_posted(client.transfer(&pay(paid, payer, 1)).await);
    assert!(!client.account(paid).await.unwrap().limit_exceeded);
    assert_eq!(changed(client, paid, &ceiling("none")).await.ceiling, None);
    assert_posted(client.transfer(&pay(payer, paid, 500)).await);

    // The overdraft limit is lowered while it is used: later credits do not fail, and debits do.
    changed(client, payer, &limit("400")).await;
    assert_posted(client.transfer(&pay(payer, paid, 800)).await);
    assert_eq!(balance(client, payer).await, -320);
    let lowered = changed(client, payer, &limit("100")).await;
    assert_eq!((lowered.limit_exceeded, lowered.available), (true, Some(-220)));
    assert_eq!(told(&client.transfer(&pay(payer, paid, 1)).await), "refused insufficient_funds");
    assert_posted(client.transfer(&pay(paid, payer, 219)).await);
    assert!(client.account(payer).await.unwrap().limit_exceeded);
    assert_posted(client.transfer(&pay(paid, payer, 1)).await);
    assert!(!client.account(payer).await.unwrap().limit_exceeded);
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

/// Figures that fit a bigint fit the rules of the tables, however large the limit beside them.
#[tokio::test]
async fn the_largest_limit_and_the_largest_balance_go_together() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let account = open(client, "AZ", 0).await;
    changed(client, account, &limit("999999999999999999")).await;
    for _ in 0..9 {
        assert_posted(client.deposit(&cash(account, 999_999_999_999_999_999)).await);
    }
    assert_eq!(told(&client.deposit(&cash(account, 999_999_999_999_999_999)).await), "refused balance_out_of_range");
    let found = changed(client, account, &limit("999999999999999998")).await;
    assert_eq!(found.posted, 9 * 999_999_999_999_999_999);
    databases.finish().await;
}

#[tokio::test]
async fn a_forced_reversal_overdraws_and_says_so() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    for (from, to) in [("AZ", "TX"), ("TX", "AZ")] {
        let (payer, paid) = (open(client, from, 600).await, open(client, to, 0).await);
        let original = pay(payer, paid, 600);
        assert_posted(client.transfer(&original).await);
        assert_posted(client.transfer(&pay(paid, open(client, to, 0).await, 550)).await);
        assert_eq!(told(&client.reverse(original.id, None, &undo(None)).await), "refused reversal_not_covered");
        let forced = ReversalRequest { force: true, ..undo(Some(400)) };
        assert_posted(client.reverse(original.id, None, &forced).await);
        assert_eq!((balance(client, payer).await, balance(client, paid).await), (400, -350));
        assert!(client.account(paid).await.unwrap().limit_exceeded);
        assert!(client.transfer_by_id(forced.id, None).await.unwrap().forced);
        assert_eq!(told(&client.reverse(original.id, None, &forced).await), "replayed");
        let unforced = ReversalRequest { force: false, ..forced.clone() };
        assert_eq!(told(&client.reverse(original.id, None, &unforced).await), "conflict /force");
        let beyond = ReversalRequest { force: true, ..undo(Some(201)) };
        assert_eq!(told(&client.reverse(original.id, None, &beyond).await), "refused reversal_exceeded");
        assert_posted(client.deposit(&cash(paid, 349)).await);
        assert!(client.account(paid).await.unwrap().limit_exceeded);
        assert_posted(client.deposit(&cash(paid, 1)).await);
        assert!(!client.account(paid).await.unwrap().limit_exceeded);
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn changes_are_idempotent_and_keep_a_history() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (account, other) = (open(client, "AZ", 0).await, open(client, "AZ", 0).await);
    let first = ChangeRequest { reason: Some("raise".into()), ..limit("500") };
    changed(client, account, &first).await;
    let second = ChangeRequest { state: Some("frozen".into()), ..ceiling("900") };
    changed(client, account, &second).await;
    // Again: the account as it is now.
    let again = changed(client, account, &first).await;
    assert_eq!((again.overdraft_limit, again.ceiling, again.state.as_str()), (500, Some(900), "frozen"));
    for (number, request, field) in [
        (account, ChangeRequest { id: first.id, reason: first.reason.clone(), ..limit("501") }, "/overdraft_limit"),
        (account, ChangeRequest { ceiling: Some("none".into()), ..first.clone() }, "/ceiling"),
        (account, ChangeRequest { state: Some("open".into()), ..first.clone() }, "/state"),
        (account, ChangeRequest { reason: None, ..first.clone() }, "/reason"),
        (other, first.clone(), "/number"),
    ] {
        match client.change_account(number, &request).await {
            Err(ClientError::Rejected(problem)) => {
                assert_eq!((problem.code.as_str(), problem.errors[0].pointer.as_str()), ("id_conflict", field));
            }
            met => panic!("{field}: {met:?}"),
        }
    }
    // The request that opened it is still the same one, though its limit is another by now.
    let customer = nostro_client::NewCustomer { id: Uuid::now_v7(), branch: code("AZ"), name: "Ada".into() };
    let customer = client.create_customer(&customer).await.unwrap().number;
    let opening = nostro_client::NewAccount {
        id: Uuid::now_v7(),
        customer,
        kind: "checking".into(),
        currency: nostro_torture::money::dollars(),
        overdraft_limit: 70,
    };
    let number = client.open_account(&opening).await.unwrap().number;
    changed(client, number, &limit("80")).await;
    changed(client, number, &limit("90")).await;
    let again = client.open_account(&opening).await.unwrap();
    assert_eq!((again.number, again.overdraft_limit), (number, 90));
    let other_limit = nostro_client::NewAccount { overdraft_limit: 90, ..opening };
    assert!(matches!(client.open_account(&other_limit).await, Err(ClientError::Rejected(_))));

    let close = Uuid::now_v7();
    client.close_account(close, account, Some("moved".into())).await.unwrap();
    assert_eq!(client.close_account(close, account, Some("moved".into())).await.unwrap().state, "closed");
    assert_eq!(refused(client, account, &state("open")).await, "account_closed");
    let cash = client.accounts(code("AZ"), &Page::default()).await.unwrap().data;
    let cash = cash.iter().find(|account| account.kind == "cash").unwrap().number;
    assert_eq!(refused(client, cash, &limit("5")).await, "bank_account");
    assert_eq!(refused(client, other, &change()).await, "invalid_request");

    let mut told = Vec::new();
    let mut page = Page { limit: Some(2), cursor: None };
    loop {
        let listing = client.account_changes(account, &page).await.unwrap();
        told.extend(listing.data.iter().map(|change| {
            let terms =
                |terms: &nostro_client::Terms| format!("{} {} {:?}", terms.state, terms.overdraft_limit, terms.ceiling);
            let reason = change.reason.as_deref().unwrap_or("-");
            format!("{} -> {}: {reason}", terms(&change.before), terms(&change.after))
        }));
        match listing.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(
        told,
        [
            "frozen 500 Some(900) -> closed 500 Some(900): moved",
            "open 500 None -> frozen 500 Some(900): -",
            "open 0 None -> open 500 None: raise",
        ]
    );
    assert!(client.account_changes(other, &Page::default()).await.unwrap().data.is_empty());
    databases.finish().await;
}

#[tokio::test]
async fn changes_and_transfers_at_once_keep_every_rule() {
    const KINDS: [&str; 4] = ["frozen", "open", "ceiling 50", "ceiling none"];
    let databases = Databases::start().await;
    let (one, two) = (Server::start(&databases).await, Server::start(&databases).await);
    let (payer, paid) = (open(&one.client, "AZ", 100_000).await, open(&one.client, "TX", 0).await);
    let is_paying = Cell::new(true);
    let paying = async {
        let mut refused: BTreeMap<String, usize> = BTreeMap::new();
        for round in 0..40 {
            let client = if round % 2 == 0 { &one.client } else { &two.client };
            let requests: Vec<_> = (0..20).map(|_| pay(payer, paid, 5)).collect();
            for item in client.transfers_bulk(&requests).await.unwrap() {
                match (item.state.as_str(), item.problem) {
                    ("posted" | "unavailable", _) => {}
                    ("refused", Some(problem)) => *refused.entry(problem.code).or_default() += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
        is_paying.set(false);
        refused
    };
    let changing = async {
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        let mut round = 0;
        while is_paying.get() || round < 40 {
            let client = if round % 2 == 0 { &two.client } else { &one.client };
            let requests = [state("frozen"), state("open"), ceiling("50"), ceiling("none")];
            // What has the row for too long is told as such; then nothing was changed.
            match client.change_account(paid, &requests[round % 4]).await {
                Ok(_) => *made.entry(KINDS[round % 4]).or_default() += 1,
                Err(ClientError::Unavailable { problem, .. }) => {
                    assert!(["busy", "account_in_doubt"].contains(&problem.code.as_str()), "{problem:?}");
                }
                Err(error) => panic!("{error:?}"),
            }
            round += 1;
        }
        made
    };
    let (refused, made) = tokio::join!(paying, changing);
    println!("changes {made:?}, refused {refused:?}");
    assert!(KINDS.iter().all(|kind| made.contains_key(kind)), "too little for a proof: {made:?}");
    assert!(refused.keys().all(|code| ["credit_account_frozen", "ceiling_exceeded"].contains(&code.as_str())));
    let client = &one.client;
    let account = client.account(paid).await.unwrap();
    assert_eq!(balance(client, payer).await + account.posted, 100_000);
    assert!(account.posted > 0, "too little for a proof");
    let outside = account.ceiling.is_some_and(|ceiling| account.posted > ceiling);
    assert_eq!(account.limit_exceeded, outside);
    let changes = history(client, paid).await;
    assert_eq!(changes.len(), made.values().sum::<usize>(), "what was answered is what was made");
    assert_terms_held(&changes, &all(client, paid).await);
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

/// Every change of an account, oldest first.
async fn history(client: &Client, number: AccountNumber) -> Vec<AccountChange> {
    let mut page = Page { limit: Some(200), cursor: None };
    let mut changes = Vec::new();
    loop {
        let listing = client.account_changes(number, &page).await.unwrap();
        changes.extend(listing.data);
        match listing.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    changes.reverse();
    changes
}

/// Each change goes on where the one before it ended, and each entry is one that the account took by the terms that it
/// had then. Changes and postings have the account's row one after the other, so their times tell their order.
fn assert_terms_held(changes: &[AccountChange], entries: &[Entry]) {
    let opening = Terms { overdraft_limit: 0, ceiling: None, state: "open".into() };
    let mut terms = opening.clone();
    for change in changes {
        assert_eq!(change.before, terms, "at {}", change.changed_at);
        terms = change.after.clone();
    }
    let changed_at = |change: &AccountChange| change.changed_at.parse::<Timestamp>().unwrap();
    for entry in entries {
        let before = changes.iter().take_while(|change| changed_at(change) < time(entry));
        let terms = before.last().map_or(&opening, |change| &change.after);
        assert_eq!((entry.side.as_str(), terms.state.as_str()), ("credit", "open"), "{entry:?} under {terms:?}");
        assert!(terms.ceiling.is_none_or(|ceiling| entry.balance_after <= ceiling), "{entry:?} above {terms:?}");
    }
}

#[tokio::test]
async fn an_account_that_a_batch_in_doubt_holds_is_not_changed() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("TX").port()).await;
    // No recovery by itself while the test looks.
    let server = Server::start_set(&databases, &[("TX", &proxy)], "recovery_age_ms = 600000").await;
    let client = &server.client;
    let (payer, paid) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let request = pay(payer, paid, 10);
    let mut held = proxy.hold("commit prepared", Hold::Message);
    let (sender, sent) = (client.clone(), request.clone());
    let asking = tokio::spawn(async move { sender.transfer(&sent).await });
    held.reached().await;
    let frozen = state("frozen");
    // As long as its batch lives the row is busy; then it is in doubt, and soon that is known beforehand.
    let begin = Instant::now();
    loop {
        let code = refused(client, paid, &frozen).await;
        if code == "account_in_doubt" {
            break;
        }
        assert_eq!(code, "busy");
        assert!(begin.elapsed() < Duration::from_secs(15), "still busy");
    }
    assert_eq!(refused(client, paid, &frozen).await, "account_in_doubt");
    match client.close_account(Uuid::now_v7(), paid, None).await {
        Err(ClientError::Unavailable { problem, .. }) => assert_eq!(problem.code, "account_in_doubt"),
        met => panic!("{met:?}"),
    }
    assert!(client.account_changes(paid, &Page::default()).await.unwrap().data.is_empty());
    held.release();
    asking.await.unwrap().unwrap();
    until_final(client, &request).await;
    assert_eq!(changed(client, paid, &frozen).await.state, "frozen");
    assert_eq!(balance(client, paid).await, 10);
    databases.finish().await;
}
