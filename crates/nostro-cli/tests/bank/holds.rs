//! Holds over HTTP: placed at one branch in favour of another, captured across both, released, expired.

use nostro_client::{Client, Page};
use nostro_core::AccountNumber;
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{
    assert_posted, code, give_back, health_is, nothing_in_doubt_within, open, pay, reserve, take, told,
};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Posted, held and available.
async fn figures(client: &Client, account: AccountNumber) -> (i128, i128, i128) {
    let account = client.account(account).await.unwrap();
    (account.posted, account.held, account.available.unwrap())
}

/// State, captured, released and remaining.
async fn stands(client: &Client, hold: Uuid) -> (String, i64, i64, i64) {
    let hold = client.hold(hold, None).await.unwrap();
    (hold.state, hold.captured, hold.released, hold.remaining)
}

/// What each account has reserved is what its open holds have left, and every end of a hold is booked once.
async fn held_agrees(databases: &Databases) {
    let differing = "select count(*) from account a
        where held <> (select coalesce(sum(amount - captured - released), 0) from hold h where h.debit = a.id and state = 'open')";
    let booked = "select count(*) from hold h
        where (captured, released) <> (
          select coalesce(sum(amount) filter (where kind = 'capture'), 0),
            coalesce(sum(amount) filter (where kind <> 'capture'), 0)
              + case when h.state = 'captured' then h.released else 0 end
          from transfer t where t.hold = h.id and t.refusal is null and t.debit = h.debit)";
    for branch in ["AZ", "TX"] {
        assert_eq!(databases.value(branch, differing).await, "0", "held at {branch}");
        assert_eq!(databases.value(branch, booked).await, "0", "ends of holds at {branch}");
    }
}

#[tokio::test]
async fn a_hold_is_captured_in_parts_across_branches_and_the_rest_is_given_back() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    // Home is Arizona whichever side holds.
    for (from, to) in [("AZ", "TX"), ("TX", "AZ"), ("AZ", "AZ")] {
        let (payer, shop) = (open(client, from, 1_000).await, open(client, to, 0).await);
        let hold = reserve(payer, shop, 600, None);
        assert_posted(client.place_hold(&hold).await);
        assert_eq!(told(&client.place_hold(&hold).await), "replayed");
        assert_eq!(figures(client, payer).await, (1_000, 600, 400));
        assert_eq!(told(&client.transfer(&pay(payer, shop, 401)).await), "refused insufficient_funds");
        let other = reserve(payer, shop, 401, None);
        assert_eq!(told(&client.place_hold(&other).await), "refused insufficient_funds");
        assert_eq!(told(&client.place_hold(&other).await), "refused again insufficient_funds");

        let part = take(250, false);
        assert_posted(client.capture_hold(hold.id, None, &part).await);
        assert_eq!(told(&client.capture_hold(hold.id, None, &part).await), "replayed");
        assert_eq!(stands(client, hold.id).await, ("open".into(), 250, 0, 350));
        assert_eq!(figures(client, payer).await, (750, 350, 400));
        let too_much = take(351, false);
        assert_eq!(told(&client.capture_hold(hold.id, None, &too_much).await), "refused hold_exceeded");
        let last = take(100, true);
        assert_posted(client.capture_hold(hold.id, Some(code(from)), &last).await);
        assert_eq!(stands(client, hold.id).await, ("captured".into(), 350, 250, 0));
        assert_eq!((figures(client, payer).await, figures(client, shop).await), ((650, 0, 650), (350, 0, 350)));
        assert_eq!(told(&client.capture_hold(hold.id, None, &take(1, false)).await), "refused hold_captured");
        assert_eq!(told(&client.release_hold(hold.id, None, &give_back()).await), "refused hold_captured");

        // What happened to it is in the histories, and only money leaves a line.
        let kinds = |entries: Vec<nostro_client::Entry>| {
            entries.into_iter().map(|entry| format!("{} {}", entry.kind, entry.amount)).collect::<Vec<_>>()
        };
        let entries = client.entries(payer, &Page::default()).await.unwrap().data;
        assert_eq!(kinds(entries), ["capture 100", "capture 250", "deposit 1000"]);
        let shown = client.transfer_by_id(last.id, None).await.unwrap();
        assert_eq!((shown.kind.as_str(), shown.state.as_str()), ("capture", "posted"));
        assert_eq!((shown.hold, shown.is_final, shown.entries.len()), (Some(hold.id), Some(true), 2));
        let shown = client.transfer_by_id(hold.id, None).await.unwrap();
        assert_eq!((shown.kind.as_str(), shown.state.as_str(), shown.entries.len()), ("hold", "posted", 0));
    }
    assert!(client.audit().await.unwrap().balanced);
    held_agrees(&databases).await;
    databases.finish().await;
}

