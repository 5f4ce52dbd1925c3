//! What a run saw beside its history: what is never settled, audits, what comes back in time, servers, logs.
//!
//! The torture asks and collects ([`Aftermath`]); what is wrong with it is said here, by a pure function.

#[cfg(test)]
mod tests;

use super::{BRANCHES, Check, Violation};
use crate::logs::Hit;
use crate::watchers::Audits;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Ids that a violation about many names.
const IDS_NAMED: usize = 5;

/// What a run saw beside its history.
#[derive(Clone, Debug, Default)]
pub struct Aftermath {
    /// Ids that had no final answer when settling was given up.
    pub unsettled: Vec<Uuid>,
    /// What the audits said.
    pub audits: Audits,
    /// At the end of the time in which everything must be back after the faults, or as soon as it was.
    pub drained: Standing,
    /// After settling, the same.
    pub end: Standing,
    /// Starts that failed and servers that ended by themselves.
    pub server_failures: Vec<String>,
    /// What the logs have that no fault explains.
    pub hits: Vec<Hit>,
}

/// How the bank stands at one moment.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// By branch: what is prepared there, however young, or why nobody knows.
    pub prepared: BTreeMap<&'static str, Result<Vec<String>, String>>,
    /// What each server says, or why it says nothing.
    pub servers: Vec<Result<Seen, String>>,
    /// Server and branch of the fresh transfers that were not posted in time.
    pub not_posted: Vec<(usize, &'static str)>,
}

/// What a server says of the bank.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Gids that it lists as in doubt.
    pub in_doubt: Vec<String>,
    /// Branches that it could not ask for them.
    pub unreachable: Vec<String>,
    /// The branches with their health.
    pub health: BTreeMap<String, String>,
}

impl Standing {
    /// What keeps the bank from being at rest; empty if nothing does.
    pub fn in_the_way(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (code, _) in BRANCHES {
            match self.prepared.get(code) {
                Some(Ok(gids)) => missing.extend(gids.iter().map(|gid| format!("{gid} is prepared at {code}"))),
                Some(Err(error)) => missing.push(format!("{code} is not reached: {error}")),
                None => missing.push(format!("nobody asked what is prepared at {code}")),
            }
        }
        for (server, seen) in self.servers.iter().enumerate() {
            match seen {
                Ok(seen) => missing.extend(seen.in_the_way().iter().map(|what| format!("server {server} {what}"))),
                Err(error) => missing.push(format!("server {server} does not say how the bank stands: {error}")),
            }
        }
        let not_posted = self.not_posted.iter();
        missing.extend(not_posted.map(|(server, code)| format!("server {server} posts no fresh transfer from {code}")));
        missing
    }
}

impl Seen {
    fn in_the_way(&self) -> Vec<String> {
        let mut missing: Vec<String> = self.in_doubt.iter().map(|gid| format!("lists {gid} as in doubt")).collect();
        missing.extend(self.unreachable.iter().map(|code| format!("cannot ask {code}")));
        for (code, _) in BRANCHES {
            match self.health.get(code).map(String::as_str) {
                Some("reachable") => {}
                Some(health) => missing.push(format!("says that {code} is {health}")),
                None => missing.push(format!("does not list {code}")),
            }
        }
        missing
    }
}

/// Judges what a run saw beside its history.
pub fn judge_aftermath(aftermath: &Aftermath) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut told = |check, text| violations.push(Violation { check, text, transfer: None, batch: None });
    audits(&aftermath.audits, &mut told);
    for (when, standing) in [("after the faults", &aftermath.drained), ("at the very end", &aftermath.end)] {
        standing.in_the_way().iter().for_each(|text| told(Check::Drain, format!("{when}: {text}")));
    }
    aftermath.server_failures.iter().for_each(|failure| told(Check::Servers, failure.clone()));
    for Hit { mark, log, count, line } in &aftermath.hits {
        told(Check::Logs, format!("{count} lines of {} have \"{mark}\", the first is: {line}", log.display()));
    }
    violations.extend(unsettled(&aftermath.unsettled));
    violations
}

/// An id that is answered 503 for ever claims nothing, and yet it is lost: a bank without faults answers.
fn unsettled(ids: &[Uuid]) -> Option<Violation> {
    let first = *ids.first()?;
    let some: Vec<String> = ids.iter().take(IDS_NAMED).map(Uuid::to_string).collect();
    let text = format!("{} requests have no final answer long after the faults: {}", ids.len(), some.join(", "));
    Some(Violation { check: Check::Settled, text, transfer: Some(first), batch: None })
}

fn audits(audits: &Audits, told: &mut impl FnMut(Check, String)) {
    audits.wrong.iter().for_each(|wrong| told(Check::Audits, format!("an audit is wrong: {wrong}")));
    if audits.right == 0 {
        told(Check::Audits, "no audit was answered".into());
    }
    if audits.naive_wrong == 0 {
        let text = "the naive total was never wrong: the audits saw no batch in flight, and prove nothing";
        told(Check::Audits, text.into());
    }
}
