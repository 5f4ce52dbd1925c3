//! Crashes under load: how soon nothing is in doubt any more, who is held meanwhile, and that audits stay right.

use nostro_client::Client;
use nostro_commit::Message;
use nostro_core::AccountNumber;
use nostro_local::Stop;
use nostro_torture::databases::Databases;
use nostro_torture::money::{
    assert_posted, balance, code, dollars, health_is, nothing_in_doubt_within, open, pay, told, until_final,
};
use nostro_torture::server::Server;
use nostro_torture::wire::{Hold, Wire};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Clients that pay back and forth in bulk until they are stopped or their server is gone.
struct Load {
    stop: Arc<AtomicBool>,
    posted: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// `clients` tasks, each with requests of `bulk` transfers between accounts of the two lists, one after the other.
    fn on(client: &Client, from: &[AccountNumber], to: &[AccountNumber], clients: usize, bulk: usize) -> Self {
        Self::paced(client, [from, to], clients, bulk, Duration::ZERO)
    }

    /// The same, with a pause after each request.
    fn paced(client: &Client, [from, to]: [&[AccountNumber]; 2], clients: usize, bulk: usize, pause: Duration) -> Self {
        let (stop, posted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let task = |seed: usize| {
            let (client, stop, posted) = (client.clone(), Arc::clone(&stop), Arc::clone(&posted));
            let (from, to) = (from.to_vec(), to.to_vec());
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(seed as u64);
                while !stop.load(Ordering::Relaxed) {
                    let one = |_| {
                        let pair = (from[random.usize(..from.len())], to[random.usize(..to.len())]);
                        let (debit, credit) = if random.bool() { pair } else { (pair.1, pair.0) };
                        if debit == credit { pay(from[0], from[1], 1) } else { pay(debit, credit, 1) }
                    };
                    let items: Vec<_> = (0..bulk).map(one).collect();
                    let Ok(results) = client.transfers_bulk(&items).await else { return };
                    posted.fetch_add(results.iter().filter(|item| item.state == "posted").count(), Ordering::Relaxed);
                    tokio::time::sleep(pause).await;
                }
            })
        };
        Self { clients: (0..clients).map(task).collect(), stop, posted }
    }

    /// Posted in so much time.
    async fn posted_in(&self, time: Duration) -> usize {
        let before = self.posted.load(Ordering::Relaxed);
        tokio::time::sleep(time).await;
        self.posted.load(Ordering::Relaxed) - before
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}

