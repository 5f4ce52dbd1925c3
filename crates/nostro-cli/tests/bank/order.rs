//! In which order the items of a bulk are decided, and whom a row that is not given keeps waiting.

use crate::chains::states;
use nostro_client::{BulkOperation, BulkOrder, Client, TransferRequest};
use nostro_core::{AccountNumber, BranchNumber};
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, open, pay, told};
use nostro_torture::server::Server;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_postgres::Client as Session;

/// Somebody's open transaction that holds the row of an account at Arizona.
async fn keep(databases: &Databases, account: AccountNumber) -> Session {
    let somebody = databases.admin("AZ").await;
    let key = account.key(BranchNumber::new(1).unwrap()).as_i64();
    somebody.batch_execute(&format!("begin; select from account where id = {key} for update")).await.unwrap();
    somebody
}

/// Until somebody waits for a row at Arizona.
async fn waited_for(databases: &Databases) {
    let begin = Instant::now();
    let waiting = "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock'";
    while databases.value("AZ", waiting).await != "true" {
        assert!(begin.elapsed() < Duration::from_secs(5), "nobody waits for the row");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn linked(request: TransferRequest, linked: bool) -> BulkOrder {
    BulkOrder { operation: BulkOperation::Transfer(request), linked }
}

/// Sends a transfer, which waits for its row.
fn pay_aside(client: &Client, request: TransferRequest) -> JoinHandle<String> {
    let client = client.clone();
    tokio::spawn(async move { told(&client.transfer(&request).await) })
}

/// The lane's batch waits for a row while the items come, so they wait in the lane's queues. The next batch takes 2,048 of them, as a
/// single transfer came less than a second ago, and the last ones are in a third. The second is not given its row in time and is
/// planned again, in halves: what comes behind must not be decided before both.
#[tokio::test]
async fn the_items_of_a_bulk_are_decided_in_their_order_also_when_a_batch_waits_for_a_row_in_vain() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 100).await, open(client, "TX", 0).await);
    let kept = open(client, "AZ", 10).await;
    // Of the first half, of the second half, of the third batch; all others ask for too much.
    let amount = |at| [(0, 98), (1_500, 2), (2_099, 1)].iter().find(|item| item.0 == at).map_or(1_000, |item| item.1);
    let mut apart = 0;
    for round in 0..10 {
        let items: Vec<_> = (0..2_100).map(|at| pay(az, tx, amount(at))).collect();
        let (first, second) = (keep(&databases, kept).await, keep(&databases, az).await);
        let ahead = pay_aside(client, pay(kept, tx, 1));
        waited_for(&databases).await;
        let released = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            first.batch_execute("rollback").await.unwrap();
            // So long is a row waited for, and once more.
            tokio::time::sleep(Duration::from_millis(800)).await;
            second.batch_execute("rollback").await.unwrap();
        };
        let (results, ()) = tokio::join!(client.transfers_bulk(&items), released);
        let results = results.unwrap();
        let posted: Vec<usize> = (0..items.len()).filter(|at| results[*at].state == "posted").collect();
        assert_eq!(posted, [0, 1_500], "round {round}");
        assert_eq!(ahead.await.unwrap(), "posted");
        assert_posted(client.transfer(&pay(tx, az, 100)).await);
        let ids = [0, 1_500, 2_099].map(|at| format!("'{}'", items[at].id)).join(", ");
        let batches = format!("select count(distinct batch) from transfer where id in ({ids})");
        apart += u32::from(databases.value("AZ", &batches).await == "3");
        if apart == 2 {
            break;
        }
    }
    assert_eq!(apart, 2, "the items were never in three batches");
    databases.finish().await;
}

/// A short chain in a request of its own goes before the bulks. One among other items stays behind those that it follows.
#[tokio::test]
async fn a_chain_of_a_bulk_does_not_overtake_the_items_before_it() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 100).await, open(client, "TX", 0).await);
    let kept = open(client, "AZ", 1).await;
    let somebody = keep(&databases, kept).await;
    let ahead = pay_aside(client, pay(kept, tx, 1));
    waited_for(&databases).await;
    let items = [linked(pay(az, tx, 100), false), linked(pay(az, tx, 60), true), linked(pay(tx, az, 1), false)];
    let released = async {
        // The lane takes no batch meanwhile, and the items wait in its queues.
        tokio::time::sleep(Duration::from_millis(200)).await;
        somebody.batch_execute("rollback").await.unwrap();
    };
    let (results, ()) = tokio::join!(client.bulk(&items), released);
    assert_eq!(states(&results.unwrap()), ["posted", "refused insufficient_funds", "refused chain_broken"]);
    assert_eq!(ahead.await.unwrap(), "posted");
    databases.finish().await;
}

/// What waits for a row in vain is planned again in halves.
#[tokio::test]
async fn a_row_that_somebody_keeps_costs_those_who_need_it_and_not_all_of_their_batch() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 100).await, open(client, "TX", 100).await);
    let kept = open(client, "AZ", 100).await;
    let somebody = keep(&databases, kept).await;
    let items = [pay(az, tx, 1), pay(tx, kept, 2), pay(tx, az, 4), pay(az, tx, 8)].map(BulkOperation::Transfer);
    let items = items.map(BulkOrder::from);
    let first = states(&client.bulk(&items).await.unwrap());
    assert_eq!(first, ["posted", "unavailable busy", "posted", "posted"]);
    assert_eq!((balance(client, az).await, balance(client, tx).await), (95, 105), "and nothing of what is busy");
    somebody.batch_execute("rollback").await.unwrap();
    let again = states(&client.bulk(&items).await.unwrap());
    assert_eq!(again, ["posted again", "posted", "posted again", "posted again"]);
    assert_eq!((balance(client, kept).await, balance(client, tx).await), (102, 103));
    databases.finish().await;
}
