//! What names a hold or a transfer that nobody knows yet: nothing is sent, nothing is recorded, and nothing is called final.

use crate::chains::states;
use nostro_client::{BulkOperation, BulkOrder, ClientError};
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, balance, open, pay, reserve, take, undo};
use nostro_torture::server::Server;
use uuid::Uuid;

/// The hold may be on its way: a client that took the first answers for refusals and asked with new ids would move the money
/// twice as soon as an earlier copy came through.
#[tokio::test]
async fn a_chain_that_names_a_hold_on_its_way_is_not_refused_and_is_posted_once_the_hold_is_there() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    for (from, to) in [("AZ", "TX"), ("TX", "AZ"), ("TX", "TX")] {
        let (a, b) = (open(client, from, 100).await, open(client, to, 0).await);
        let hold = reserve(a, b, 40, None);
        let orders: Vec<BulkOrder> = [
            BulkOperation::Transfer(pay(a, b, 1)),
            BulkOperation::Capture { hold: hold.id, request: take(5, false) },
            BulkOperation::Reversal { original: Uuid::now_v7(), request: undo(None) },
        ]
        .into_iter()
        .map(BulkOrder::from)
        .collect();
        let unsent = client.atomic_bulk(&orders).await.unwrap();
        assert_eq!(
            states(&unsent),
            ["unavailable hold_not_found", "unavailable hold_not_found", "unavailable transfer_not_found"]
        );
        for item in &unsent {
            let problem = item.problem.as_ref().unwrap();
            assert_eq!((problem.status, problem.retry.as_str()), (404, "same_id"), "{problem:?}");
        }
        assert_eq!(unsent[0].problem.as_ref().unwrap().errors[0].pointer, "/transfers/1");
        assert!(client.transfer_by_id(unsent[0].id, None).await.is_err(), "nothing is recorded");
        let Err(ClientError::Rejected(problem)) = client.chain(&orders).await else { panic!("nothing is sent") };
        assert_eq!(problem.code, "hold_not_found");
        let orders = &orders[..2];
        assert_eq!(states(&client.atomic_bulk(orders).await.unwrap()), ["unavailable hold_not_found"; 2]);
        let single = client.capture_hold(hold.id, None, &take(5, false)).await;
        let Err(ClientError::Rejected(problem)) = single else { panic!("{single:?}") };
        assert_eq!((problem.code.as_str(), problem.retry.as_str()), ("hold_not_found", "same_id"));

        assert_posted(client.place_hold(&hold).await);
        assert_eq!(states(&client.atomic_bulk(orders).await.unwrap()), ["posted"; 2]);
        assert_eq!(states(&client.atomic_bulk(orders).await.unwrap()), ["posted again"; 2]);
        assert_eq!((balance(client, a).await, balance(client, b).await), (94, 6));
    }
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}
