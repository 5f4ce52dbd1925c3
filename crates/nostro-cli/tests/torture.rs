//! A minute under faults: half of it with one server, half with two.
//!
//! The schedules are fixed by their seeds. `nostro-torture` runs longer ones, and its last line says how to repeat one.
#![allow(missing_docs)]

use nostro_torture::torture::{Options, run};

/// Held messages that were met in each half: the two controls, and one of the last blow, whatever else the seed has.
const HELD_MIN: usize = 3;

/// What must have been posted in each half; as many more were refused.
const KINDS: [&str; 11] = [
    "transfer",
    "up to",
    "deposit",
    "withdrawal",
    "hold",
    "hold that expires",
    "capture",
    "final capture",
    "release",
    "reversal",
    "forced reversal",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_under_faults() {
    let mut had_moved = 0;
    for (seed, servers) in [(28, 1), (39, 2)] {
        let options = Options { seed, servers, seconds: 30, ..Options::default() };
        let report = tokio::spawn(run(options)).await.expect("the rig works");
        println!("{}", report.text());
        assert!(report.is_right(), "{}", report.text());
        // A run that met nothing proves nothing.
        let done = report.done;
        assert!(done.server_kills >= 2 && done.database_kills >= 1 && done.held >= HELD_MIN, "{done:?}");
        assert!(report.answers.posted_ids >= 500, "{} posted", report.answers.posted_ids);
        let missing: Vec<&str> =
            KINDS.into_iter().filter(|kind| !report.answers.posted_by_kind.contains_key(kind)).collect();
        assert!(missing.is_empty(), "not one was posted of {missing:?}");
        let answers = &report.answers;
        let (posted, refused) = (answers.posted_chains, answers.refused_chains);
        assert!(posted >= 10 && refused >= 5, "{posted} chains posted, {refused} refused");
        assert!(report.expiries >= 1 && answers.changes >= 1, "{} expiries, {}", report.expiries, answers.changes);
        assert!(report.indeterminate() >= 5, "{} indeterminate answers", report.indeterminate());
        assert!(report.audits.naive_wrong >= 1);
        had_moved += report.settlement.moved;
    }
    assert!(had_moved >= 1, "no transfer had moved by an attempt without an answer");
}
