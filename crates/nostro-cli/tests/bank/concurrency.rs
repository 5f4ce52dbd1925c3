//! Two hundred clients at once: nothing lost, nothing doubled, batches form, and audits are right meanwhile.

use nostro_torture::databases::Databases;
use nostro_torture::money::{open, pay, told};
use nostro_torture::server::Server;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 200;
const TRANSFERS_EACH_MIN: usize = 20;
const ACCOUNTS: usize = 50;
const AUDITS_MIN: usize = 100;

/// Ends the clients also when an audit is wrong and its task panics.
struct DoneWhenDropped(Arc<AtomicBool>);

impl Drop for DoneWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_and_a_hundred_audits() {
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let client = server.client.clone();
    let mut accounts = Vec::new();
    for at in 0..ACCOUNTS * 2 {
        accounts.push(open(&client, if at % 2 == 0 { "AZ" } else { "TX" }, 100_000).await);
    }
    let batches = "select count(*) from batch where outcome = 'committed'";
    let before: u64 = databases.value("AZ", batches).await.parse().unwrap();
    let accounts = Arc::new(accounts);
    let done = Arc::new(AtomicBool::new(false));
    let auditing = {
        let (client, done) = (client.clone(), DoneWhenDropped(Arc::clone(&done)));
        tokio::spawn(async move {
            // The clients go on until there are enough, so every one of them looks at moving books.
            let (mut right, mut naive_wrong) = (0, 0);
            let begin = Instant::now();
            while right < AUDITS_MIN || naive_wrong == 0 {
                assert!(
                    begin.elapsed() < Duration::from_secs(120),
                    "{right} audits, naive sum wrong {naive_wrong} times"
                );
                let report = client.audit().await.unwrap();
                assert!(report.balanced, "audit {right} is wrong: {report:?}");
                right += 1;
                naive_wrong += usize::from(report.bank.iter().any(|line| line.naive_total != 0));
            }
            drop(done);
            (right, naive_wrong)
        })
    };
    let begin = Instant::now();
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, accounts, done) = (client.clone(), Arc::clone(&accounts), Arc::clone(&done));
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                while outcomes.len() < TRANSFERS_EACH_MIN || !done.load(Ordering::Relaxed) {
                    let from = fastrand::usize(..accounts.len());
                    // The other parity is the other branch.
                    let to = (from + 1 + 2 * fastrand::usize(..ACCOUNTS)) % accounts.len();
                    let request = pay(accounts[from], accounts[to], fastrand::i64(1..60_000));
                    let mut outcome = told(&client.transfer(&request).await);
                    while outcome.starts_with("unavailable") || outcome == "unknown" || outcome == "settling" {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        outcome = told(&client.transfer(&request).await);
                    }
                    outcomes.push((request, outcome));
                }
                outcomes
            })
        })
        .collect();
    let mut balances: HashMap<_, i64> = accounts.iter().map(|account| (*account, 100_000)).collect();
    let (mut posted, mut refused) = (0, 0);
    for task in tasks {
        for (request, outcome) in task.await.unwrap() {
            match outcome.as_str() {
                "posted" | "replayed" => {
                    *balances.get_mut(&request.debit_account).unwrap() -= request.amount.minor_units();
                    *balances.get_mut(&request.credit_account).unwrap() += request.amount.minor_units();
                    posted += 1;
                }
                "refused insufficient_funds" => refused += 1,
                other => panic!("{other}"),
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let (audits, naive_wrong) = auditing.await.unwrap();
    assert!(posted + refused >= CLIENTS * TRANSFERS_EACH_MIN);
    assert!(refused > 0, "nobody was ever short of money");
    for (account, expected) in &balances {
        assert_eq!(nostro_torture::money::balance(&client, *account).await, i128::from(*expected), "{account}");
    }
    let after: u64 = databases.value("AZ", batches).await.parse().unwrap();
    let mean = f64::from(u32::try_from(posted + refused).unwrap()) / (after - before) as f64;
    println!(
        "{posted} posted and {refused} refused in {seconds:.1} s, mean batch {mean:.1}; \
         {audits} audits right, naive sum wrong {naive_wrong} times"
    );
    assert!(mean > 10.0, "the mean batch has {mean:.1} transfers");
    assert!(audits >= AUDITS_MIN);
    assert!(naive_wrong >= 1, "the naive sum is the positive control: it must be wrong at least once");
    databases.finish().await;
}
