//! One pays many, many pay one, and lists that are no chain.

use super::chains::{linked, whole};
use nostro_client::{ClientError, LegRequest, MultiLegRequest, Outcome, Page};
use nostro_core::AccountNumber;
use nostro_torture::databases::Databases;
use nostro_torture::money::{amount, balance, dollars, open, pay};
use nostro_torture::server::Server;
use uuid::Uuid;

fn leg(side: Side, account: AccountNumber, cents: i64) -> LegRequest {
    let (debit_account, credit_account) = match side {
        Side::Debit => (Some(account), None),
        Side::Credit => (None, Some(account)),
    };
    LegRequest { debit_account, credit_account, amount: amount(cents), reference: None }
}

#[derive(Clone, Copy)]
enum Side {
    Debit,
    Credit,
}

fn multi(
    debit: Option<AccountNumber>,
    credit: Option<AccountNumber>,
    total: i64,
    legs: Vec<LegRequest>,
) -> MultiLegRequest {
    MultiLegRequest {
        id: Uuid::now_v7(),
        debit_account: debit,
        credit_account: credit,
        amount: amount(total),
        currency: dollars(),
        legs,
        reference: Some("payroll".into()),
    }
}

#[tokio::test]
async fn one_pays_many_and_many_pay_one() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let payer = open(client, "AZ", 1_000).await;
    let paid = [open(client, "AZ", 0).await, open(client, "TX", 0).await, open(client, "TX", 0).await];
    let legs = |cents: i64| paid.iter().map(|account| leg(Side::Credit, *account, cents)).collect::<Vec<_>>();
    let payroll = multi(Some(payer), None, 900, legs(300));
    let Ok(Outcome::Posted { transfer, replayed: false }) = client.multi_leg(&payroll).await else { panic!() };
    assert_eq!((transfer.id, transfer.legs.len(), transfer.legs[0].id), (payroll.id, 3, payroll.id));
    assert!(transfer.legs.iter().all(|leg| leg.reference.as_deref() == Some("payroll")));
    assert_eq!(balance(client, payer).await, 100);
    let fresh = Server::start(&databases).await;
    for client in [client, &fresh.client] {
        let again = client.multi_leg(&payroll).await;
        assert!(matches!(again, Ok(Outcome::Posted { replayed: true, .. })), "{again:?}");
        let Ok(Outcome::Conflict(problem)) =
            client.multi_leg(&MultiLegRequest { amount: amount(600), legs: legs(200), ..payroll.clone() }).await
        else {
            panic!()
        };
        assert_eq!(problem.errors[0].pointer, "/legs/0/amount");
        let two = legs(300)[..2].to_vec();
        let Ok(Outcome::Conflict(problem)) =
            client.multi_leg(&MultiLegRequest { amount: amount(600), legs: two, ..payroll.clone() }).await
        else {
            panic!()
        };
        assert_eq!(problem.errors[0].pointer, "/legs");
    }
    let Ok(Outcome::Refused { problem, .. }) = client.multi_leg(&multi(Some(payer), None, 120, legs(40))).await else {
        panic!()
    };
    assert_eq!((problem.code.as_str(), problem.errors[0].pointer.as_str()), ("insufficient_funds", "/legs/2"));
    let wrong = client.multi_leg(&multi(Some(payer), None, 119, legs(40))).await;
    let Err(ClientError::Rejected(problem)) = wrong else { panic!("{wrong:?}") };
    assert_eq!(problem.errors[0].detail, "the legs add up to 120, not to 119");

    let back = paid.iter().map(|account| leg(Side::Debit, *account, 300)).collect();
    assert!(matches!(client.multi_leg(&multi(None, Some(payer), 900, back)).await, Ok(Outcome::Posted { .. })));
    assert_eq!(balance(client, payer).await, 1_000);
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

/// What no chain is, is said of the request, and nothing of it is done.
#[tokio::test]
async fn what_is_no_chain_is_refused_whole() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (a, b) = (open(client, "AZ", 100).await, open(client, "TX", 0).await);
    let twice = pay(a, b, 1);
    let mut orders = whole(&[pay(a, b, 5)]);
    orders.extend(linked(&[pay(a, b, 2), twice.clone(), twice]));
    match client.bulk(&orders).await {
        Err(ClientError::Rejected(problem)) => {
            assert_eq!((problem.status, problem.errors[0].pointer.as_str()), (400, "/transfers/3/id"));
        }
        met => panic!("{met:?}"),
    }
    assert_eq!(balance(client, a).await, 100);
    let entries = client.entries(a, &Page::default()).await.unwrap().data;
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["deposit"], "neither the chain nor the transfer before it left anything");
    assert_eq!(databases.value("AZ", "select count(*) from transfer").await, "1", "nor is a refusal recorded");
    databases.finish().await;
}
