//! What a calm end looks like, and for each check what violates it.

use super::{Aftermath, Seen, Standing, judge_aftermath};
use crate::logs::{Hit, OF_POSTGRESQL};
use crate::oracle::Check;
use crate::watchers::Audits;
use uuid::Uuid;

/// Two servers that see both branches, audits that prove something, nothing left.
fn calm() -> Aftermath {
    let health = ["AZ", "TX"].map(|code| (code.to_owned(), "reachable".to_owned())).into();
    let seen = Seen { health, ..Seen::default() };
    let standing = Standing {
        prepared: [("AZ", Ok(vec![])), ("TX", Ok(vec![]))].into(),
        servers: vec![Ok(seen.clone()), Ok(seen)],
        not_posted: vec![],
    };
    Aftermath {
        audits: Audits { right: 3, naive_wrong: 1, ..Audits::default() },
        drained: standing.clone(),
        end: standing,
        ..Aftermath::default()
    }
}

/// That this, and only this, is violated once the calm has been changed.
fn disturbed(name: &str, check: Check, expected: &str, change: impl FnOnce(&mut Aftermath)) {
    let mut aftermath = calm();
    change(&mut aftermath);
    let violations = judge_aftermath(&aftermath);
    let [one] = violations.as_slice() else { panic!("{name}: expected one violation, found {violations:#?}") };
    assert!(one.check == check && one.to_string().contains(expected), "{name}: expected {expected:?}, found {one}");
}

#[test]
fn calm_after_the_faults_is_right() {
    let violations = judge_aftermath(&calm());
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn every_request_must_have_a_final_answer_after_the_faults() {
    disturbed("503 for ever", Check::Settled, "7 requests have no final answer", |after| {
        after.unsettled = (1..8).map(Uuid::from_u128).collect();
    });
    disturbed("it is named", Check::Settled, "[transfer 00000000-0000-0000-0000-000000000007]", |after| {
        after.unsettled = vec![Uuid::from_u128(7)]
    });
}

#[test]
fn audits_must_be_right_and_must_have_seen_something() {
    use Check::Audits;
    disturbed("one is wrong", Audits, "an audit is wrong: total 5", |after| {
        after.audits.wrong = vec!["total 5".into()]
    });
    disturbed("none was answered", Audits, "no audit was answered", |after| after.audits.right = 0);
    disturbed("nothing in flight", Audits, "never wrong", |after| after.audits.naive_wrong = 0);
}

#[test]
fn everything_must_drain_after_the_faults() {
    use Check::Drain;
    let prepared = |gids: &[&str]| Ok(gids.iter().map(|gid| (*gid).to_owned()).collect());
    disturbed("left prepared", Drain, "after the faults: n1:AZ-1-2 is prepared at TX", |after| {
        after.drained.prepared.insert("TX", prepared(&["n1:AZ-1-2"]));
    });
    disturbed("prepared again", Drain, "at the very end: n1:AZ-1-9 is prepared at AZ", |after| {
        after.end.prepared.insert("AZ", prepared(&["n1:AZ-1-9"]));
    });
    disturbed("a database is down", Drain, "TX is not reached", |after| {
        after.drained.prepared.insert("TX", Err("connection refused".into()));
    });
    disturbed("a database was forgotten", Drain, "nobody asked", |after| {
        after.end.prepared.remove("AZ");
    });
    disturbed("in doubt", Drain, "server 1 lists n1:AZ-1-2 as in doubt", |after| {
        after.drained.servers[1].as_mut().unwrap().in_doubt.push("n1:AZ-1-2".into());
    });
    disturbed("not asked what is in doubt", Drain, "server 0 cannot ask TX", |after| {
        after.drained.servers[0].as_mut().unwrap().unreachable.push("TX".into());
    });
    disturbed("not reached by a server", Drain, "server 0 says that TX is unreachable", |after| {
        after.end.servers[0].as_mut().unwrap().health.insert("TX".into(), "unreachable".into());
    });
    disturbed("not listed by a server", Drain, "server 0 does not list TX", |after| {
        after.end.servers[0].as_mut().unwrap().health.remove("TX");
    });
    disturbed("a server does not answer", Drain, "server 1 does not say", |after| {
        after.drained.servers[1] = Err("connection refused".into());
    });
    disturbed("no fresh transfer", Drain, "server 1 posts no fresh transfer from TX", |after| {
        after.drained.not_posted.push((1, "TX"));
    });
}

#[test]
fn servers_must_start_and_stay() {
    disturbed("a server ended", Check::Servers, "server 1 ended by itself", |after| {
        after.server_failures.push("server 1 ended by itself".into());
    });
}

#[test]
fn logs_must_have_no_line_that_no_fault_explains() {
    disturbed("a deadlock", Check::Logs, "2 lines of az/postgresql.log have \"deadlock detected\"", |after| {
        let line = "[1] ERROR:  deadlock detected".into();
        after.hits.push(Hit { mark: OF_POSTGRESQL[0], log: "az/postgresql.log".into(), count: 2, line });
    });
}