async fn open_many(client: &Client, branch: &str, count: usize) -> Vec<AccountNumber> {
    let mut accounts = Vec::new();
    for _ in 0..count {
        accounts.push(open(client, branch, 1_000_000).await);
    }
    accounts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_seconds_after_kill_minus_nine_under_load_nothing_is_in_doubt() {
    const ROUNDS: usize = 6;
    let databases = Databases::start().await;
    let mut server = Server::start(&databases).await;
    let (az, tx) = (open_many(&server.client, "AZ", 20).await, open_many(&server.client, "TX", 20).await);
    let looking = databases.admin("TX").await;
    let looking = looking.prepare("select count(*) from pg_prepared_xacts").await.map(|look| (looking, look)).unwrap();
    let prepared = async || looking.0.query_one(&looking.1, &[]).await.unwrap().get::<_, i64>(0);
    let (mut longest, mut left, mut posted) = (Duration::ZERO, 0, 0);
    for _ in 0..ROUNDS {
        let load = Load::on(&server.client, &az, &tx, 32, 40);
        posted += load.posted_in(Duration::from_millis(1_500)).await;
        let begin = Instant::now();
        while prepared().await == 0 {
            assert!(begin.elapsed() < Duration::from_secs(20), "under load nothing is ever prepared");
        }
        server.kill();
        left += prepared().await;
        let restarted = Instant::now();
        server = Server::start(&databases).await;
        databases.nothing_prepared_within(Duration::from_secs(5).saturating_sub(restarted.elapsed())).await;
        longest = longest.max(restarted.elapsed());
        load.end().await;
    }
    println!(
        "{ROUNDS} kills under load, {posted} posted: {left} batches were in doubt, \
         none later than {} ms after the restart began",
        longest.as_millis()
    );
    assert!(left > 0, "no kill met a batch between PREPARE and COMMIT PREPARED");
    assert!(server.client.audit().await.unwrap().balanced);
    databases.finish().await;
}

/// Two batches are under way at most, and four full ones wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_so_at_once_and_nothing_is_lost() {
    const FULL: usize = 8_192;
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = &server.client;
    let (az, tx) = (open(client, "AZ", 1_000_000_000).await, open(client, "TX", 1_000_000_000).await);
    // Somebody is inside Arizona's gate and does not leave.
    let inside = databases.admin("AZ").await;
    inside.batch_execute("select pg_advisory_lock(x'006e6f7374726f21'::bigint)").await.unwrap();
    let is_full = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..14)
        .map(|_| {
            let (client, is_full) = (client.clone(), Arc::clone(&is_full));
            tokio::spawn(async move {
                let mut results = Vec::new();
                // What waited too long is told so, and the queue is filled again.
                while !is_full.load(Ordering::Relaxed) {
                    let items: Vec<_> = std::iter::repeat_with(|| pay(az, tx, 1)).take(FULL).collect();
                    results.extend(client.transfers_bulk(&items).await.unwrap());
                }
                results
            })
        })
        .collect();
    let (begin, mut probes) = (Instant::now(), 0);
    let waited = loop {
        let asked = Instant::now();
        // One by itself would go with the single transfers, whose queue has room.
        let two = [pay(az, tx, 1), pay(az, tx, 1)];
        probes += 2;
        if let Ok(results) = timeout(Duration::from_secs(1), client.transfers_bulk(&two)).await {
            let results = results.unwrap();
            assert_eq!(results[0].problem.as_ref().map(|problem| problem.code.as_str()), Some("queue_full"));
            break asked.elapsed();
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "the queue is never full");
    };
    is_full.store(true, Ordering::Relaxed);
    println!("told after {waited:?} that the queue is full");
    inside.batch_execute("select pg_advisory_unlock_all()").await.unwrap();
    // What was sent to find out whether the queue is full may have been posted, too.
    let (mut posted, mut perhaps) = (0, probes);
    for bulk in asking {
        for item in bulk.await.unwrap() {
            match (item.state.as_str(), item.problem) {
                ("posted" | "settling", _) => posted += 1,
                ("unknown", _) => perhaps += 1,
                (_, Some(problem)) if ["queue_full", "busy"].contains(&problem.code.as_str()) => {}
                (state, problem) => panic!("{state}: {problem:?}"),
            }
        }
    }
    println!("posted {posted}, perhaps {perhaps} more");
    nothing_in_doubt_within(&server, Duration::from_secs(10)).await;
    let credited = balance(client, tx).await - 1_000_000_000;
    assert!((posted..=posted + perhaps).contains(&credited), "{credited} credited, {posted} told");
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_accounts_in_doubt_wait_for_a_home_that_is_down() {
    let mut databases = Databases::start().await;
    let to_az = Wire::to(databases.cluster("AZ").port()).await;
    let server = Server::start_through(&databases, &[("AZ", &to_az)]).await;
    let client = &server.client;
    let az = open(client, "AZ", 1_000).await;
    let others = open_many(client, "TX", 100).await;
    let cash = AccountNumber::cash(code("TX"), dollars());
    // Paced: a prepared transaction keeps old versions of all rows from being cleared away, so that rows which are posted
    // to hundreds of times a second get slow by that alone, whoever waits for whom.
    let load = Load::paced(client, [&others, &others], 8, 20, Duration::from_millis(50));
    load.posted_in(Duration::from_millis(500)).await;
    let before = load.posted_in(Duration::from_secs(2)).await;
    // The cash account of Texas is in a batch whose home goes down before its decision.
    let request = pay(az, cash, 100);
    let mut held = to_az.hold(Message::Decide.to_string(), Hold::Message);
    let (asker, sent) = (client.clone(), request.clone());
    let asking = tokio::spawn(async move { told(&asker.transfer(&sent).await) });
    held.reached().await;
    tokio::task::block_in_place(|| databases.cluster_mut("AZ").stop(Stop::Immediate)).unwrap();
    held.cut();
    to_az.cut_all();
    assert_eq!(asking.await.unwrap(), "unknown");
    // The first one meets the lock and waits for it; what it learns is known to all that follow.
    assert_eq!(told(&client.transfer(&pay(others[0], cash, 1)).await), "unavailable account_in_doubt");
    let waits = || databases.log("TX").matches("canceling statement due to lock timeout").count();
    let waited = waits();
    // The cash account is asked for all the time, alone and in one request with others.
    let stop = Arc::new(AtomicBool::new(false));
    let cash_desk = {
        let (client, others, stop) = (client.clone(), others.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut turned_away = 0;
            while !stop.load(Ordering::Relaxed) {
                let single = pay(others[0], cash, 1);
                assert_eq!(told(&client.transfer(&single).await), "unavailable account_in_doubt");
                let mixed = [pay(others[0], others[1], 1), pay(others[0], cash, 1), pay(others[2], others[3], 1)];
                let results = client.transfers_bulk(&mixed).await.unwrap();
                let states: Vec<&str> = results.iter().map(|item| item.state.as_str()).collect();
                assert_eq!(states, ["posted", "unavailable", "posted"]);
                turned_away += 2;
            }
            turned_away
        })
    };
    let during = load.posted_in(Duration::from_secs(2)).await;
    stop.store(true, Ordering::Relaxed);
    let turned_away = cash_desk.await.unwrap();
    println!(
        "Texas's other accounts: {before} posted in 2 s before, {during} with its cash account in doubt; \
         {turned_away} transfers of the cash account were turned away meanwhile"
    );
    assert!(during * 2 > before, "{during} in 2 s, {before} before");
    assert!(turned_away > 10, "{turned_away} turned away in 2 s is not at once");
    assert_eq!(waits(), waited, "a transfer of the cash account waited for its row");
    load.end().await;
    tokio::task::block_in_place(|| databases.cluster_mut("AZ").start()).unwrap();
    health_is(&server, "AZ", "reachable").await;
    databases.nothing_prepared_within(Duration::from_secs(10)).await;
    assert_eq!(until_final(client, &pay(others[0], cash, 1)).await, "posted");
    assert_eq!(until_final(client, &request).await, "posted", "it had been aborted");
    assert!(client.audit().await.unwrap().balanced);
    databases.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_audits_are_right_under_kills_and_with_batches_in_doubt() {
    const AUDITS: usize = 1_000;
    let databases = Databases::start().await;
    let auditor = Server::start(&databases).await;
    let (az, tx) = (open_many(&auditor.client, "AZ", 20).await, open_many(&auditor.client, "TX", 20).await);
    let done = Arc::new(AtomicBool::new(false));
    let auditing = {
        let (client, done) = (auditor.client.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let (mut wrong, mut naive_wrong, mut in_flight) = (Vec::new(), 0, 0);
            for at in 0..AUDITS {
                let report = client.audit().await.unwrap();
                naive_wrong += usize::from(report.bank.iter().any(|line| line.naive_total != 0));
                in_flight += usize::from(report.batches_in_flight > 0);
                if !report.balanced || report.bank.iter().any(|line| line.total != 0) {
                    wrong.push(format!("audit {at}: {report:?}"));
                }
            }
            done.store(true, Ordering::Relaxed);
            (wrong, naive_wrong, in_flight)
        })
    };
    let (mut kills, mut left) = (0, 0);
    while !done.load(Ordering::Relaxed) && !auditing.is_finished() {
        let mut server = Server::start(&databases).await;
        let load = Load::on(&server.client, &az, &tx, 8, 50);
        load.posted_in(Duration::from_millis(700)).await;
        server.kill();
        kills += 1;
        left += databases.value("TX", "select count(*) from pg_prepared_xacts").await.parse::<usize>().unwrap();
        load.end().await;
    }
    let (wrong, naive_wrong, in_flight) = auditing.await.unwrap();
    println!(
        "{AUDITS} audits, {in_flight} with batches in flight, {} wrong; the naive sum was wrong {naive_wrong} times; \
         {kills} kills left {left} batches in doubt",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(naive_wrong > 0, "the naive sum is the positive control: it must be wrong");
    assert!(kills > 1 && left > 0, "{kills} kills, {left} batches in doubt");
    databases.finish().await;
    let late = pay(az[0], tx[0], 1);
    assert_posted(auditor.client.transfer(&late).await);
}
