//! Chains over HTTP: all links or none, over one branch, two, and eight; again, at two servers at once, through a crash.

use nostro_client::{BulkItem, BulkOperation, BulkOrder, Client, TransferRequest};
use nostro_torture::databases::Databases;
use nostro_torture::money::{amount, assert_posted, balance, cash, give_back, open, pay, reserve, take, told, undo};
use nostro_torture::server::Server;
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(super) fn linked(requests: &[TransferRequest]) -> Vec<BulkOrder> {
    let last = requests.len() - 1;
    let order = |(at, request): (usize, &TransferRequest)| BulkOrder {
        operation: BulkOperation::Transfer(request.clone()),
        linked: at < last,
    };
    requests.iter().enumerate().map(order).collect()
}

pub(super) fn whole(requests: &[TransferRequest]) -> Vec<BulkOrder> {
    requests.iter().map(|request| BulkOperation::Transfer(request.clone()).into()).collect()
}

/// `posted`, `posted again`, `refused insufficient_funds`, ...
fn state(item: &BulkItem) -> String {
    let code = item.problem.as_ref().map(|problem| format!(" {}", problem.code)).unwrap_or_default();
    format!("{}{}{code}", item.state, if item.replayed { " again" } else { "" })
}

pub(super) fn states(items: &[BulkItem]) -> Vec<String> {
    items.iter().map(state).collect()
}

