//! Changes of accounts that meet something in their way: a row that somebody has, an answer that is lost, and what the
//! command line makes of it.

use nostro_client::{ChangeRequest, Client, ClientError, Page, UnknownCause};
use nostro_core::{AccountNumber, BranchNumber};
use nostro_torture::databases::Databases;
use nostro_torture::money::open;
use nostro_torture::program::run;
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use uuid::Uuid;

/// The message that makes a change.
const COMMIT: &str = "/*account change*/ commit";

fn frozen() -> ChangeRequest {
    ChangeRequest { id: Uuid::now_v7(), state: Some("frozen".into()), ..ChangeRequest::default() }
}

/// How many changes an account has.
async fn changes(client: &Client, number: AccountNumber) -> usize {
    client.account_changes(number, &Page::default()).await.unwrap().data.len()
}

/// What a command ended with, and what it said on standard output and on standard error.
struct Ran {
    exit: Option<i32>,
    told: String,
    complained: String,
}

/// Runs `nostro account` with the operator's key at this address.
async fn account(databases: &Databases, api: &str, more: &[&str]) -> Ran {
    let key = databases.directory.join("operator.key");
    let all = [&["account"][..], more, &["--api", api, "--key-file", key.to_str().unwrap()]].concat();
    ended(all.into_iter().map(str::to_owned).collect()).await
}

async fn ended(arguments: Vec<String>) -> Ran {
    let running = tokio::task::spawn_blocking(move || run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
    let output = running.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { exit: output.status.code(), told: text(output.stdout), complained: text(output.stderr) }
}

/// The command that asks for the same again, as it was printed.
fn asks_again(ran: &Ran) -> String {
    let again = ran.complained.lines().find_map(|line| line.split_once("to ask again for the same: nostro "));
    again.unwrap_or_else(|| panic!("{}", ran.complained)).1.to_owned()
}

/// Runs a printed command that needs no quotes.
async fn command_line(printed: &str) -> Ran {
    let words: Vec<String> = printed.split(' ').map(str::to_owned).collect();
    ended(words).await
}

#[tokio::test]
async fn a_row_that_no_batch_in_doubt_has_is_busy_and_nothing_is_changed() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let number = open(client, "AZ", 0).await;
    let key = number.key(BranchNumber::new(1).unwrap()).as_i64();
    let somebody = databases.admin("AZ").await;
    somebody.batch_execute(&format!("begin; select from account where id = {key} for update")).await.unwrap();
    let request = frozen();
    let (id, close) = (request.id, Uuid::now_v7());
    for answer in [client.change_account(number, &request).await, client.close_account(close, number, None).await] {
        match answer {
            Err(ClientError::Unavailable { problem, .. }) => assert_eq!(problem.code, "busy"),
            met => panic!("{met:?}"),
        }
    }
    somebody.batch_execute("rollback").await.unwrap();
    assert_eq!(changes(client, number).await, 0);
    assert_eq!(client.change_account(number, &request).await.unwrap().state, "frozen");
    assert_eq!(databases.value("AZ", &format!("select count(*) from account_change where id = '{id}'")).await, "1");
    databases.finish().await;
}

#[tokio::test]
async fn a_lost_answer_to_the_commit_is_unknown_and_the_same_id_tells() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let client = &server.client;
    // The change is made and its answer does not arrive; or the commit does not.
    for (hold, made) in [(Hold::Answer, "1"), (Hold::Message, "0")] {
        let (number, request, close) = (open(client, "TX", 0).await, frozen(), Uuid::now_v7());
        let mut held = to_tx.hold(COMMIT, hold);
        let (sender, sent) = (client.clone(), request.clone());
        let asking = tokio::spawn(async move { sender.change_account(number, &sent).await });
        held.reached().await;
        held.cut();
        let answer = asking.await.unwrap();
        let is_unknown = matches!(answer, Err(ClientError::Unknown { source: UnknownCause::Told }));
        assert!(is_unknown, "never unavailable, which says that nothing was changed: {answer:?}");
        let count = format!("select count(*) from account_change where id = '{}'", request.id);
        assert_eq!(databases.value("TX", &count).await, made);
        assert_eq!(client.change_account(number, &request).await.unwrap().state, "frozen");
        assert_eq!(changes(client, number).await, 1);

        let mut held = to_tx.hold(COMMIT, hold);
        let sender = client.clone();
        let asking = tokio::spawn(async move { sender.close_account(close, number, None).await });
        held.reached().await;
        held.cut();
        let answer = asking.await.unwrap();
        assert!(matches!(answer, Err(ClientError::Unknown { source: UnknownCause::Told })), "{answer:?}");
        assert_eq!(client.close_account(close, number, None).await.unwrap().state, "closed");
        assert_eq!(changes(client, number).await, 2);
    }
    databases.finish().await;
}