#[tokio::test]
async fn a_release_gives_back_and_other_content_under_its_id_is_a_conflict() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (payer, shop) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let [first, second] = [reserve(payer, shop, 600, None), reserve(payer, shop, 300, None)];
    assert_posted(client.place_hold(&first).await);
    assert_posted(client.place_hold(&second).await);
    let back = give_back();
    assert_posted(client.release_hold(first.id, None, &back).await);
    assert_eq!(told(&client.release_hold(first.id, None, &back).await), "replayed");
    assert_eq!(told(&client.release_hold(second.id, None, &back).await), "conflict /hold");
    assert_eq!(told(&client.release_hold(first.id, None, &give_back()).await), "refused hold_released");
    assert_eq!(client.transfer_by_id(back.id, None).await.unwrap().amount, 600);
    let part = take(100, false);
    assert_posted(client.capture_hold(second.id, None, &part).await);
    let mut other = part.clone();
    other.amount = nostro_torture::money::amount(101);
    assert_eq!(told(&client.capture_hold(second.id, None, &other).await), "conflict /amount");
    let mut other = part.clone();
    other.is_final = true;
    assert_eq!(told(&client.capture_hold(second.id, None, &other).await), "conflict /final");
    let mut plain = pay(payer, shop, 100);
    plain.id = part.id;
    assert_eq!(told(&client.transfer(&plain).await), "conflict /kind");
    assert_eq!(told(&client.capture_hold(Uuid::now_v7(), None, &take(1, false)).await), "rejected hold_not_found");
    assert_eq!(told(&client.release_hold(part.id, None, &give_back()).await), "rejected hold_not_found");

    // A server that remembers nothing finds what is recorded.
    let other = Server::start(&databases).await;
    assert_eq!(told(&other.client.place_hold(&first).await), "replayed");
    assert_eq!(told(&other.client.release_hold(first.id, None, &back).await), "replayed");
    assert_eq!(told(&other.client.release_hold(second.id, None, &back).await), "conflict /hold");
    assert_eq!(told(&other.client.capture_hold(second.id, None, &part).await), "replayed");
    let longer = nostro_client::HoldRequest { expires_at: Some("2999-01-01T00:00:00Z".into()), ..first.clone() };
    assert_eq!(told(&other.client.place_hold(&longer).await), "conflict /expires_at");

    let page = Page { limit: Some(1), cursor: None };
    let newest = client.holds(payer, &page).await.unwrap();
    assert_eq!(newest.data.iter().map(|hold| hold.id).collect::<Vec<_>>(), [second.id]);
    let older = client.holds(payer, &Page { cursor: newest.next_cursor, ..page }).await.unwrap();
    assert_eq!(older.data.iter().map(|hold| hold.id).collect::<Vec<_>>(), [first.id]);
    assert!(older.next_cursor.is_none());
    held_agrees(&databases).await;
    databases.finish().await;
}

#[tokio::test]
async fn holds_go_on_while_the_other_branch_is_down_and_captures_wait_for_it() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (payer, shop) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    health_is(&server, "TX", "unreachable").await;
    let [kept, freed] = [reserve(payer, shop, 600, None), reserve(payer, shop, 300, None)];
    assert_posted(client.place_hold(&kept).await);
    assert_posted(client.place_hold(&freed).await);
    assert_posted(client.release_hold(freed.id, Some(code("AZ")), &give_back()).await);
    let expiring = reserve(payer, shop, 100, Some(Duration::from_millis(300)));
    assert_posted(client.place_hold(&expiring).await);
    ends(client, expiring.id, "expired").await;
    let capture = take(600, false);
    let answer = told(&client.capture_hold(kept.id, Some(code("AZ")), &capture).await);
    assert_eq!(answer, "unavailable branch_unavailable");
    assert_eq!(figures(client, payer).await, (1_000, 600, 400));
    databases.cluster_mut("TX").start().unwrap();
    health_is(&server, "TX", "reachable").await;
    assert_posted(client.capture_hold(kept.id, None, &capture).await);
    assert_eq!((figures(client, payer).await, figures(client, shop).await), ((400, 0, 400), (600, 0, 600)));
    held_agrees(&databases).await;
    databases.finish().await;
}

