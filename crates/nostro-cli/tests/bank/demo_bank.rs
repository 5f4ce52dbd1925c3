//! `nostro up`: from nothing, again on the same data, after kill -9 of itself and of everything.

use nostro_client::Client;
use nostro_core::AccountNumber;
use nostro_torture::money::{nothing_in_doubt_within, pay, told};
use nostro_torture::program::binary;
use nostro_torture::server::Server;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A directory that is wiped, with whatever still runs in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        // Of the form that the next run sweeps, should this one be killed.
        let path = std::env::temp_dir().join(format!("nostro-test-{}-9-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn postmaster(&self, code: &str) -> Option<String> {
        let file = self.0.join(code).join("data/postmaster.pid");
        std::fs::read_to_string(file).ok()?.lines().next().map(str::to_owned)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for code in ["az", "tx"] {
            if let Some(pid) = self.postmaster(code) {
                let _ = Command::new("kill").args(["-KILL", &pid]).stderr(Stdio::null()).status();
            }
        }
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Up {
    child: Child,
    lines: Vec<String>,
    client: Client,
    console: String,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(place: &Place) -> Command {
    let mut command = Command::new(binary());
    command.args(["up", "--data", place.0.to_str().unwrap(), "--api", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn up(place: &Place) -> Up {
    let mut child = command(place).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let lines = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        let mut lines = stdout.lines().map_while(Result::ok);
        for line in lines.by_ref() {
            let last = line.starts_with("Ctrl-C");
            all.push(line);
            if last {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        all
    });
    let lines = lines.await.unwrap();
    let value = |name: &str| {
        let line = lines.iter().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{lines:#?}"));
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    let key = std::fs::read_to_string(value("Key")).unwrap();
    let (api, console) = (value("API"), value("Console"));
    Up { child, client: Client::new(&api, key.trim()), console, lines }
}

fn stop(up: &mut Up) -> Option<i32> {
    Command::new("kill").args(["-INT", &up.child.id().to_string()]).status().unwrap();
    up.child.wait().unwrap().code()
}

fn number(text: &str) -> AccountNumber {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_bank_starts_from_nothing_and_loses_nothing() {
    let place = Place::new("life");
    let mut bank = up(&place).await;
    let (az, tx) = (number("AZ93000000001042"), number("TX25000000001042"));
    let richer = async |client: &Client, branch: &str| {
        let accounts =
            client.accounts(nostro_torture::money::code(branch), &nostro_client::Page::default()).await.unwrap().data;
        assert!(accounts.iter().filter(|account| account.customer.is_some()).count() >= 6);
        accounts.iter().filter(|account| account.customer.is_some() && account.posted >= 500_000).count()
    };
    assert!(richer(&bank.client, "AZ").await >= 4 && richer(&bank.client, "TX").await >= 4);
    assert!(bank.client.audit().await.unwrap().balanced, "from the first row");
    let before = bank.client.account(az).await.unwrap().posted;
    let request = pay(az, tx, 100_000);
    assert_eq!(told(&bank.client.transfer(&request).await), "posted");
    let key = place.0.join("operator.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(place.0.join("pgpass")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(bank.console.contains("#key="));
    let page = reqwest::get(bank.console.split('#').next().unwrap()).await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("<title>"));

    // A second one on the same data is refused, and says by whom.
    let second = command(&place).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(complaint.contains(&bank.child.id().to_string()), "{complaint}");

    assert_eq!(stop(&mut bank), Some(0));
    assert_eq!(place.postmaster("az"), None, "Ctrl-C stops everything");
    drop(bank);

    // Again, then kill -9 of itself: the clusters are adopted.
    let mut bank = up(&place).await;
    assert_eq!(bank.client.account(az).await.unwrap().posted, before - 100_000);
    assert_eq!(told(&bank.client.transfer(&request).await), "replayed");
    bank.child.kill().unwrap();
    bank.child.wait().unwrap();
    drop(bank);
    assert!(place.postmaster("az").is_some() && place.postmaster("tx").is_some());
    let mut bank = up(&place).await;
    assert!(bank.lines.iter().any(|line| line.contains("adopted")), "{:#?}", bank.lines);
    assert_eq!(told(&bank.client.transfer(&pay(tx, az, 500)).await), "posted");

    // kill -9 of everything.
    bank.child.kill().unwrap();
    bank.child.wait().unwrap();
    drop(bank);
    for code in ["az", "tx"] {
        let pid = place.postmaster(code).unwrap();
        assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    }
    let mut bank = up(&place).await;
    assert_eq!(bank.client.account(az).await.unwrap().posted, before - 99_500);
    assert!(bank.client.audit().await.unwrap().balanced);
    assert!(bank.client.in_doubt().await.unwrap().data.is_empty());
    assert_eq!(stop(&mut bank), Some(0));
}

#[tokio::test]
async fn what_is_wrong_at_the_start_is_said_with_what_to_do() {
    let place = Place::new("wrong");
    let complaint = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let told = complaint(command(&place).args(["--pg-bin", "/nowhere"]));
    assert!(told.contains("/nowhere"), "{told}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut bind = Command::new(binary());
    let told = complaint(bind.args(["up", "--data", place.0.to_str().unwrap(), "--api", &address]));
    assert!(told.contains(&address) && told.contains("--api") && told.contains("in use"), "{told}");
    let told =
        complaint(command(&place).args(["--pg-ports", &format!("{},{}", taken.local_addr().unwrap().port(), 1)]));
    assert!(told.contains(&taken.local_addr().unwrap().port().to_string()), "{told}");
    let told = complaint(command(&place).args(["--pg-ports", "5433,5433"]));
    assert!(told.contains("two different ports"), "{told}");
    let foreign = Place::new("foreign");
    std::fs::create_dir_all(&foreign.0).unwrap();
    std::fs::write(foreign.0.join("VERSION"), "format = 99\n").unwrap();
    let told = complaint(&mut command(&foreign));
    assert!(told.contains("99"), "{told}");
}

#[tokio::test]
async fn the_command_line_moves_money_and_tells_the_outcome() {
    let databases = nostro_torture::databases::Databases::start().await;
    let server = Server::start(&databases).await;
    let (az, tx) = (
        nostro_torture::money::open(&server.client, "AZ", 200_000).await,
        nostro_torture::money::open(&server.client, "TX", 0).await,
    );
    let key = databases.directory.join("operator.key");
    let nostro = |arguments: &[&str]| {
        let connection = ["--api", &server.url, "--key-file", key.to_str().unwrap()];
        let output = nostro_torture::program::run(&[arguments, &connection].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), text)
    };
    let (az, tx) = (az.to_string(), tx.to_string());
    let id = uuid::Uuid::now_v7().to_string();
    let (code, text) = nostro(&["transfer", &az, &tx, "1000.00", "--id", &id]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("posted") && text.contains("prepared  TX"), "{text}");
    let (code, text) = nostro(&["transfer", &az, &tx, "1000.00", "--id", &id, "--json"]);
    assert_eq!(code, 0, "{text}");
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    assert_eq!(nostro(&["transfer", &az, &tx, "1000.01"]).0, 3, "refused");
    assert_eq!(nostro(&["transfer", &az, &tx, "10.5"]).0, 2, "two decimals");
    assert_eq!(nostro(&["transfer", &az, "TX25000000001043", "10.00"]).0, 2, "check digits");
    let (code, text) = nostro(&["account", "show", &az]);
    assert!(code == 0 && text.contains("1000.00 USD"), "{text}");
    let (code, text) = nostro(&["account", "list", "--branch", "TX", "--json"]);
    assert!(code == 0 && text.contains(&tx), "{text}");
    assert_eq!(nostro(&["audit"]).0, 0);
    assert_eq!(nostro(&["in-doubt"]).0, 0);
    nothing_in_doubt_within(&server, Duration::from_secs(5)).await;
    assert!(Path::new(&key).exists());
    databases.finish().await;
}

#[tokio::test]
async fn ctrl_c_finishes_what_is_in_flight() {
    let place = Place::new("drain");
    let mut bank = up(&place).await;
    let (az, tx) = (number("AZ93000000001042"), number("TX25000000001042"));
    // Texas votes slowly: its deferred trigger sleeps when the transaction is prepared.
    let password = std::fs::read_to_string(place.0.join("postgres-password")).unwrap();
    let port = std::fs::read_to_string(place.0.join("tx/data/postmaster.pid")).unwrap();
    let port: u16 = port.lines().nth(3).unwrap().parse().unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user("postgres").password(password.trim()).dbname("nostro");
    let (admin, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    admin
        .batch_execute(
            "create function sleeps() returns trigger language plpgsql as
               $$ begin perform pg_sleep(2); return null; end $$;
             create constraint trigger sleeps after insert on participation deferrable initially deferred
               for each row execute function sleeps()",
        )
        .await
        .unwrap();
    let before = bank.client.account(tx).await.unwrap().posted;
    let request = pay(az, tx, 700);
    let (client, sent) = (bank.client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&client.transfer(&sent).await) });
    let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
    let begin = Instant::now();
    while admin.query_one(asleep, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(30), "Texas was never asked to prepare");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let pid = bank.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(asking.await.unwrap(), "posted", "the answer comes before the end");
    assert_eq!(bank.child.wait().unwrap().code(), Some(0));
    assert_eq!(place.postmaster("tx"), None);
    drop(bank);
    let mut bank = up(&place).await;
    assert_eq!(bank.client.account(tx).await.unwrap().posted, before + 700);
    assert_eq!(stop(&mut bank), Some(0));
}

#[tokio::test]
async fn ctrl_c_during_the_start_leaves_no_cluster() {
    let place = Place::new("early");
    // As in a terminal: the signal goes to the whole group.
    let mut child = command(&place).process_group(0).spawn().unwrap();
    // The first cluster's directory is there, its server is not yet up.
    let begin = Instant::now();
    while !place.0.join("az").exists() {
        assert!(begin.elapsed() < Duration::from_secs(30), "nothing was started");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!((place.postmaster("az"), place.postmaster("tx")), (None, None));
}
