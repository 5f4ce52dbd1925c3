//! `nostro import`: files that become customers, accounts and opening balances, once, whatever comes in between.

use crate::bulks::counts;
use nostro_core::AccountNumber;
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{code, health_is};
use nostro_torture::program::run;
use nostro_torture::server::Server;
use nostro_torture::wire::{Condition, Hold, Wire};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Files of an import in the databases' directory, and the command on them.
pub struct Import {
    url: String,
    key: PathBuf,
    pub directory: PathBuf,
}

/// What a run ended with.
pub struct Ran {
    pub exit: Option<i32>,
    pub summary: serde_json::Value,
    pub told: String,
}

impl Import {
    pub fn new(databases: &Databases, server: &Server) -> Self {
        let directory = databases.directory.join("import");
        std::fs::create_dir_all(&directory).unwrap();
        Self { url: server.url.clone(), key: databases.directory.join("operator.key"), directory }
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
    }

    /// Writes the lines of so many customers, each with one account and an opening balance but every tenth.
    pub fn write_lines(&self, customers: usize) {
        let mut files = [
            "ref,branch,name\n".to_owned(),
            "ref,customer_ref,kind,currency,overdraft_limit\n".to_owned(),
            "account_ref,amount,currency,reference\n".to_owned(),
        ];
        for at in 0..customers {
            let branch = if at % 2 == 0 { "AZ" } else { "TX" };
            files[0] += &format!("C{at},{branch},\"Customer, number {at}\"\n");
            files[1] += &format!("A{at},C{at},checking,USD,{}\n", if at % 3 == 0 { "100.00" } else { "" });
            if at % 10 != 0 {
                files[2] += &format!("A{at},{at}.05,USD,carried over\n");
            }
        }
        for (name, text) in ["customers.csv", "accounts.csv", "balances.csv"].iter().zip(files) {
            self.write(name, &text);
        }
    }

    /// Runs the command on the directory.
    pub async fn run(&self, more: &[&str]) -> Ran {
        self.run_on(&[&[self.directory.to_str().unwrap()][..], more].concat()).await
    }

    /// Runs the command on what is named.
    pub async fn run_on(&self, more: &[&str]) -> Ran {
        let fixed = ["import", "--name", "move-in", "--json", "--api", self.url.as_str(), "--key-file"];
        let all = [&fixed[..], &[self.key.to_str().unwrap()], more].concat();
        let arguments: Vec<String> = all.into_iter().map(str::to_owned).collect();
        let running =
            tokio::task::spawn_blocking(move || run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
        let output = running.await.unwrap();
        Ran {
            exit: output.status.code(),
            summary: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            told: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The numbers in a mapping, by `kind ref`.
    pub fn mapping(&self, name: &str) -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(self.directory.join(name)).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("kind,ref,number"));
        let line = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            (format!("{} {}", fields[0], fields[1]), fields[2].to_owned())
        };
        lines.map(line).collect()
    }
}

impl Ran {
    /// Of a file: opened, replayed, refused, unknown, unavailable, skipped.
    pub fn counts(&self, file: &str) -> [u64; 6] {
        ["opened", "replayed", "refused", "unknown", "unavailable", "skipped"]
            .map(|name| self.summary[file][name].as_u64().unwrap_or_else(|| panic!("{}", self.told)))
    }
}

/// What `write_lines` puts on accounts, in cents.
pub fn total(customers: usize) -> i128 {
    (0..customers).filter(|at| at % 10 != 0).map(|at| i128::try_from(at).unwrap() * 100 + 5).sum()
}

/// What customers have, over both branches.
pub async fn held_by_customers(databases: &Databases) -> i128 {
    let sum = "select coalesce(sum(balance), 0) from account where customer is not null";
    let mut all = 0;
    for branch in ["AZ", "TX"] {
        all += databases.value(branch, sum).await.parse::<i128>().unwrap();
    }
    all
}

