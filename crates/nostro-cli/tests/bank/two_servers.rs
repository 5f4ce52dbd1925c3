//! Two servers on the same branches, in both directions at once.

use nostro_client::Client;
use nostro_core::AccountNumber;
use nostro_torture::databases::Databases;
use nostro_torture::money::{open, pay};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECONDS: u64 = 20;
const CLIENTS: usize = 24;

async fn load(client: Client, from: Arc<Vec<AccountNumber>>, to: Arc<Vec<AccountNumber>>) -> (u64, Vec<String>) {
    let begin = Instant::now();
    let (mut posted, mut odd) = (0, Vec::new());
    while begin.elapsed() < Duration::from_secs(SECONDS) {
        let request = pay(from[fastrand::usize(..from.len())], to[fastrand::usize(..to.len())], fastrand::i64(1..100));
        match nostro_torture::money::until_final(&client, &request).await.as_str() {
            "posted" | "replayed" => posted += 1,
            "refused insufficient_funds" => {}
            other => odd.push(other.to_owned()),
        }
    }
    (posted, odd)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfer_in_both_directions_for_twenty_seconds() {
    let databases = Databases::start().await;
    let servers = [Server::start(&databases).await, Server::start(&databases).await];
    let (mut az, mut tx) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        az.push(open(&servers[0].client, "AZ", 1_000_000).await);
        tx.push(open(&servers[0].client, "TX", 1_000_000).await);
    }
    let (az, tx) = (Arc::new(az), Arc::new(tx));
    let mut clients = Vec::new();
    for at in 0..CLIENTS {
        let client = servers[at % 2].client.clone();
        // Both servers work in both directions.
        let eastward = at / 2 % 2 == 0;
        let (from, to) = if eastward { (&az, &tx) } else { (&tx, &az) };
        clients.push((eastward, tokio::spawn(load(client, Arc::clone(from), Arc::clone(to)))));
    }
    let mut posted = [0_u64; 2];
    for (eastward, client) in clients {
        let (count, odd) = client.await.unwrap();
        assert_eq!(odd, Vec::<String>::new());
        posted[usize::from(eastward)] += count;
    }
    println!("posted westward and eastward: {posted:?} in {SECONDS} s");
    assert!(posted.iter().all(|count| *count >= 2_000), "{posted:?}");
    for (code, opposite) in [("AZ", "TX"), ("TX", "AZ")] {
        assert!(!databases.log(code).contains("deadlock detected"), "40P01 at {code}");
        let rows =
            databases.value(code, "select count(*) from transfer where kind = 'transfer' and refusal is null").await;
        let others = databases
            .value(opposite, "select count(*) from transfer where kind = 'transfer' and refusal is null")
            .await;
        assert_eq!(rows, others);
        assert_eq!(rows.parse::<u64>().unwrap(), posted.iter().sum::<u64>(), "every acknowledged transfer has its row");
    }
    assert!(servers[1].client.audit().await.unwrap().balanced);
    databases.finish().await;
}

/// Bulks of any size until the time is over; how many were posted.
async fn bulks(client: Client, accounts: Arc<Vec<AccountNumber>>, until: Instant) -> usize {
    let mut posted = 0;
    while Instant::now() < until {
        let any = || accounts[fastrand::usize(..accounts.len())];
        let pairs = std::iter::repeat_with(|| (any(), any())).filter(|(from, to)| from != to);
        let size = [1, 7, 60, 900][fastrand::usize(..4)];
        let items: Vec<_> = pairs.take(size).map(|(from, to)| pay(from, to, fastrand::i64(1..100))).collect();
        let results = client.transfers_bulk(&items).await.unwrap();
        let odd = |state: &str| !["posted", "refused", "unavailable", "settling", "unknown"].contains(&state);
        assert!(!results.iter().any(|item| odd(&item.state)), "{results:?}");
        posted += results.iter().filter(|item| item.state == "posted").count();
    }
    posted
}

/// Their rows are locked in any order, behind the gates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_all_sizes_over_few_accounts_never_wait_in_a_circle() {
    let databases = Databases::start().await;
    let servers = [Server::start(&databases).await, Server::start(&databases).await];
    let mut accounts = Vec::new();
    for at in 0..24 {
        accounts.push(open(&servers[0].client, ["AZ", "TX"][at % 2], 1_000_000).await);
    }
    let accounts = Arc::new(accounts);
    let until = Instant::now() + Duration::from_secs(8);
    let clients: Vec<_> =
        (0..12).map(|at| tokio::spawn(bulks(servers[at % 2].client.clone(), Arc::clone(&accounts), until))).collect();
    let mut posted = 0;
    for client in clients {
        posted += client.await.unwrap();
    }
    println!("posted {posted}");
    assert!(posted > 1_000, "{posted}");
    for code in ["AZ", "TX"] {
        assert!(!databases.log(code).contains("deadlock detected"), "40P01 at {code}");
        // Every account was written where its row stood, by the transfer that its last line names.
        let wrong = "select count(*) from account a
             left join entry e on e.account = a.id and e.seq = a.seq
             where a.seq > 0 and (e.balance_after, e.transfer) is distinct from (a.balance, a.last_transfer)";
        assert_eq!(databases.value(code, wrong).await, "0");
        let sums = "select count(*) from account a
             where a.balance <> (select coalesce(sum(case side when 'credit' then amount else -amount end), 0)
                                 from entry where account = a.id)";
        assert_eq!(databases.value(code, sums).await, "0");
    }
    assert!(servers[1].client.audit().await.unwrap().balanced);
    databases.every_batch_is_whole().await;
    databases.finish().await;
}

