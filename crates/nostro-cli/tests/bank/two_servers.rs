//! Two servers on the same branches, in both directions at once.

use crate::databases::Databases;
use crate::money::{open, pay};
use crate::server::Server;
use nostro_client::Client;
use nostro_core::AccountNumber;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECONDS: u64 = 20;
const CLIENTS: usize = 24;

async fn load(client: Client, from: Arc<Vec<AccountNumber>>, to: Arc<Vec<AccountNumber>>) -> (u64, Vec<String>) {
    let begin = Instant::now();
    let (mut posted, mut odd) = (0, Vec::new());
    while begin.elapsed() < Duration::from_secs(SECONDS) {
        let request = pay(from[fastrand::usize(..from.len())], to[fastrand::usize(..to.len())], fastrand::i64(1..100));
        match crate::money::until_final(&client, &request).await.as_str() {
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