#[tokio::test]
async fn the_command_asks_again_under_the_same_id_until_it_knows() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let client = &server.client;
    for hold in [Hold::Answer, Hold::Message] {
        let number = open(client, "TX", 0).await;
        let text = number.to_string();
        let mut held = to_tx.hold(COMMIT, hold);
        let arguments = ["change", text.as_str(), "--state", "frozen", "--json"];
        let running = account(&databases, &server.url, &arguments);
        tokio::pin!(running);
        tokio::select! {
            ran = &mut running => panic!("it changed nothing: {}", ran.complained),
            _ = held.reached() => {}
        }
        held.cut();
        let ran = running.await;
        assert_eq!(ran.exit, Some(0), "{}", ran.complained);
        let shown: serde_json::Value = serde_json::from_str(&ran.told).unwrap();
        assert_eq!(shown["state"], "frozen");
        assert_eq!(changes(client, number).await, 1, "made once, however often it was asked for");
    }
    databases.finish().await;
}

#[tokio::test]
async fn a_command_that_ends_without_a_change_tells_the_id_and_how_to_ask_again() {
    const ID: &str = "01938e1c-93d2-7cc4-9ac4-6a8df2a3c0aa";
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let number = open(&server.client, "AZ", 100).await.to_string();
    let ran = account(&databases, &server.url, &["close", &number, "--id", ID]).await;
    assert_eq!(ran.exit, Some(3), "{}", ran.complained);
    assert!(ran.complained.contains("account_not_empty") && ran.complained.contains(ID), "{}", ran.complained);
    let ran = account(&databases, &server.url, &["change", &number, "--state", "open", "--json", "--id", ID]).await;
    assert_eq!(ran.exit, Some(0), "what was refused has not used the id up: {}", ran.complained);
    let ran = account(&databases, &server.url, &["change", &number, "--state", "frozen", "--json", "--id", ID]).await;
    let shown: serde_json::Value = serde_json::from_str(&ran.told).unwrap();
    assert_eq!((ran.exit, &shown["state"], &shown["id"]), (Some(3), &"refused".into(), &ID.into()));
    assert_eq!(shown["problem"]["code"], "id_conflict");

    // Nobody listens there any more.
    let nobody = server.url.clone();
    drop(server);
    let ran = account(&databases, &nobody, &["close", &number, "--reason", "moved abroad"]).await;
    assert_eq!(ran.exit, Some(5), "{}", ran.complained);
    let again = format!("nostro account close {number} --reason 'moved abroad' --id ");
    assert!(ran.complained.contains(&again) && ran.complained.contains("nothing was done"), "{}", ran.complained);
    // An earlier attempt under a named id may have been answered.
    let ran = account(&databases, &nobody, &["close", &number, "--id", ID]).await;
    assert_eq!(ran.exit, Some(4), "{}", ran.complained);
    assert!(ran.complained.contains(&format!("--id {ID}")), "{}", ran.complained);
    let ran = account(&databases, &nobody, &["change", &number, "--state", "debits_frozen"]).await;
    assert_eq!(ran.exit, Some(5), "{}", ran.complained);
    let again = asks_again(&ran);
    assert!(again.contains(" --state debits_frozen "), "{again}");
    assert_eq!(command_line(&again).await.exit, Some(4), "its arguments are understood: {again}");

    // The bank is there again, at another address: the rest of the command that was printed asks for the same change.
    let server = Server::start(&databases).await;
    let ran = command_line(&again.replace(&nobody, &server.url)).await;
    assert!(ran.exit == Some(0) && ran.told.contains("debits_frozen"), "{}{}", ran.told, ran.complained);
    databases.finish().await;
}