#[tokio::test]
async fn an_import_is_done_once_however_often_it_is_run() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let import = Import::new(&databases, &server);
    import.write_lines(300);
    let out = import.directory.join("numbers.csv");
    let ran = import.run(&["--out", out.to_str().unwrap()]).await;
    assert_eq!(ran.exit, Some(0), "{}", ran.told);
    assert_eq!(ran.counts("customers"), [300, 0, 0, 0, 0, 0]);
    assert_eq!(ran.counts("accounts"), [300, 0, 0, 0, 0, 0]);
    assert_eq!(ran.counts("balances"), [270, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&databases, "AZ").await, "150 150 120");
    assert_eq!(counts(&databases, "TX").await, "150 150 150");
    assert_eq!(held_by_customers(&databases).await, total(300));
    assert!(server.client.audit().await.unwrap().balanced);

    let numbers = import.mapping("numbers.csv");
    assert_eq!(numbers.len(), 600);
    let account: AccountNumber = numbers["account A37"].parse().unwrap();
    let found = server.client.account(account).await.unwrap();
    assert_eq!((found.posted, found.overdraft_limit), (3_705, 0));
    assert_eq!(found.customer.unwrap().to_string(), numbers["customer C37"]);
    let limited: AccountNumber = numbers["account A30"].parse().unwrap();
    let limited = server.client.account(limited).await.unwrap();
    assert_eq!((limited.posted, limited.overdraft_limit, limited.branch), (0, 10_000, code("AZ")));
    let entries = server.client.entries(account, &nostro_client::Page::default()).await.unwrap().data;
    assert_eq!((entries[0].kind.as_str(), entries[0].reference.as_deref()), ("deposit", Some("carried over")));

    let ran = import.run(&["--out", import.directory.join("again.csv").to_str().unwrap()]).await;
    assert_eq!(ran.exit, Some(0), "{}", ran.told);
    assert_eq!(ran.counts("customers"), [0, 300, 0, 0, 0, 0]);
    assert_eq!(ran.counts("balances"), [0, 270, 0, 0, 0, 0]);
    assert_eq!(import.mapping("again.csv"), numbers);

    // What became of the lines is told, whatever becomes of the file: here the disk is full.
    let full = import.directory.join("full.csv");
    std::os::unix::fs::symlink("/dev/full", import.directory.join("full.csv.part")).unwrap();
    let ran = import.run(&["--out", full.to_str().unwrap()]).await;
    assert!(ran.exit == Some(1) && ran.told.contains("cannot write"), "{}", ran.told);
    assert_eq!(ran.counts("customers"), [0, 300, 0, 0, 0, 0]);
    assert!(!full.exists());
    assert_eq!(counts(&databases, "AZ").await, "150 150 120");
    assert_eq!(held_by_customers(&databases).await, total(300));
    databases.finish().await;
}