/// Until nothing is open.
pub(super) async fn until_settled(client: &Client, orders: &[BulkOrder]) -> Vec<String> {
    let begin = Instant::now();
    loop {
        if let Ok(items) = client.bulk(orders).await {
            let states = states(&items);
            let is_open = |state: &String| state.starts_with("un") || state.starts_with("settling");
            if !states.iter().any(is_open) {
                return states;
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_chain_is_posted_whole_or_refused_whole_and_names_the_broken_link() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    for (one, two) in [("AZ", "TX"), ("TX", "AZ"), ("AZ", "AZ")] {
        let (a, b, c) = (open(client, one, 100).await, open(client, two, 0).await, open(client, one, 0).await);
        let requests = [pay(a, b, 100), pay(b, c, 60), pay(c, a, 10)];
        assert_eq!(states(&client.atomic_bulk(&whole(&requests)).await.unwrap()), ["posted"; 3]);
        assert_eq!((balance(client, a).await, balance(client, b).await, balance(client, c).await), (10, 40, 50));
        let broken = [pay(b, a, 40), pay(a, c, 51), pay(c, b, 1)];
        let items = client.atomic_bulk(&whole(&broken)).await.unwrap();
        let expected = ["refused chain_broken", "refused insufficient_funds", "refused chain_broken"];
        assert_eq!(states(&items), expected);
        let problem = items[2].problem.as_ref().unwrap();
        assert_eq!(problem.errors[0].pointer, "/transfers/1");
        assert_eq!(problem.errors[0].detail, "insufficient_funds");
        assert_eq!((balance(client, a).await, balance(client, b).await, balance(client, c).await), (10, 40, 50));

        let shown = client.transfer_by_id(requests[2].id, None).await.unwrap();
        let chain = shown.chain.unwrap();
        assert_eq!((chain.id, chain.position, chain.length), (requests[0].id, 2, 3));
        let shown = client.transfer_by_id(broken[0].id, None).await.unwrap();
        assert_eq!((shown.state.as_str(), shown.refusal.as_deref()), ("refused", Some("chain_broken")));

        // Again, also at a server that remembers nothing, and only the same list.
        let fresh = Server::start(&databases).await;
        for client in [client, &fresh.client] {
            assert_eq!(states(&client.atomic_bulk(&whole(&requests)).await.unwrap()), ["posted again"; 3]);
            let again = client.atomic_bulk(&whole(&broken)).await.unwrap();
            assert_eq!(
                states(&again),
                ["refused again chain_broken", "refused again insufficient_funds", "refused again chain_broken"]
            );
            let shorter = client.atomic_bulk(&whole(&requests[..2])).await.unwrap();
            assert_eq!(states(&shorter), ["conflict id_conflict"; 2]);
            assert_eq!(shorter[0].problem.as_ref().unwrap().errors[0].pointer, "/transfers/0/chain");
            let other = [requests[0].clone(), requests[1].clone(), pay(c, a, 10)];
            assert_eq!(states(&client.atomic_bulk(&whole(&other)).await.unwrap()), ["conflict id_conflict"; 3]);
            let reordered = [requests[1].clone(), requests[0].clone(), requests[2].clone()];
            assert_eq!(states(&client.atomic_bulk(&whole(&reordered)).await.unwrap()), ["conflict id_conflict"; 3]);
            let changed = [requests[0].clone(), TransferRequest { amount: amount(61), ..requests[1].clone() }];
            let changed = [changed[0].clone(), changed[1].clone(), requests[2].clone()];
            let items = client.atomic_bulk(&whole(&changed)).await.unwrap();
            assert_eq!(items[1].problem.as_ref().unwrap().errors[0].pointer, "/transfers/1/amount");
            assert_eq!(told(&client.transfer(&requests[1]).await), "conflict /chain");
            assert_eq!(told(&client.transfer(&broken[1]).await), "conflict /chain");
        }
        assert_eq!((balance(client, a).await, balance(client, b).await, balance(client, c).await), (10, 40, 50));
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn one_bulk_carries_chains_and_transfers_and_replays_what_is_known() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (a, b) = (open(client, "AZ", 100).await, open(client, "TX", 100).await);
    let single = pay(a, b, 1);
    let (good, bad) = ([pay(a, b, 10), pay(b, a, 5)], [pay(a, b, 10), pay(b, a, 5_000)]);
    let mut orders = whole(std::slice::from_ref(&single));
    orders.extend(linked(&good));
    orders.extend(linked(&bad));
    orders.extend(whole(&[pay(b, a, 2)]));
    let items = client.bulk(&orders).await.unwrap();
    assert_eq!(
        states(&items),
        ["posted", "posted", "posted", "refused chain_broken", "refused insufficient_funds", "posted"]
    );
    assert_eq!(items[3].problem.as_ref().unwrap().errors[0].pointer, "/transfers/4");
    assert_eq!((balance(client, a).await, balance(client, b).await), (96, 104));
    // A bulk of which some is known.
    let fresh = Server::start(&databases).await;
    let mut more = linked(&good);
    more.extend(whole(&[single, pay(a, b, 3)]));
    for client in [client, &fresh.client] {
        let states = states(&client.bulk(&more).await.unwrap());
        assert_eq!(states[..3], ["posted again", "posted again", "posted again"]);
    }
    assert_eq!((balance(client, a).await, balance(client, b).await), (93, 107));
    databases.finish().await;
}

#[tokio::test]
async fn every_kind_comes_in_a_bulk_and_in_a_chain() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    for (from, to) in [("AZ", "TX"), ("TX", "AZ")] {
        let (a, b) = (open(client, from, 100).await, open(client, to, 100).await);
        let original = pay(b, a, 30);
        assert_posted(client.transfer(&original).await);
        let (kept, ended) = (reserve(a, b, 20, None), reserve(a, b, 15, None));
        let placing: Vec<BulkOrder> = [
            BulkOperation::Hold(kept.clone()),
            BulkOperation::Hold(ended.clone()),
            // Each is decided by itself: a hold of the same bulk is not there yet.
            BulkOperation::Capture { hold: ended.id, request: take(5, false) },
        ]
        .into_iter()
        .map(BulkOrder::from)
        .collect();
        assert_eq!(states(&client.bulk(&placing).await.unwrap()), ["posted", "posted", "unavailable hold_not_found"]);
        let by_itself = [
            BulkOperation::Deposit(cash(a, 7)),
            BulkOperation::Withdrawal(cash(b, 7)),
            BulkOperation::Hold(reserve(a, b, 1, None)),
            BulkOperation::Hold(reserve(a, b, 10_000, None)),
            BulkOperation::Capture { hold: kept.id, request: take(5, false) },
            BulkOperation::Release { hold: ended.id, request: give_back() },
            BulkOperation::Reversal { original: original.id, request: undo(Some(10)) },
            BulkOperation::Capture { hold: Uuid::now_v7(), request: take(5, false) },
            BulkOperation::Reversal { original: Uuid::now_v7(), request: undo(None) },
            BulkOperation::Capture { hold: kept.id, request: take(16, false) },
        ];
        let orders: Vec<BulkOrder> = by_itself.into_iter().map(BulkOrder::from).collect();
        let mut expected = vec!["posted"; 7];
        expected[3] = "refused insufficient_funds";
        expected.extend(["unavailable hold_not_found", "unavailable transfer_not_found", "refused hold_exceeded"]);
        assert_eq!(states(&client.bulk(&orders).await.unwrap()), expected);
        let again = states(&client.bulk(&orders).await.unwrap());
        assert_eq!(again[4..7], ["posted again"; 3]);
        assert_eq!(again[3], "refused again insufficient_funds");
        assert_eq!(again[9], "refused again hold_exceeded");
        assert_eq!((balance(client, a).await, balance(client, b).await), (122, 78));
        assert_eq!(client.account(a).await.unwrap().held, 16);

        // As a chain: a hold that is placed and captured in it, what was held before, and money that goes back.
        let placed = reserve(a, b, 40, None);
        let chain = |last: i64| -> Vec<BulkOrder> {
            [
                BulkOperation::Hold(placed.clone()),
                BulkOperation::Capture { hold: placed.id, request: take(25, true) },
                BulkOperation::Capture { hold: kept.id, request: take(15, false) },
                BulkOperation::Reversal { original: original.id, request: undo(Some(20)) },
                BulkOperation::Transfer(pay(b, a, last)),
            ]
            .into_iter()
            .map(BulkOrder::from)
            .collect()
        };
        let broken = client.atomic_bulk(&chain(1_000)).await.unwrap();
        assert_eq!(state(&broken[4]), "refused insufficient_funds");
        assert_eq!(states(&broken[..4]), ["refused chain_broken"; 4]);
        assert_eq!(client.account(a).await.unwrap().held, 16);
        let placed = reserve(a, b, 40, None);
        let chain: Vec<BulkOrder> = [
            BulkOperation::Hold(placed.clone()),
            BulkOperation::Capture { hold: placed.id, request: take(25, true) },
            BulkOperation::Capture { hold: kept.id, request: take(15, false) },
            BulkOperation::Reversal { original: original.id, request: undo(Some(20)) },
            BulkOperation::Transfer(pay(b, a, 2)),
        ]
        .into_iter()
        .map(BulkOrder::from)
        .collect();
        assert_eq!(states(&client.atomic_bulk(&chain).await.unwrap()), ["posted"; 5]);
        assert_eq!((balance(client, a).await, balance(client, b).await), (64, 136));
        assert_eq!(client.account(a).await.unwrap().held, 1);
        assert_eq!(client.hold(placed.id, None).await.unwrap().state, "captured");
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn two_servers_decide_a_chain_once_whoever_sends_it() {
    let databases = Databases::start().await;
    let servers = [Server::start(&databases).await, Server::start(&databases).await];
    let (a, b, c) = (
        open(&servers[0].client, "AZ", 10_000).await,
        open(&servers[0].client, "TX", 10_000).await,
        open(&servers[0].client, "TX", 0).await,
    );
    let chains: Vec<[TransferRequest; 3]> = (0..40).map(|_| [pay(a, b, 7), pay(b, c, 5), pay(c, a, 3)]).collect();
    let mut asking = Vec::new();
    for (at, chain) in chains.iter().enumerate() {
        for turn in 0..4 {
            let client = servers[(at + turn) % 2].client.clone();
            let orders = linked(chain);
            asking.push(tokio::spawn(async move { until_settled(&client, &orders).await }));
        }
    }
    for asked in asking {
        for state in asked.await.unwrap() {
            assert!(state == "posted" || state == "posted again", "{state}");
        }
    }
    let client = &servers[0].client;
    let found = (balance(client, a).await, balance(client, b).await, balance(client, c).await);
    assert_eq!(found, (10_000 - 160, 10_000 + 80, 80));
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

pub(super) const EIGHT: [&str; 8] = ["AZ", "CO", "ID", "NM", "NV", "OR", "TX", "UT"];

#[tokio::test]
async fn a_chain_goes_over_eight_branches_and_no_further() {
    let databases = Databases::start_branches(&EIGHT, &[]).await;
    let servers = [Server::start(&databases).await, Server::start(&databases).await];
    let client = &servers[0].client;
    let mut accounts = Vec::new();
    for branch in EIGHT {
        accounts.push(open(client, branch, 100).await);
    }
    // Around all branches, each paying the next one, in both directions and at both servers at once.
    let around = |step: usize| -> Vec<TransferRequest> {
        (0..8).map(|at| pay(accounts[at * step % 8], accounts[(at + 1) * step % 8], 10)).collect()
    };
    let mut asking = Vec::new();
    for round in 0..24 {
        let client = servers[round % 2].client.clone();
        // Some over eight branches, some over three or four.
        let requests = around([1, 7, 3, 5][round % 4]);
        let orders = linked(if round % 3 == 0 { &requests[..3] } else { &requests });
        asking.push(tokio::spawn(async move { until_settled(&client, &orders).await }));
    }
    let (mut posted, mut refused) = (0, 0);
    for asked in asking {
        let states = asked.await.unwrap();
        let is = |word: &str| states.iter().filter(|state| state.contains(word)).count();
        assert!(is("posted") == states.len() || is("refused") == states.len(), "{states:?}");
        posted += usize::from(is("posted") > 0);
        refused += usize::from(is("refused") > 0);
    }
    println!("chains posted and refused: {posted}, {refused}");
    assert!(posted >= 12, "{posted}");
    let mut total = 0;
    for account in &accounts {
        total += balance(client, *account).await;
    }
    assert_eq!(total, 800);

    // A broken one, of which each branch that a link is of knows.
    let mut broken = around(1);
    broken[5].amount = amount(5_000);
    let items = client.atomic_bulk(&whole(&broken)).await.unwrap();
    assert_eq!(state(&items[5]), "refused insufficient_funds");
    assert_eq!(items[7].problem.as_ref().unwrap().errors[0].pointer, "/transfers/5");
    let again = servers[1].client.atomic_bulk(&whole(&broken)).await.unwrap();
    assert!(again.iter().all(|item| item.state == "refused" && item.replayed), "{again:?}");

    assert!(client.audit().await.unwrap().balanced);
    let audit = crate::full_audit::full(client, false).await;
    assert_eq!((audit.state.as_str(), audit.findings.len()), ("balanced", 0), "{audit:?}");
    databases.every_batch_is_whole().await;
    databases.finish().await;
}

/// An id that another branch knows for something else is another transfer there, and says nothing of the chain.
#[tokio::test]
async fn what_a_branch_knows_that_a_link_does_not_touch_is_not_held_against_it() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, near, tx, far) = (
        open(client, "AZ", 1_000).await,
        open(client, "AZ", 0).await,
        open(client, "TX", 1_000).await,
        open(client, "TX", 0).await,
    );
    // Links that are local to each branch, whose ids the other branch learns before or afterwards.
    let (before, after) = (pay(tx, far, 3), pay(tx, far, 4));
    assert_posted(client.transfer(&TransferRequest { id: before.id, ..pay(az, near, 1) }).await);
    let chain = linked(&[pay(az, tx, 10), before, after.clone()]);
    assert_eq!(states(&client.bulk(&chain).await.unwrap()), ["posted"; 3]);
    let elsewhere = TransferRequest { id: after.id, ..pay(az, near, 2) };
    assert_posted(client.transfer(&elsewhere).await);
    for server in [&server, &Server::start(&databases).await] {
        assert_eq!(states(&server.client.bulk(&chain).await.unwrap()), ["posted again"; 3]);
        assert_eq!(told(&server.client.transfer(&elsewhere).await), "replayed");
    }
    assert_eq!((balance(client, az).await, balance(client, tx).await, balance(client, far).await), (987, 1_003, 7));
    databases.finish().await;
}

#[tokio::test]
async fn a_hold_that_two_branches_know_is_named_with_its_branch_and_a_retry_finds_its_own() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 1_000).await);
    let (near, far) = (open(client, "AZ", 0).await, open(client, "TX", 0).await);
    let hold = reserve(az, far, 200, None);
    assert_posted(client.place_hold(&hold).await);
    let first = take(50, false);
    let capture = |request: &nostro_client::CaptureRequest| -> Vec<BulkOrder> {
        vec![BulkOperation::Capture { hold: hold.id, request: request.clone() }.into()]
    };
    assert_eq!(states(&client.bulk(&capture(&first)).await.unwrap()), ["posted"]);
    // Texas has never seen the id.
    assert_posted(client.place_hold(&nostro_client::HoldRequest { id: hold.id, ..reserve(tx, near, 300, None) }).await);
    let fresh = Server::start(&databases).await;
    for client in [client, &fresh.client] {
        assert_eq!(states(&client.bulk(&capture(&first)).await.unwrap()), ["posted again"]);
        assert_eq!(told(&client.capture_hold(hold.id, None, &first).await), "replayed");
        let other = BulkOperation::Transfer(pay(az, near, 1)).into();
        let items = client.bulk(&[vec![other], capture(&take(1, false))].concat()).await.unwrap();
        assert_eq!(states(&items), ["posted", "unavailable invalid_request"], "the id is not used up");
        assert_eq!(items[1].problem.as_ref().unwrap().errors[0].pointer, "/transfers/1/branch");
        let single = client.capture_hold(hold.id, None, &take(1, false)).await;
        assert_eq!(told(&single), "rejected invalid_request");
        assert_posted(client.capture_hold(hold.id, Some(nostro_torture::money::code("TX")), &take(1, false)).await);
    }
    assert_eq!((balance(client, az).await, balance(client, tx).await), (948, 998));
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}
