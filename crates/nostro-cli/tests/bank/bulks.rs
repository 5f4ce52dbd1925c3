//! Many at once: bulks of customers, accounts and deposits over HTTP, each item for itself.

use nostro_client::{CashRequest, Client, ClientError, ItemOutcome, NewAccount, NewCustomer, UnknownCause};
use nostro_core::{AccountNumber, CustomerNumber};
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{balance, cash, code, dollars, health_is, open};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// One word for what became of an item, with its code where it has one.
fn word<T>(outcome: &ItemOutcome<T>) -> String {
    match outcome {
        ItemOutcome::Done { replayed, .. } => if *replayed { "replayed" } else { "opened" }.to_owned(),
        ItemOutcome::Refused(problem) => {
            let pointer = problem.errors.first().map(|error| format!(" {}", error.pointer)).unwrap_or_default();
            format!("refused {}{pointer}", problem.code)
        }
        ItemOutcome::Unavailable(problem) => {
            format!("unavailable {}", problem.as_ref().map_or("-", |problem| problem.code.as_str()))
        }
        ItemOutcome::Unknown => "unknown".to_owned(),
    }
}

fn words<T>(outcomes: &Result<Vec<ItemOutcome<T>>, ClientError>) -> Vec<String> {
    outcomes.as_ref().unwrap().iter().map(word).collect()
}

fn customer(branch: &str, name: &str) -> NewCustomer {
    NewCustomer { id: Uuid::now_v7(), branch: code(branch), name: name.to_owned() }
}

fn account(customer: CustomerNumber, kind: &str) -> NewAccount {
    NewAccount { id: Uuid::now_v7(), customer, kind: kind.to_owned(), currency: dollars(), overdraft_limit: 0 }
}

/// Makes customers, which are all new.
async fn make(client: &Client, new: &[NewCustomer]) -> Vec<CustomerNumber> {
    let made = client.create_customers(new).await.unwrap();
    let number = |outcome: ItemOutcome<nostro_client::Customer>| match outcome {
        ItemOutcome::Done { value, replayed: false } => value.number,
        other => panic!("{other:?}"),
    };
    made.into_iter().map(number).collect()
}

/// How many customers, customers' accounts and transfers there are at a branch.
pub async fn counts(databases: &Databases, branch: &str) -> String {
    let count =
        "select (select count(*) from customer) || ' ' || (select count(*) from account where customer is not null)
        || ' ' || (select count(*) from transfer)";
    databases.value(branch, count).await
}

#[tokio::test]
async fn many_are_opened_at_once_each_for_itself_and_again_they_are_the_same() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    // The ids fall in the order of the request.
    let mut new = [customer("TX", "Jim Gray"), customer("AZ", "Ada Lovelace"), customer("TX", "Mary Jackson")];
    new.reverse();
    let numbers = make(client, &new).await;
    assert_eq!(numbers.iter().map(|number| number.branch().to_string()).collect::<Vec<_>>(), ["TX", "AZ", "TX"]);
    assert!(numbers[0] < numbers[2], "numbers are drawn in the order of the request");
    let again = client.create_customers(&new).await;
    assert_eq!(words(&again), ["replayed"; 3]);
    // What a single request made is found by a bulk, and the other way round.
    let single = client.create_customer(&new[0]).await.unwrap();
    assert_eq!(single.number, numbers[0]);

    let absent = CustomerNumber::new(code("TX"), 999_999_999_999).unwrap();
    let opened = [account(numbers[1], "checking"), account(numbers[0], "savings"), account(numbers[2], "checking")];
    client.open_account(&opened[0]).await.unwrap();
    let other = NewAccount { kind: "savings".to_owned(), ..opened[0].clone() };
    let mixed = [opened[0].clone(), opened[1].clone(), account(absent, "checking"), opened[2].clone(), other];
    let expected =
        ["replayed", "opened", "refused customer_not_found", "opened", "refused id_conflict /accounts/4/kind"];
    assert_eq!(words(&client.open_accounts(&mixed).await), expected);
    let expected =
        ["replayed", "replayed", "refused customer_not_found", "replayed", "refused id_conflict /accounts/4/kind"];
    assert_eq!(words(&client.open_accounts(&mixed).await), expected);
    // One id twice in a request: one account.
    let twice = account(numbers[1], "savings");
    assert_eq!(words(&client.open_accounts(&[twice.clone(), twice]).await), ["opened", "replayed"]);
    let renamed = NewCustomer { name: "Somebody else".to_owned(), ..new[1].clone() };
    let mixed = client.create_customers(&[renamed, customer("AZ", "Alan Turing")]).await;
    assert_eq!(words(&mixed), ["refused id_conflict /customers/0/name", "opened"]);
    assert_eq!(counts(&databases, "AZ").await, "2 2 0");
    assert_eq!(counts(&databases, "TX").await, "2 2 0");
    // Each branch has its cash account of the currency, and one only.
    for branch in ["AZ", "TX"] {
        assert_eq!(databases.value(branch, "select count(*) from account where kind = 'cash'").await, "1");
    }
    databases.finish().await;
}

