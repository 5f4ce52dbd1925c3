//! A database that is not the one that the configuration means is refused, with what was expected and found.

use nostro_torture::databases::Databases;
use nostro_torture::program::run;
use std::collections::BTreeMap;

/// Starts `nostro serve` with a changed configuration; what it says when it does not start.
fn refused(databases: &Databases, from: &str, to: &str) -> String {
    let config = databases.config(&BTreeMap::new());
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(&config, text.replacen(from, to, 1)).unwrap();
    let output = run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_server_starts_only_on_the_databases_that_it_means() {
    let databases = Databases::start().await;
    let ports: Vec<u16> = databases.clusters.values().map(|cluster| cluster.port()).collect();
    let told = refused(&databases, "deployment = \"test\"", "deployment = \"other\"");
    assert!(
        told.contains(
            "expected the database of AZ (number 1) of deployment other, found AZ (number 1) of deployment test"
        ),
        "{told}"
    );
    let told = refused(&databases, "number = 1", "number = 3");
    assert!(told.contains("AZ (number 3)"), "{told}");
    let told =
        refused(&databases, &format!("nostro@127.0.0.1:{}/", ports[0]), &format!("nostro@127.0.0.1:{}/", ports[1]));
    assert!(told.contains("expected the database of AZ (number 1) of deployment test, found TX (number 2)"), "{told}");
    let told = refused(&databases, "/nostro\"", "/postgres\"");
    assert!(told.contains("nostro migrate"), "{told}");
    let told = refused(&databases, "code = \"TX\"", "code = \"Texas\"");
    assert!(told.contains("2 to 4 capital letters"), "{told}");
    let told = refused(&databases, "deployment =", "deploiment =");
    assert!(told.contains("deploiment"), "{told}");
    let told = refused(&databases, "number = 2", "number = 1");
    assert!(told.contains("number of TX"), "{told}");
    // A copy: the row names another cluster.
    databases.sql("AZ", "update batch_number set system_identifier = system_identifier + 1").await;
    let told = refused(&databases, "origins", "origins");
    assert!(told.contains("is a copy"), "{told}");
}

#[tokio::test]
async fn a_cluster_that_cannot_prepare_is_refused_with_the_fix() {
    let databases = Databases::start_with(&[("max_prepared_transactions", "0")]).await;
    let told = refused(&databases, "origins", "origins");
    assert!(told.contains("max_prepared_transactions = 0") && told.contains("set it to 64"), "{told}");
}

#[tokio::test]
async fn a_database_of_another_past_is_not_migrated() {
    let databases = Databases::start().await;
    let config = databases.config(&BTreeMap::new());
    let migrate = || run(&["migrate", "--config", config.to_str().unwrap()]);
    assert!(migrate().status.success(), "a second run changes nothing");
    databases.sql("TX", "update migration set sha256 = 'x' where number = 2").await;
    let told = String::from_utf8(migrate().stderr).unwrap();
    assert!(told.contains("branch TX was not migrated") && told.contains("migration 2"), "{told}");
    databases.sql("TX", "update migration set number = 99 where number = 2").await;
    let told = String::from_utf8(migrate().stderr).unwrap();
    assert!(told.contains("use a newer nostro"), "{told}");
}
