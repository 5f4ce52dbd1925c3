//! The trial balance while a batch is in one branch's snapshot and not in the other's.

use nostro_client::until_settled;
use nostro_torture::databases::Databases;
use nostro_torture::money::{open, pay, told};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_net_to_the_batches_in_flight_and_to_nothing_else() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 500).await);
    let bank = || async {
        let report = client.trial_balance().await.unwrap();
        let [sum] = report.bank.as_slice() else { panic!("{report:?}") };
        (report.balanced, sum.debits, sum.credits, sum.in_flight, sum.difference)
    };
    assert_eq!(bank().await, (true, 1_500, 1_500, 0, 0));
    let mut held = to_tx.hold("commit prepared", Hold::Message);
    let request = pay(az, tx, 300);
    let (payer, asked) = (client.clone(), request.clone());
    let paying = tokio::spawn(async move { payer.transfer(&asked).await });
    held.reached().await;
    // Decided at Arizona, prepared at Texas.
    assert_eq!(bank().await, (true, 1_500, 1_200, 300, 0));
    held.release();
    paying.await.unwrap().expect("it is decided");
    // The answer may have come before Texas had committed.
    let again = until_settled(request.id, Duration::from_secs(60), || client.transfer(&request)).await;
    assert_eq!(told(&again), "replayed");
    assert_eq!(bank().await, (true, 1_500, 1_500, 0, 0));
    // Texas loses what it was paid: its books balance, and no batch is in flight.
    let lost = "alter table batch_net disable trigger user; update batch_net set amount = 0; update position_opening set amount = 0;
        alter table batch_net enable trigger user; update account set balance = balance - 300 where id % 1000000000000 = 1042";
    databases.sql("TX", lost).await;
    assert_eq!(bank().await, (false, 1_500, 1_200, 300, 300));
    let ran = crate::commands::nostro(&databases, &server.url, &["report", "trial-balance"]).await;
    for line in
        ["3.00 USD in flight between the branches", "3.00 USD between the branches is in no batch", "NOT BALANCED"]
    {
        assert!(ran.exit == Some(1) && ran.told.contains(line), "{}", ran.told);
    }
    databases.finish().await;
}