#[tokio::test]
async fn deposits_come_in_bulks_each_for_itself() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 0).await, open(client, "TX", 0).await);
    let (first, second) = (cash(az, 500), cash(tx, 700));
    let absent: AccountNumber = AccountNumber::new(code("TX"), 899_999_999_999).unwrap();
    let other = CashRequest { amount: nostro_torture::money::amount(501), ..first.clone() };
    let asked = [first, second, cash(absent, 1), other];
    let words_of = async || words(&client.deposits(&asked).await);
    let told = words_of().await;
    assert_eq!(told[1..3], ["opened", "refused credit_account_not_found"]);
    assert_eq!((told[0].as_str(), told[3].as_str()), ("opened", "refused id_conflict /transfers/3/amount"));
    assert_eq!(words_of().await[..3], ["replayed", "replayed", "refused credit_account_not_found"]);
    assert_eq!((balance(client, az).await, balance(client, tx).await), (500, 700));
    let kinds = "select string_agg(distinct kind, ' ') from transfer where refusal is null";
    assert_eq!(databases.value("AZ", kinds).await, "deposit");
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn a_malformed_item_refuses_a_bulk_whole_and_names_its_place() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let good = customer("AZ", "Ada Lovelace");
    let number = make(client, std::slice::from_ref(&good)).await[0];
    for (new, expected) in [
        (vec![account(number, "checking"), account(number, "cash")], "/accounts/1/kind"),
        (vec![account(number, "checking"); 1_001], "/accounts"),
        (Vec::new(), "/accounts"),
    ] {
        match client.open_accounts(&new).await {
            Err(ClientError::Rejected(problem)) => assert_eq!(problem.errors[0].pointer, expected),
            other => panic!("{other:?}"),
        }
    }
    let nobody = NewCustomer { name: String::new(), ..customer("AZ", "") };
    match client.create_customers(&[customer("AZ", "Alan Turing"), nobody]).await {
        Err(ClientError::Rejected(problem)) => assert_eq!(problem.errors[0].pointer, "/customers/1/name"),
        other => panic!("{other:?}"),
    }
    assert_eq!(counts(&databases, "AZ").await, "1 0 0");
    databases.finish().await;
}

#[tokio::test]
async fn a_branch_that_is_down_keeps_nothing_from_the_other() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let numbers = make(client, &[customer("AZ", "Ada Lovelace"), customer("TX", "Jim Gray")]).await;
    databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    health_is(&server, "TX", "unreachable").await;
    let new = [account(numbers[1], "checking"), account(numbers[0], "checking"), account(numbers[1], "savings")];
    let away = "unavailable branch_unavailable";
    assert_eq!(words(&client.open_accounts(&new).await), [away, "opened", away]);
    databases.cluster_mut("TX").start().unwrap();
    health_is(&server, "TX", "reachable").await;
    assert_eq!(words(&client.open_accounts(&new).await), ["opened", "replayed", "opened"]);
    databases.finish().await;
}

#[tokio::test]
async fn a_lost_answer_of_a_branch_is_unknown_and_the_same_ids_tell() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let client = &server.client;
    let numbers = make(client, &[customer("AZ", "Ada Lovelace"), customer("TX", "Jim Gray")]).await;
    // The statement is done, and its answer does not arrive.
    for (hold_at, later) in [(Hold::Answer, "replayed"), (Hold::Message, "opened")] {
        let new = [account(numbers[1], "checking"), account(numbers[0], "checking")];
        let mut held = to_tx.hold("insert into account (id, request_id", hold_at);
        let (asker, asked) = (client.clone(), new.clone());
        let asking = tokio::spawn(async move { words(&asker.open_accounts(&asked).await) });
        held.reached().await;
        held.cut();
        to_tx.cut_all();
        assert_eq!(asking.await.unwrap(), ["unknown", "opened"], "never failed, never unavailable");
        health_is(&server, "TX", "reachable").await;
        // A connection that was cut may still be in the pool.
        let begin = Instant::now();
        let mut again = words(&client.open_accounts(&new).await);
        while again[0].starts_with("un") {
            assert!(begin.elapsed() < Duration::from_secs(15), "still {again:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            again = words(&client.open_accounts(&new).await);
        }
        assert!([later, "replayed"].contains(&again[0].as_str()), "{again:?}");
        let opened = "select count(*) from account where customer is not null";
        let expected = if hold_at == Hold::Answer { "1" } else { "2" };
        assert_eq!(databases.value("TX", opened).await, expected);
    }
    databases.finish().await;
}

