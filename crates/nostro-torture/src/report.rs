//! What a run did and found, for people (Markdown) and for programs (JSON).

use crate::faults::Done;
use crate::history::Cause;
use crate::oracle::{Check, Settlement, Violation};
use crate::schedule::Fault;
use crate::torture::Options;
use crate::watchers::Audits;
use crate::workload::Answers;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Violations that are written out; all are counted.
const VIOLATIONS_SHOWN: usize = 20;

/// A run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was asked for.
    pub options: Options,
    /// The schedule.
    pub faults: Vec<(u64, Fault)>,
    /// What of it was really done.
    pub done: Done,
    /// What the servers answered.
    pub answers: Answers,
    /// What became of the unknown answers.
    pub settlement: Settlement,
    /// Requests that had to be sent again after the faults.
    pub settled_afterwards: usize,
    /// The audits.
    pub audits: Audits,
    /// Reads of accounts that were answered and checked.
    pub reads: usize,
    /// Rows of transfers in all databases.
    pub rows: usize,
    /// Holds that expired.
    pub expiries: usize,
    /// Decision rows in all databases.
    pub batches: usize,
    /// How long it took after the faults until everything was back; none if it was not.
    pub drained: Option<Duration>,
    /// What is wrong.
    pub violations: Vec<Violation>,
    /// All about the first transfers that something is wrong with.
    pub stories: Vec<String>,
    /// What happened when.
    pub log: Vec<String>,
    /// Where the databases and logs of a failed run are.
    pub kept: Option<PathBuf>,
}

impl Report {
    /// Whether every check holds.
    pub fn is_right(&self) -> bool {
        self.violations.is_empty()
    }

    /// The command that runs the same schedule.
    pub fn command(&self) -> String {
        let Options { seed, seconds, servers, clients } = self.options;
        format!("nostro-torture --seed {seed} --seconds {seconds} --servers {servers} --clients {clients}")
    }

    /// Scheduled faults by kind.
    pub fn faults_by_kind(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for (_, fault) in &self.faults {
            *kinds.entry(fault.kind()).or_default() += 1;
        }
        kinds
    }

    /// Answers from which nothing is known.
    pub fn indeterminate(&self) -> usize {
        self.answers.indeterminate.values().sum()
    }

    fn violations_of(&self, check: Check) -> usize {
        self.violations.iter().filter(|violation| violation.check == check).count()
    }

    /// The figures with their names.
    fn figures(&self) -> Vec<(&'static str, String)> {
        let Done { held, missed, server_kills: servers, database_kills: databases } = self.done;
        let Settlement { ids, moved, moved_later, refused, conflicts } = self.settlement;
        let counts = |map: &BTreeMap<Cause, usize>| {
            map.iter().map(|(cause, count)| format!("{count} {}", cause.word())).collect::<Vec<_>>().join(", ")
        };
        let rate = self.answers.posted_ids / usize::try_from(self.options.seconds.max(1)).unwrap_or(1);
        vec![
            ("seed", self.options.seed.to_string()),
            ("seconds, servers, clients", {
                let Options { seconds, servers, clients, .. } = self.options;
                format!("{seconds}, {servers}, {clients}")
            }),
            ("faults", self.faults.len().to_string()),
            ("kills", format!("{}: {servers} of servers, {databases} of PostgreSQL", servers + databases)),
            ("held messages", format!("{held} met, {missed} not met in time")),
            ("transfers asked for", self.answers.ids.to_string()),
            ("posted", format!("{} ({rate} a second)", self.answers.posted_ids)),
            ("refused", self.answers.refused_ids.to_string()),
            ("posted by kind", {
                let kinds = self.answers.posted_by_kind.iter();
                kinds.map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
            }),
            ("chains", {
                let Answers { posted_chains, refused_chains, .. } = &self.answers;
                format!("{posted_chains} posted, {refused_chains} refused")
            }),
            ("expiries, changes of accounts", format!("{}, {}", self.expiries, self.answers.changes)),
            ("indeterminate answers", { format!("{}: {}", self.indeterminate(), counts(&self.answers.indeterminate)) }),
            ("transfers with one", {
                format!(
                    "{ids}: {moved} had moved, {moved_later} moved by a later attempt, {refused} refused, \
                     {conflicts} in conflict with what else was sent"
                )
            }),
            ("sent again after the faults", self.settled_afterwards.to_string()),
            ("longest answer", format!("{} ms", self.answers.longest / 1_000)),
            ("audits", {
                let Audits { right, wrong, naive_wrong, unavailable } = &self.audits;
                format!(
                    "{right} right, {} wrong, {unavailable} unavailable; naive total wrong {naive_wrong} times",
                    wrong.len()
                )
            }),
            ("reads checked", self.reads.to_string()),
            ("rows, batches", format!("{}, {}", self.rows, self.batches)),
            ("drained after", {
                self.drained.map_or_else(|| "not in time".to_owned(), |took| format!("{} ms", took.as_millis()))
            }),
        ]
    }