#[tokio::test]
async fn a_live_batch_aborted_by_another_servers_recovery_is_planned_again() {
    let databases = Databases::start().await;
    let proxy = Wire::to(databases.cluster("AZ").port()).await;
    let slow = Server::start_through(&databases, &[("AZ", &proxy)]).await;
    let _other = Server::start(&databases).await;
    let (az, tx) = (open(&slow.client, "AZ", 1_000).await, open(&slow.client, "TX", 0).await);
    let request = pay(az, tx, 100);
    // Arizona's decision is on its way for so long that the other server takes the batch for abandoned.
    let mut held = proxy.hold("insert into batch (id", Hold::Message);
    let (client, sent) = (slow.client.clone(), request.clone());
    let asking = tokio::spawn(async move { nostro_torture::money::told(&client.transfer(&sent).await) });
    held.reached().await;
    databases.nothing_prepared_within(Duration::from_secs(10)).await;
    held.release();
    // Past the wait for an answer it is unknown; it is never a failure, and never a bug of ours.
    let told = asking.await.unwrap();
    assert!(["posted", "unknown", "unavailable busy"].contains(&told.as_str()), "{told}");
    let last = nostro_torture::money::until_final(&slow.client, &request).await;
    assert!(["posted", "replayed"].contains(&last.as_str()), "{last}");
    assert_eq!(nostro_torture::money::balance(&slow.client, tx).await, 100);
    assert_eq!(databases.value("AZ", "select count(*) from batch where outcome = 'aborted'").await, "1");
    databases.finish().await;
}

#[tokio::test]
async fn a_batch_that_recovery_took_for_abandoned_is_posted_by_its_next_plan() {
    let databases = Databases::start().await;
    let slow = Server::start(&databases).await;
    let _other = Server::start(&databases).await;
    let (az, tx) = (open(&slow.client, "AZ", 1_000).await, open(&slow.client, "TX", 0).await);
    // Arizona is slow to write, once, while Texas is prepared; the other server aborts the batch meanwhile.
    databases
        .sql(
            "AZ",
            "create sequence slowly; grant usage on sequence slowly to nostro_commit;
             create function sleeps_once() returns trigger language plpgsql as
               $$ begin if nextval('slowly') = 1 then perform pg_sleep(5); end if; return null; end $$;
             create trigger sleeps_once after insert on transfer for each statement execute function sleeps_once()",
        )
        .await;
    let request = pay(az, tx, 100);
    assert_eq!(nostro_torture::money::told(&slow.client.transfer(&request).await), "posted");
    assert_eq!(databases.value("AZ", "select count(*) from batch where outcome = 'aborted'").await, "1");
    assert_eq!(nostro_torture::money::balance(&slow.client, tx).await, 100);
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_sent_to_two_servers_at_once_moves_the_money_once() {
    let databases = Databases::start().await;
    let servers = [Server::start(&databases).await, Server::start(&databases).await];
    let client = &servers[0].client;
    let (az, tx) = (open(client, "AZ", 100_000).await, open(client, "TX", 0).await);
    let (other_az, other_tx) = (open(client, "AZ", 100_000).await, open(client, "TX", 0).await);
    for round in 0..20 {
        // The same transfer; another pair of accounts; one across branches against one inside.
        let second = [(az, tx), (other_az, other_tx), (az, other_az)][round % 3];
        let first = pay(az, tx, 10);
        let mut twin = pay(second.0, second.1, 10);
        twin.id = first.id;
        let clients = [servers[0].client.clone(), servers[1].client.clone()];
        let requests = [first.clone(), twin];
        let sending = clients.into_iter().zip(requests).map(|(client, request)| {
            tokio::spawn(async move { nostro_torture::money::until_final(&client, &request).await })
        });
        let mut told = Vec::new();
        for sent in sending.collect::<Vec<_>>() {
            told.push(sent.await.unwrap());
        }
        let paid = told.iter().filter(|told| *told == "posted").count();
        assert_eq!(paid, 1, "round {round}: {told:?}");
        let other = told.iter().find(|told| *told != "posted").unwrap();
        assert!(other == "replayed" || other.starts_with("conflict"), "round {round}: {told:?}");
    }
    let sum = |rows: &str| {
        format!("select coalesce(sum(amount), 0) from transfer where kind = 'transfer' and refusal is null {rows}")
    };
    let az_paid: i64 = databases.value("AZ", &sum("")).await.parse().unwrap();
    assert_eq!(az_paid, 200, "twenty ids, ten cents each");
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}