#[tokio::test]
async fn of_a_single_customer_or_account_too_a_lost_answer_is_unknown() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let client = &server.client;
    let told = |source: &UnknownCause| matches!(source, UnknownCause::Told);
    for hold_at in [Hold::Answer, Hold::Message] {
        let new = customer("TX", "Jim Gray");
        let mut held = to_tx.hold("insert into customer (id, request_id", hold_at);
        let (asker, asked) = (client.clone(), new.clone());
        let asking = tokio::spawn(async move { asker.create_customer(&asked).await });
        held.reached().await;
        held.cut();
        let answer = asking.await.unwrap();
        assert!(matches!(&answer, Err(ClientError::Unknown { source }) if told(source)), "{answer:?}");
        let number = client.create_customer(&new).await.unwrap().number;
        let new = account(number, "checking");
        let mut held = to_tx.hold("insert into account (id, request_id", hold_at);
        let (asker, asked) = (client.clone(), new.clone());
        let asking = tokio::spawn(async move { asker.open_account(&asked).await });
        held.reached().await;
        held.cut();
        let answer = asking.await.unwrap();
        assert!(matches!(&answer, Err(ClientError::Unknown { source }) if told(source)), "{answer:?}");
        assert_eq!(client.open_account(&new).await.unwrap().customer, Some(number));
    }
    assert_eq!(counts(&databases, "TX").await, "2 2 0");
    databases.finish().await;
}

#[tokio::test]
async fn what_was_made_under_ids_is_found_at_every_branch_that_can_be_asked() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    // An id is unique at its branch only.
    let new = [customer("AZ", "Ada Lovelace"), customer("TX", "Jim Gray")];
    let both = NewCustomer { branch: code("TX"), ..new[0].clone() };
    let numbers = make(client, &[new[0].clone(), new[1].clone(), both]).await;
    let opened = account(numbers[1], "savings");
    let number = client.open_account(&opened).await.unwrap().number;
    let absent = Uuid::now_v7();
    let found = client.find_customers(&[new[1].id, absent, new[0].id]).await.unwrap();
    let mut customers: Vec<_> = found.data.iter().map(|item| (item.id, item.value.number)).collect();
    customers.sort_unstable();
    let mut expected = vec![(new[0].id, numbers[0]), (new[0].id, numbers[2]), (new[1].id, numbers[1])];
    expected.sort_unstable();
    assert_eq!((customers, found.unreachable.len()), (expected, 0));
    let found = client.find_accounts(&[opened.id, new[0].id]).await.unwrap();
    assert_eq!((found.data.len(), found.data[0].id, found.data[0].value.number), (1, opened.id, number));
    match client.find_accounts(&vec![absent; 1_001]).await {
        Err(ClientError::Rejected(problem)) => assert_eq!(problem.errors[0].pointer, "/ids"),
        met => panic!("{met:?}"),
    }
    databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    health_is(&server, "TX", "unreachable").await;
    let found = client.find_customers(&[new[0].id, new[1].id]).await.unwrap();
    assert_eq!(found.unreachable, ["TX"], "there may be more, and that is said");
    assert_eq!((found.data.len(), found.data[0].value.number), (1, numbers[0]));
    databases.cluster_mut("TX").start().unwrap();
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulks_with_ids_in_common_wait_for_each_other_and_never_in_a_circle() {
    const ROUNDS: usize = 20;
    let databases = Databases::start().await;
    let servers = [Server::start(&databases).await, Server::start(&databases).await];
    let number = make(&servers[0].client, &[customer("AZ", "Ada Lovelace")]).await[0];
    for _ in 0..ROUNDS {
        let new: Vec<NewAccount> = (0..200).map(|_| account(number, "checking")).collect();
        let backwards: Vec<NewAccount> = new.iter().rev().cloned().collect();
        let (one, other) = (servers[0].client.clone(), servers[1].client.clone());
        let (one, other) = tokio::join!(one.open_accounts(&new), other.open_accounts(&backwards));
        let (one, other) = (words(&one), words(&other));
        for (at, word) in one.iter().enumerate() {
            let mut both = [word.as_str(), other[199 - at].as_str()];
            both.sort_unstable();
            assert_eq!(both, ["opened", "replayed"]);
        }
    }
    let opened = "select count(*) from account where customer is not null";
    assert_eq!(databases.value("AZ", opened).await, (200 * ROUNDS).to_string());
    databases.finish().await;
}