    /// For people, in Markdown.
    pub fn text(&self) -> String {
        let mut text = String::from("# nostro-torture\n\n");
        let verdict = if self.is_right() { "every check holds" } else { "CHECKS FAILED" };
        writeln!(text, "Verdict: {verdict}\n").expect("writing to a String cannot fail");
        let mut table = |head: [&str; 2], rows: Vec<(String, String)>| {
            let width = rows.iter().map(|(name, _)| name.chars().count()).chain([head[0].len()]).max().unwrap_or(0);
            let line =
                |name: &str, value: &str| format!("| {name}{} | {value} |\n", " ".repeat(width - name.chars().count()));
            text += &line(head[0], head[1]);
            text += &line(&"-".repeat(3), "---");
            rows.iter().for_each(|(name, value)| text += &line(name, value));
            text += "\n";
        };
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        table(["figure", "value"], self.figures().into_iter().map(owned).collect());
        table(
            ["answers", "count"],
            self.answers.by_word.iter().map(|(word, count)| (word.clone(), count.to_string())).collect(),
        );
        table(
            ["faults", "count"],
            self.faults_by_kind().into_iter().map(|(kind, count)| owned((kind, count.to_string()))).collect(),
        );
        let check = |check: &Check| {
            let violations = self.violations_of(*check);
            let verdict = if violations == 0 { "holds".to_owned() } else { format!("VIOLATED {violations} times") };
            owned((check.title(), verdict))
        };
        table(["check", "verdict"], Check::ALL.iter().map(check).collect());
        if !self.is_right() {
            text += "First violations:\n\n";
            for violation in self.violations.iter().take(VIOLATIONS_SHOWN) {
                text += &format!("- {violation}\n");
            }
            text += &format!("\n```\n{}```\n\n", self.stories.join("\n"));
        }
        if let Some(kept) = &self.kept {
            text += &format!("Databases, configurations and logs: {}\n\n", kept.display());
        }
        text += &format!("To repeat the schedule (not the interleaving): {}\n", self.command());
        text
    }

    /// The same with the schedule as it happened.
    pub fn markdown(&self) -> String {
        format!("{}\n## What happened when\n\n```\n{}\n```\n", self.text(), self.log.join("\n"))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let Options { seed, seconds, servers, clients } = self.options;
        let Done { held, missed, server_kills, database_kills } = self.done;
        let Settlement { ids, moved, moved_later, refused, conflicts } = self.settlement;
        let causes: BTreeMap<&str, usize> =
            self.answers.indeterminate.iter().map(|(cause, count)| (cause.word(), *count)).collect();
        let checks: BTreeMap<&str, usize> =
            Check::ALL.iter().map(|check| (check.title(), self.violations_of(*check))).collect();
        json!({
            "right": self.is_right(),
            "command": self.command(),
            "seed": seed, "seconds": seconds, "servers": servers, "clients": clients,
            "faults": self.faults_by_kind(),
            "schedule": self.faults.iter().map(|(at, fault)| json!({"at_ms": at, "fault": fault.to_string()})).collect::<Vec<_>>(),
            "kills": { "servers": server_kills, "postgresql": database_kills },
            "held_messages": { "met": held, "missed": missed },
            "transfers": { "asked": self.answers.ids, "posted": self.answers.posted_ids, "refused": self.answers.refused_ids },
            "posted_by_kind": self.answers.posted_by_kind,
            "chains": { "posted": self.answers.posted_chains, "refused": self.answers.refused_chains },
            "expiries": self.expiries, "account_changes": self.answers.changes,
            "answers": self.answers.by_word,
            "longest_answer_ms": self.answers.longest / 1_000,
            "indeterminate": { "answers": self.indeterminate(), "by_cause": causes, "transfers": ids, "moved": moved,
                "moved_by_a_later_attempt": moved_later, "refused": refused, "conflicts": conflicts },
            "sent_again_after_the_faults": self.settled_afterwards,
            "audits": { "right": self.audits.right, "wrong": self.audits.wrong.len(),
                "naive_wrong": self.audits.naive_wrong, "unavailable": self.audits.unavailable },
            "reads_checked": self.reads,
            "rows": self.rows,
            "batches": self.batches,
            "drained_ms": self.drained.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            "violations_by_check": checks,
            "violations": self.violations.iter().take(VIOLATIONS_SHOWN).map(ToString::to_string).collect::<Vec<_>>(),
            "kept": self.kept.as_ref().map(|kept| kept.display().to_string()),
            "log": self.log,
        })
    }
}
