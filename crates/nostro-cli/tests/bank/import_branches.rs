//! `nostro import` with lines whose branch was changed: the bank knows an id at its branch only, so the import asks all of
//! them first, and makes and books nothing twice.

use crate::bulks::counts;
use crate::import::{Import, held_by_customers, total};
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::health_is;
use nostro_torture::server::Server;

/// Both branches' customers, accounts and transfers.
async fn everything(databases: &Databases) -> [String; 2] {
    [counts(databases, "AZ").await, counts(databases, "TX").await]
}

#[tokio::test]
async fn a_line_whose_branch_was_changed_is_a_conflict_and_nothing_is_made_or_booked_twice() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let import = Import::new(&databases, &server);
    import.write_lines(20);
    assert_eq!(import.run(&[]).await.exit, Some(0));
    let before = everything(&databases).await;
    // A customer moves to Texas; an account is now of a customer of the other branch, and another of one of its own.
    import.write_lines(22);
    for (file, line, changed) in [
        ("customers.csv", "C4,AZ,", "C4,TX,"),
        ("accounts.csv", "A6,C6,", "A6,C7,"),
        ("accounts.csv", "A9,C9,", "A9,C8,"),
        ("accounts.csv", "A11,C11,", "A11,C13,"),
    ] {
        let text = std::fs::read_to_string(import.directory.join(file)).unwrap();
        assert!(text.contains(line), "{file}");
        import.write(file, &text.replace(line, changed));
    }
    let ran = import.run(&[]).await;
    assert_eq!(ran.exit, Some(3), "{}", ran.told);
    for told in [
        "customers.csv:6: branch: refused: this line was imported at branch AZ before (id_conflict)",
        "accounts.csv:8: customer_ref: refused: this line was imported at branch AZ before (id_conflict)",
        "accounts.csv:11: customer_ref: refused: this line was imported at branch TX before (id_conflict)",
        "accounts.csv:13: customer_ref: refused: this line was imported before with other content (id_conflict)",
    ] {
        assert!(ran.told.contains(told), "{told}: {}", ran.told);
    }
    // The two new ones are made; what hangs on the changed lines is not asked for.
    assert_eq!(ran.counts("customers"), [2, 19, 1, 0, 0, 0]);
    assert_eq!(ran.counts("accounts"), [2, 16, 3, 0, 0, 1]);
    assert_eq!(ran.counts("balances"), [1, 14, 0, 0, 0, 4]);
    assert_eq!(held_by_customers(&databases).await, total(22));

    // With the lines as they were all is well, and everything is there once.
    import.write_lines(20);
    let ran = import.run(&[]).await;
    assert_eq!((ran.exit, ran.counts("balances")), (Some(0), [0, 18, 0, 0, 0, 0]), "{}", ran.told);
    assert_eq!(before, ["10 10 8", "10 10 10"]);
    assert_eq!(everything(&databases).await, ["11 11 8", "11 11 11"]);
    assert!(server.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn another_branch_for_all_of_it_is_a_conflict_in_every_line() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let import = Import::new(&databases, &server);
    import.write("customers.csv", "ref,name\nC1,Ada Lovelace\nC2,Mary Jackson\n");
    import.write("accounts.csv", "ref,customer_ref,kind,currency\nA1,C1,checking,USD\nA2,C2,savings,USD\n");
    import.write("balances.csv", "account_ref,amount,currency\nA1,10.50,USD\nA2,2.00,USD\n");
    assert_eq!(import.run(&["--branch", "AZ"]).await.exit, Some(0));
    let ran = import.run(&["--branch", "TX"]).await;
    assert_eq!(ran.exit, Some(3), "{}", ran.told);
    for line in [2, 3] {
        let told = format!("customers.csv:{line}: branch: refused: this line was imported at branch AZ before");
        assert!(ran.told.contains(&told), "{}", ran.told);
    }
    assert_eq!(ran.counts("customers"), [0, 0, 2, 0, 0, 0]);
    assert_eq!((ran.counts("accounts"), ran.counts("balances")), ([0, 0, 0, 0, 0, 2], [0, 0, 0, 0, 0, 2]));
    assert_eq!(everything(&databases).await, ["2 2 2", "0 0 0"]);
    // And as they were they are all there.
    assert_eq!(import.run(&["--branch", "AZ"]).await.exit, Some(0));
    assert_eq!(everything(&databases).await, ["2 2 2", "0 0 0"]);
    databases.finish().await;
}

#[tokio::test]
async fn while_a_branch_is_down_nothing_is_imported_since_what_it_has_is_not_known() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let import = Import::new(&databases, &server);
    import.write_lines(20);
    let out = import.directory.join("numbers.csv");
    assert_eq!(import.run(&["--out", out.to_str().unwrap()]).await.exit, Some(0));
    let numbers = import.mapping("numbers.csv");
    databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    health_is(&server, "TX", "unreachable").await;
    // Arizona could make all of it, and what it made of Texas's lines would be there twice.
    let text = std::fs::read_to_string(import.directory.join("customers.csv")).unwrap();
    import.write("customers.csv", &text.replace(",TX,", ",AZ,"));
    let ran = import.run(&["--wait", "0", "--out", out.to_str().unwrap()]).await;
    assert_eq!(ran.exit, Some(5), "{}", ran.told);
    let stopped = ran.summary["stopped"].as_str().unwrap();
    assert!(stopped.starts_with("TX cannot be asked what an earlier run imported there"), "{stopped}");
    assert_eq!(ran.counts("customers"), [0, 0, 0, 0, 0, 20]);
    assert_eq!((ran.counts("accounts"), ran.counts("balances")), ([0, 0, 0, 0, 0, 20], [0, 0, 0, 0, 0, 18]));
    assert_eq!(counts(&databases, "AZ").await, "10 10 8");
    assert_eq!(import.mapping("numbers.csv"), numbers, "the mapping of the run before is left alone");
    databases.cluster_mut("TX").start().unwrap();
    health_is(&server, "TX", "reachable").await;
    let ran = import.run(&[]).await;
    assert_eq!(ran.exit, Some(3), "{}", ran.told);
    assert_eq!(ran.counts("customers"), [0, 10, 10, 0, 0, 0]);
    assert_eq!(everything(&databases).await, ["10 10 8", "10 10 10"]);
    assert_eq!(held_by_customers(&databases).await, total(20));
    databases.finish().await;
}