#[tokio::test]
async fn an_import_that_ended_early_goes_on_to_exact_totals() {
    let databases = Databases::start().await;
    let mut server = Server::start(&databases).await;
    let import = Import::new(&databases, &server);
    // As far as an earlier run may have come: fewer lines, and no balances at all.
    import.write_lines(70);
    let ran = import.run(&[]).await;
    assert_eq!(ran.exit, Some(0), "{}", ran.told);
    import.write_lines(120);
    import.write("balances.csv", "account_ref,amount,currency\n");
    assert_eq!(import.run(&[]).await.counts("accounts"), [50, 70, 0, 0, 0, 0]);
    import.write_lines(160);
    let ran = import.run(&[]).await;
    assert_eq!(ran.counts("customers"), [40, 120, 0, 0, 0, 0]);
    assert_eq!(ran.counts("balances"), [81, 63, 0, 0, 0, 0]);
    assert_eq!(held_by_customers(&databases).await, total(160));

    // A server that is killed in the midst of it, and another one that goes on.
    import.write_lines(10_000);
    let begun = async {
        while databases.value("AZ", "select count(*) from customer").await == "80" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let running = import.run(&["--wait", "1"]);
    tokio::pin!(running);
    tokio::select! {
        ran = &mut running => panic!("it was over before it could be killed: {}", ran.told),
        () = begun => {}
    }
    server.kill();
    let ran = running.await;
    assert!([Some(4), Some(5)].contains(&ran.exit), "{:?}: {}", ran.exit, ran.told);
    let server = Server::start(&databases).await;
    let ran = Import::new(&databases, &server).run(&[]).await;
    assert_eq!(ran.exit, Some(0), "{}", ran.told);
    let [opened, replayed, ..] = ran.counts("customers");
    assert!(opened + replayed == 10_000 && replayed > 160, "{opened} {replayed}");
    assert_eq!(held_by_customers(&databases).await, total(10_000));
    assert!(server.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn a_line_that_was_changed_is_a_conflict_with_its_line() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let import = Import::new(&databases, &server);
    import.write_lines(20);
    assert_eq!(import.run(&[]).await.exit, Some(0));
    for (file, line, changed) in [
        ("customers.csv", "C3,TX,\"Customer, number 3\"", "C3,TX,Somebody else"),
        ("accounts.csv", "A4,C4,checking,USD,", "A4,C4,savings,USD,"),
        ("balances.csv", "A7,7.05,USD,carried over", "A7,7.06,USD,carried over"),
    ] {
        let text = std::fs::read_to_string(import.directory.join(file)).unwrap();
        assert!(text.contains(line), "{file}");
        import.write(file, &text.replace(line, changed));
    }
    let ran = import.run(&[]).await;
    assert_eq!(ran.exit, Some(3), "{}", ran.told);
    let conflict = "refused: this line was imported before with other content (id_conflict)";
    for line in ["customers.csv:5: name", "accounts.csv:6: kind", "balances.csv:8: amount"] {
        assert!(ran.told.contains(&format!("{line}: {conflict}")), "{line}: {}", ran.told);
    }
    // And nothing else hides that code.
    std::os::unix::fs::symlink("/dev/full", import.directory.join("full.csv.part")).unwrap();
    let again = import.run(&["--out", import.directory.join("full.csv").to_str().unwrap()]).await;
    assert!(again.exit == Some(3) && again.told.contains("cannot write"), "{}", again.told);
    // What belongs to a line that was refused is not asked for.
    assert_eq!(ran.counts("customers"), [0, 19, 1, 0, 0, 0]);
    assert_eq!(ran.counts("accounts"), [0, 18, 1, 0, 0, 1]);
    assert_eq!(ran.counts("balances"), [0, 15, 1, 0, 0, 2]);
    assert_eq!(held_by_customers(&databases).await, total(20));
    databases.finish().await;
}

#[tokio::test]
async fn one_wrong_line_in_any_file_and_nothing_is_imported() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let import = Import::new(&databases, &server);
    let good = [
        ("customers.csv", "ref,branch,name\nC1,AZ,Ada Lovelace\nC2,TX,Mary Jackson\n"),
        ("accounts.csv", "ref,customer_ref,kind,currency\nA1,C1,checking,USD\nA2,C2,savings,USD\n"),
        ("balances.csv", "account_ref,amount,currency\nA1,10.50,USD\n"),
    ];
    for (file, text, expected) in [
        (
            "customers.csv",
            "ref,branch,name\nC1,AZ,Ada\nC2,ZZ,Mary\n",
            "customers.csv:3: branch: no branch has the code ZZ",
        ),
        ("customers.csv", "ref,branch,name\nC1,AZ,\"Ada\nC2,TX,Mary\n", "customers.csv:2: a quote is not closed"),
        ("customers.csv", "ref;branch;name\n", "customers.csv:1: unknown column"),
        ("customers.csv", "", "customers.csv:1: the file is empty"),
        (
            "accounts.csv",
            "ref,customer_ref,kind,currency\r\n\r\nA1,C3,checking,USD\r\n",
            "accounts.csv:3: customer_ref:",
        ),
        ("accounts.csv", "ref,customer_ref,kind,currency\nA1,C1,gold,USD\n", "accounts.csv:2: kind:"),
        (
            "accounts.csv",
            "ref,customer_ref,kind,currency\nA1,C1,savings,USD\nA1,C2,savings,USD\n",
            "accounts.csv:3: ref:",
        ),
        ("balances.csv", "account_ref,amount,currency\nA1,10.5,USD\n", "balances.csv:2: amount:"),
        (
            "balances.csv",
            "account_ref,amount,currency\nA1,0.00,USD\n",
            "balances.csv:2: amount: an opening balance is above zero",
        ),
        (
            "balances.csv",
            "account_ref,amount,currency\nA2,1.00,EUR\n",
            "balances.csv:2: currency: the account is kept in USD",
        ),
    ] {
        for (name, text) in good {
            import.write(name, text);
        }
        import.write(file, text);
        let ran = import.run(&[]).await;
        assert_eq!(ran.exit, Some(2), "{text}: {}", ran.told);
        assert!(ran.told.contains(expected) && ran.told.contains("nothing was imported"), "{text}: {}", ran.told);
    }
    for (name, text) in good {
        import.write(name, text);
    }
    // A mapping that cannot be written, and a branch that is none, are known before anything is sent.
    let nowhere = import.directory.join("absent/numbers.csv");
    assert_eq!(import.run(&["--out", nowhere.to_str().unwrap()]).await.exit, Some(1));
    let ran = import.run(&["--out", import.directory.to_str().unwrap()]).await;
    assert!(ran.exit == Some(1) && ran.told.contains("is a directory"), "{}", ran.told);
    let ran = import.run(&["--branch", "ZZ"]).await;
    assert!(ran.exit == Some(2) && ran.told.contains("no branch has this code"), "{}", ran.told);
    std::fs::remove_file(import.directory.join("balances.csv")).unwrap();
    let ran = import.run(&[]).await;
    assert!(ran.exit == Some(1) && ran.told.contains("balances.csv"), "{}", ran.told);
    for branch in ["AZ", "TX"] {
        assert_eq!(counts(&databases, branch).await, "0 0 0");
    }
    // A part of the files, with a branch for all of it.
    import.write("people.csv", "\u{feff}name,ref\r\n\"Lovelace, Ada\",C1\r\n");
    let people = import.directory.join("people.csv");
    let ran = import.run_on(&["--customers", people.to_str().unwrap(), "--branch", "TX"]).await;
    assert_eq!(ran.exit, Some(0), "{}", ran.told);
    assert_eq!(databases.value("TX", "select name from customer").await, "Lovelace, Ada");
    databases.finish().await;
}

#[tokio::test]
async fn a_branch_that_is_lost_on_the_way_keeps_nothing_from_the_other_and_the_next_run_completes_it() {
    let databases = Databases::start().await;
    let to_tx = Wire::to(databases.cluster("TX").port()).await;
    let server = Server::start_through(&databases, &[("TX", &to_tx)]).await;
    let import = Import::new(&databases, &server);
    import.write_lines(100);
    let mut held = to_tx.hold("insert into customer (id, request_id", Hold::Message);
    let running = import.run(&["--wait", "0"]);
    tokio::pin!(running);
    tokio::select! {
        ran = &mut running => panic!("it never asked Texas: {}", ran.told),
        _ = held.reached() => {}
    }
    to_tx.be(Condition::Closed);
    held.cut();
    to_tx.cut_all();
    let ran = running.await;
    assert_eq!(ran.exit, Some(4), "{}", ran.told);
    assert!(ran.told.contains("customers.csv:3: unknown"), "{}", ran.told);
    assert_eq!(ran.counts("customers"), [50, 0, 0, 50, 0, 0]);
    assert_eq!(ran.counts("accounts"), [50, 0, 0, 0, 0, 50]);
    assert_eq!(ran.counts("balances"), [40, 0, 0, 0, 0, 50]);
    to_tx.be(Condition::Clear);
    health_is(&server, "TX", "reachable").await;
    let ran = import.run(&[]).await;
    assert_eq!(ran.exit, Some(0), "{}", ran.told);
    assert_eq!(ran.counts("customers"), [50, 50, 0, 0, 0, 0]);
    assert_eq!(ran.counts("balances"), [50, 40, 0, 0, 0, 0]);
    assert_eq!(held_by_customers(&databases).await, total(100));
    assert!(server.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test]
async fn an_import_waits_for_a_branch_that_comes_back() {
    let mut databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let import = Import::new(&databases, &server);
    import.write_lines(20);
    databases.cluster_mut("TX").stop(Stop::Fast).unwrap();
    health_is(&server, "TX", "unreachable").await;
    let running = import.run(&["--wait", "30"]);
    // Arizona is asked again and again, and nothing is sent.
    let asked_again = async {
        while databases.log("AZ").matches("from customer where request_id = any").count() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::pin!(running);
    tokio::select! {
        ran = &mut running => panic!("it did not wait: {}", ran.told),
        () = asked_again => {}
    }
    assert_eq!(counts(&databases, "AZ").await, "0 0 0");
    databases.cluster_mut("TX").start().unwrap();
    let ran = running.await;
    assert_eq!(ran.exit, Some(0), "{}", ran.told);
    assert_eq!(ran.counts("customers"), [20, 0, 0, 0, 0, 0]);
    assert_eq!(held_by_customers(&databases).await, total(20));
    databases.finish().await;
}
