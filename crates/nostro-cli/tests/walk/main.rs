//! The crash walk: every message of the protocol, before it is sent and before its answer is heard, times every
//! fault, times every way to recover; with the real binary on real PostgreSQL servers.
//!
//! - [`point`]: where: each message of [`nostro_commit::Message`] at each branch, held or answered
//! - [`fault`]: what breaks there, and how and when somebody recovers
//! - [`asked`]: what is asked for, by the scene
//! - [`case`]: one of them from its first byte to the proof that the money moved once or not at all
//! - [`report`]: what was walked
//!
//! `make test` walks every point with one fault in rotation; with NOSTRO_SOAK=1 (`make soak`) it walks everything.
//! NOSTRO_WALK="Prepare TX Answer" walks the cases whose name contains that.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod asked;
mod case;
mod fault;
mod point;
mod report;

use case::{Case, Ground};
use fault::{Fault, Recovery};
use nostro_commit::Message;
use nostro_torture::databases::Databases;
use nostro_torture::money::{assert_posted, nothing_in_doubt_within, open, pay};
use nostro_torture::server::Server;
use nostro_torture::wire::Wire;
use report::Report;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Pairs of clusters that walk side by side: a case waits most of its time.
const LANES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_crash_point_leaves_one_outcome() {
    let mut cases = if std::env::var_os("NOSTRO_SOAK").is_some() { every_case() } else { rotation() };
    if let Ok(part) = std::env::var("NOSTRO_WALK") {
        cases = every_case().into_iter().filter(|case| case.to_string().contains(&part)).collect();
        assert!(!cases.is_empty(), "NOSTRO_WALK={part:?}: no case has a name like that");
    }
    let begin = Instant::now();
    cases.reverse();
    let (cases, report) = (Arc::new(Mutex::new(cases)), Arc::new(Mutex::new(Report::default())));
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let (cases, report) = (Arc::clone(&cases), Arc::clone(&report));
            tokio::spawn(async move {
                let mut ground = Ground::new().await;
                loop {
                    let Some(case) = cases.lock().unwrap().pop() else { break };
                    let begin = Instant::now();
                    let _named = Named(case);
                    let answer = case.run(&mut ground).await;
                    println!("{case}: {answer}, {} ms", begin.elapsed().as_millis());
                    report.lock().unwrap().add(case, &answer);
                }
                ground.databases.finish().await;
            })
        })
        .collect();
    for lane in lanes {
        lane.await.unwrap();
    }
    report.lock().unwrap().tell(begin.elapsed());
}

/// Says at a panic which case it was.
struct Named(Case);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed: NOSTRO_WALK=\"{}\" cargo test -p nostro-cli --test walk", self.0);
        }
    }
}

/// All points, all faults, all recoveries.
fn every_case() -> Vec<Case> {
    let mut cases = Vec::new();
    for point in point::all() {
        for fault in Fault::ALL {
            cases.extend(Recovery::ALL.map(|recovery| Case { point, fault, recovery }));
        }
    }
    cases
}

/// Each point once. Faults and recoveries shift against the points, so that each meets messages and answers.
fn rotation() -> Vec<Case> {
    let turn = |(at, point)| Case {
        point,
        fault: Fault::ALL[(at + at / Fault::ALL.len()) % Fault::ALL.len()],
        recovery: Recovery::ALL[(at / 2) % Recovery::ALL.len()],
    };
    point::all().into_iter().enumerate().map(turn).collect()
}

#[test]
fn the_rotation_meets_every_point_every_fault_and_every_recovery() {
    let cases = rotation();
    assert_eq!(cases.len(), point::all().len());
    for fault in Fault::ALL {
        for hold in [nostro_torture::wire::Hold::Message, nostro_torture::wire::Hold::Answer] {
            assert!(cases.iter().any(|case| case.fault == fault && case.point.hold == hold), "{fault:?} {hold:?}");
        }
        for recovery in Recovery::ALL {
            assert!(
                cases.iter().any(|case| case.fault == fault && case.recovery == recovery),
                "{fault:?} {recovery:?}"
            );
        }
    }
}

/// What goes over the wires when nothing fails has a number, and each number of a batch's way is a crash point.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_of_a_transfer_is_without_a_number_or_a_crash_point() {
    let databases = Databases::start().await;
    let (to_az, to_tx) =
        (Wire::to(databases.cluster("AZ").port()).await, Wire::to(databases.cluster("TX").port()).await);
    let other = Server::start(&databases).await;
    let (az, tx) = (open(&other.client, "AZ", 1_000).await, open(&other.client, "TX", 1_000).await);
    let server = Server::start_through(&databases, &[("AZ", &to_az), ("TX", &to_tx)]).await;
    to_az.record();
    to_tx.record();
    assert_posted(server.client.transfer(&asked::looked_up(pay(az, tx, 100))).await);
    nothing_in_doubt_within(&server, Duration::from_secs(5)).await;
    let mut seen = BTreeSet::new();
    for (branch, wire) in [("AZ", &to_az), ("TX", &to_tx)] {
        for text in wire.recorded() {
            case::assert_numbered(&text);
            if let Some(message) = Message::of(&text) {
                assert!(seen.insert((message, branch)) || message == Message::OpenSession, "sent twice: {text}");
            }
        }
    }
    let walked: BTreeSet<_> = point::live().into_iter().map(|point| (point.message, point.branch)).collect();
    assert_eq!(seen, walked, "left: sent by a transfer; right: crash points");
    let numbered: BTreeSet<_> = point::all().into_iter().map(|point| point.message).collect();
    assert_eq!(numbered, BTreeSet::from(Message::ALL), "left: crash points; right: numbered messages");
    databases.finish().await;
}
