//! The audit sees a cent that was changed by SQL, and the trial balance has every kind.

use nostro_torture::databases::{AUDITOR_KEY, Databases, KEY};
use nostro_torture::money::{assert_posted, open, pay};
use nostro_torture::program::run;
use nostro_torture::server::Server;

#[tokio::test]
async fn one_cent_changed_by_sql_turns_the_audit_red() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    assert_posted(client.transfer(&pay(az, tx, 300)).await);
    let audit = || {
        let key = databases.directory.join("operator.key");
        run(&["audit", "--api", &server.url, "--key-file", key.to_str().unwrap(), "--json"])
    };
    assert!(audit().status.success());
    databases.sql("TX", "update account set balance = balance + 1 where id % 1000000000000 = 1042").await;
    let red = audit();
    assert_eq!(red.status.code(), Some(1), "{}", String::from_utf8_lossy(&red.stdout));
    let report = client.audit().await.unwrap();
    assert!(!report.balanced);
    let line = report.branches.iter().find(|line| line.branch.as_str() == "TX").unwrap();
    assert_eq!(line.difference, 1);
    databases.sql("TX", "update account set balance = balance - 1 where id % 1000000000000 = 1042").await;
    assert!(audit().status.success());
    // A net that was tampered with is found as well.
    databases
        .sql("TX", "alter table batch_net disable trigger user; update batch_net set amount = amount - 1; alter table batch_net enable trigger user")
        .await;
    let report = client.audit().await.unwrap();
    assert!(!report.balanced);
    assert_eq!(report.positions.len(), 1);
    databases.finish().await;
}

#[tokio::test]
async fn the_trial_balance_has_every_kind_and_its_positions_net_to_nothing_at_rest() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 200).await);
    assert_posted(client.transfer(&pay(az, tx, 300)).await);
    assert_posted(client.transfer(&pay(tx, az, 50)).await);
    let report = client.trial_balance().await.unwrap();
    let lines: Vec<String> = report
        .lines
        .iter()
        .map(|line| {
            let with = line.counterparty.map(|branch| format!(" {branch}")).unwrap_or_default();
            format!("{} {}{with} {} {}", line.branch, line.item, line.debits, line.credits)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "AZ checking 0 750",
            "AZ cash 1000 0",
            "AZ nostro TX 0 250",
            "TX checking 0 450",
            "TX cash 200 0",
            "TX nostro AZ 250 0",
        ]
    );
    let sums: Vec<(i128, i128)> = report.branches.iter().map(|sum| (sum.debits, sum.credits)).collect();
    assert_eq!((report.balanced, sums), (true, vec![(1_000, 1_000), (450, 450)]));
    assert_eq!(
        report.bank.iter().map(|sum| (sum.debits, sum.credits, sum.in_flight)).collect::<Vec<_>>(),
        [(1_200, 1_200, 0)]
    );
    let key = databases.directory.join("operator.key");
    let told = || run(&["report", "trial-balance", "--api", &server.url, "--key-file", key.to_str().unwrap()]);
    let text = String::from_utf8(told().stdout).unwrap();
    assert!(text.contains("nostro TX") && text.ends_with("balanced\n"), "{text}");
    databases.sql("TX", "update account set balance = balance + 1 where id % 1000000000000 = 1042").await;
    assert_eq!(told().status.code(), Some(1));
    databases.finish().await;
}

#[tokio::test]
async fn a_cent_that_is_held_for_nothing_turns_the_audit_red() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000).await, open(client, "TX", 0).await);
    let hold = nostro_torture::money::reserve(az, tx, 300, None);
    assert_posted(client.place_hold(&hold).await);
    assert_posted(client.capture_hold(hold.id, None, &nostro_torture::money::take(100, false)).await);
    let line = || async {
        let report = client.audit().await.unwrap();
        let line = report.branches.iter().find(|line| line.branch.as_str() == "AZ").unwrap();
        (report.balanced, line.held, line.held_difference)
    };
    assert_eq!(line().await, (true, 200, 0));
    databases.sql("AZ", "update account set held = held + 1 where id % 1000000000000 = 1042").await;
    assert_eq!(line().await, (false, 201, 1));
    databases.sql("AZ", "update account set held = held - 1 where id % 1000000000000 = 1042").await;
    databases.sql("AZ", "update hold set captured = captured + 2").await;
    assert_eq!(line().await, (false, 200, 2));
    databases.finish().await;
}

#[tokio::test]
async fn an_auditor_reads_and_does_not_write() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (open(&server.client, "AZ", 1_000).await, open(&server.client, "TX", 0).await);
    let auditor = nostro_client::Client::new(&server.url, AUDITOR_KEY);
    assert!(auditor.audit().await.unwrap().balanced);
    assert_eq!(nostro_torture::money::told(&auditor.transfer(&pay(az, tx, 1)).await), "rejected forbidden");
    let nobody = nostro_client::Client::new(&server.url, &format!("{KEY}x"));
    assert_eq!(nostro_torture::money::told(&nobody.transfer(&pay(az, tx, 1)).await), "rejected unauthorized");
    assert_eq!(nostro_torture::money::balance(&server.client, az).await, 1_000);
    databases.finish().await;
}