/// Waits until a hold has come to an end.
async fn ends(client: &Client, hold: Uuid, state: &str) -> Duration {
    let begin = Instant::now();
    loop {
        let found = client.hold(hold, Some(code("AZ"))).await.unwrap();
        if found.state != "open" {
            assert_eq!((found.state.as_str(), found.remaining), (state, 0));
            return begin.elapsed();
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_expiry_is_booked_once_by_however_many_servers_and_after_a_restart() {
    let databases = Databases::start().await;
    let mut servers = [Server::start(&databases).await, Server::start(&databases).await];
    let client = servers[0].client.clone();
    let (payer, shop) = (open(&client, "AZ", 1_000).await, open(&client, "TX", 0).await);
    let mut holds = Vec::new();
    for _ in 0..40 {
        let hold = reserve(payer, shop, 10, Some(Duration::from_millis(1_500)));
        assert_posted(client.place_hold(&hold).await);
        holds.push(hold);
    }
    let late = reserve(payer, shop, 10, Some(Duration::ZERO));
    assert_eq!(told(&client.place_hold(&late).await), "refused hold_expired");
    assert_posted(client.capture_hold(holds[0].id, None, &take(4, false)).await);
    for hold in &holds {
        ends(&client, hold.id, "expired").await;
    }
    assert_eq!(stands(&client, holds[0].id).await, ("expired".into(), 4, 6, 0));
    assert_eq!(told(&client.capture_hold(holds[1].id, None, &take(1, false)).await), "refused hold_expired");
    assert_eq!(told(&client.release_hold(holds[1].id, None, &give_back()).await), "refused hold_expired");
    assert_eq!(figures(&client, payer).await, (996, 0, 996));
    let booked = "select count(*) || ' of ' || count(distinct hold) from transfer where kind = 'expiry'";
    assert_eq!(databases.value("AZ", booked).await, "40 of 40");

    // Its time runs out while no server runs: refused as expired at once, booked soon after.
    let hold = reserve(payer, shop, 10, Some(Duration::from_millis(500)));
    assert_posted(client.place_hold(&hold).await);
    servers.iter_mut().for_each(Server::kill);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let server = Server::start(&databases).await;
    let answer = told(&server.client.capture_hold(hold.id, None, &take(10, false)).await);
    assert_eq!(answer, "refused hold_expired");
    let waited = ends(&server.client, hold.id, "expired").await;
    println!("booked {} ms after the first answer of the server", waited.as_millis());
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    assert!(server.client.audit().await.unwrap().balanced);
    held_agrees(&databases).await;
    databases.finish().await;
}

#[tokio::test]
async fn what_is_due_is_found_by_its_index() {
    let databases = Databases::start().await;
    let statement =
        nostro_store::read::due_holds_statement().replace("$1", "null").replace("$2", "null").replace("$3", "10");
    let plan = format!("explain {statement}");
    let admin = databases.admin("AZ").await;
    let server = Server::start(&databases).await;
    admin.batch_execute("set enable_seqscan = off").await.unwrap();
    let rows = admin.query(&plan, &[]).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("hold_due") && plan.contains("Index Cond: ((due_at <= statement_timestamp())"), "{plan}");
    drop(server);
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_holds_than_one_look_takes_expire_though_the_oldest_cannot() {
    let mut databases = Databases::start().await;
    let to_az = Wire::to(databases.cluster("AZ").port()).await;
    let server = Server::start_through(&databases, &[("AZ", &to_az)]).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 1_000).await);
    let other = open(client, "TX", 1_000).await;
    let later = reserve(other, az, 10, Some(Duration::from_secs(8)));
    assert_posted(client.place_hold(&later).await);
    // An account in doubt with more holds than one look takes, some older, most due at the same instant and before it by their ids.
    let number = nostro_core::BranchNumber::new(2).unwrap();
    let [debit, credit] = [tx, other].map(|account| account.key(number).as_i64());
    let holds = format!(
        "insert into hold (id, debit, credit, amount, currency, placed_at, expires_at)
         select ('00000000-0000-4000-8000-' || lpad(at::text, 12, '0'))::uuid, {debit}, {credit}, 1, 'USD', now(),
           expires_at - case when at <= 100 then at * interval '1 ms' else interval '0' end
         from hold, generate_series(1, 2500) at
         where id = '{}'",
        later.id
    );
    let mut held = to_az.hold("insert into batch (id", Hold::Message);
    let (asker, request) = (client.clone(), pay(az, tx, 10));
    let asking = tokio::spawn(async move { told(&asker.transfer(&request).await) });
    held.reached().await;
    tokio::task::block_in_place(|| databases.cluster_mut("AZ").stop(Stop::Immediate)).unwrap();
    held.cut();
    to_az.cut_all();
    assert_eq!(asking.await.unwrap(), "unknown");
    databases.sql("TX", &holds).await;
    let begin = Instant::now();
    while client.hold(later.id, Some(code("TX"))).await.unwrap().state == "open" {
        assert!(begin.elapsed() < Duration::from_secs(20), "those before it stand in its way");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let open = "select count(*) from hold where state = 'open'";
    assert_eq!(databases.value("TX", open).await, "2500");
    databases.sql("TX", "set session_replication_role = replica; delete from hold where state = 'open'").await;
    tokio::task::block_in_place(|| databases.cluster_mut("AZ").start()).unwrap();
    databases.nothing_prepared_within(Duration::from_secs(10)).await;
    databases.finish().await;
}

#[tokio::test]
async fn of_a_capture_a_release_and_an_expiry_exactly_one_wins() {
    const ROUNDS: usize = 30;
    let databases = Databases::start().await;
    let servers = [Server::start(&databases).await, Server::start(&databases).await];
    let client = &servers[0].client;
    let (payer, shop) = (open(client, "AZ", 100_000).await, open(client, "TX", 0).await);
    let (mut captured, mut released, mut expired) = (0, 0, 0);
    for round in 0..ROUNDS {
        let hold = reserve(payer, shop, 10, Some(Duration::from_millis(600)));
        assert_posted(client.place_hold(&hold).await);
        // Each time somebody else is a little earlier, and now and then both are as late as the expiry.
        let id = hold.id;
        let late = if round % 3 == 2 { 590 } else { 0 };
        let wait = |more: usize| tokio::time::sleep(Duration::from_millis((late + more) as u64));
        let capture = async {
            wait(round % 5).await;
            told(&servers[0].client.capture_hold(id, Some(code("AZ")), &take(10, false)).await)
        };
        let release = async {
            wait((round * 3) % 5).await;
            told(&servers[1].client.release_hold(id, Some(code("AZ")), &give_back()).await)
        };
        let answers = tokio::join!(capture, release);
        let answers = (answers.0.as_str(), answers.1.as_str());
        match answers {
            ("posted", "refused hold_captured") => captured += 1,
            ("refused hold_released", "posted") => released += 1,
            ("refused hold_expired", "refused hold_expired") => {
                ends(client, id, "expired").await;
                expired += 1;
            }
            other => panic!("round {round}: {other:?}"),
        }
    }
    println!("of {ROUNDS}: captured {captured}, released {released}, expired {expired}");
    assert!(captured > 0 && released > 0, "a race that always ends alike is none");
    assert_eq!(figures(client, shop).await.0, 10 * captured);
    assert_eq!(figures(client, payer).await, (100_000 - 10 * captured, 0, 100_000 - 10 * captured));
    assert!(client.audit().await.unwrap().balanced);
    held_agrees(&databases).await;
    databases.finish().await;
}

#[tokio::test]
async fn a_capture_whose_server_dies_at_the_decision_takes_from_the_hold_once_or_not_at_all() {
    for (hold_at, expected) in [(Hold::Message, "posted"), (Hold::Answer, "replayed")] {
        let databases = Databases::start().await;
        let to_az = Wire::to(databases.cluster("AZ").port()).await;
        let mut server = Server::start_through(&databases, &[("AZ", &to_az)]).await;
        let (payer, shop) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
        let hold = reserve(payer, shop, 600, None);
        assert_posted(server.client.place_hold(&hold).await);
        let capture = take(250, false);
        let mut held = to_az.hold("insert into batch (id", hold_at);
        let (client, request) = (server.client.clone(), capture.clone());
        let asking = tokio::spawn(async move { told(&client.capture_hold(hold.id, None, &request).await) });
        held.reached().await;
        server.kill();
        held.cut();
        to_az.cut_all();
        assert_eq!(asking.await.unwrap(), "unknown");
        let server = Server::start(&databases).await;
        nothing_in_doubt_within(&server, Duration::from_secs(10)).await;
        databases.nothing_prepared_within(Duration::from_secs(10)).await;
        assert_eq!(told(&server.client.capture_hold(hold.id, None, &capture).await), expected);
        assert_eq!(stands(&server.client, hold.id).await, ("open".into(), 250, 0, 350));
        assert_eq!(figures(&server.client, payer).await, (750, 350, 400));
        assert_eq!(figures(&server.client, shop).await, (250, 0, 250));
        assert!(server.client.audit().await.unwrap().balanced);
        held_agrees(&databases).await;
        databases.finish().await;
    }
}
