//! What became of the lines of an import: counted, told on standard error as it happens, and summed up at its end.
//!
//! Refused, unknown, unavailable and skipped are kept apart: what is unknown may have been done, and what was never
//! asked for was not refused.

use super::super::exit::{EXIT_NOTHING_MOVED, EXIT_REFUSED, EXIT_UNKNOWN};
use super::super::table::{right, table};
use super::lines::Lines;
use comfy_table::Cell;
use nostro_client::{ClientError, Problem};
use nostro_commit::with_sources;
use nostro_core::{AccountNumber, BranchCode, CustomerNumber};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// So many lines that are unknown or unavailable are told one by one: with a branch down all of its are.
const TOLD_MAX: usize = 100;
/// Where no terminal shows the progress in place, it is told so often.
const PROGRESS_PAUSE: Duration = Duration::from_secs(5);

/// What became of the lines of one file.
#[derive(Debug)]
pub(super) struct Tally {
    file: String,
    lines: usize,
    opened: usize,
    replayed: usize,
    refused: usize,
    unknown: usize,
    unavailable: usize,
    skipped: usize,
    is_terminal: bool,
    told_at: Instant,
}

impl Tally {
    /// Of a file with so many lines, of which nothing became yet.
    pub(super) fn of(file: &str, lines: usize) -> Self {
        Self {
            file: file.to_owned(),
            lines,
            opened: 0,
            replayed: 0,
            refused: 0,
            unknown: 0,
            unavailable: 0,
            skipped: 0,
            is_terminal: std::io::stderr().is_terminal(),
            told_at: Instant::now(),
        }
    }

    /// It is there, by this run or an earlier one.
    pub(super) fn done(&mut self, replayed: bool) {
        if replayed {
            self.replayed += 1;
        } else {
            self.opened += 1;
        }
    }

    /// The bank said no.
    pub(super) fn refused(&mut self, line: u64, problem: &Problem) {
        self.refused += 1;
        let why = refusal(problem);
        self.tell(line, &why);
    }

    /// An earlier run made it at another branch, by which this column names it no longer.
    pub(super) fn elsewhere(&mut self, line: u64, column: &str, branch: BranchCode) {
        self.refused += 1;
        let what = format!("{column}: refused: this line was imported at branch {branch} before (id_conflict)");
        self.tell(line, &what);
    }

    /// It may have been done.
    pub(super) fn unknown(&mut self, line: u64) {
        self.unknown += 1;
        if self.unknown <= TOLD_MAX {
            self.tell(line, "unknown: its answer was lost; it may or may not be there");
        }
    }

    /// It was not done.
    pub(super) fn unavailable(&mut self, line: u64, problem: Option<&Problem>) {
        self.unavailable += 1;
        if self.unavailable <= TOLD_MAX {
            let why = problem.map_or_else(
                || "unavailable: nothing was done".to_owned(),
                |problem| format!("unavailable: {} ({})", problem.detail, problem.code),
            );
            self.tell(line, &why);
        }
    }

    /// What is not counted yet was not asked for.
    pub(super) fn skip_rest(&mut self) {
        let counted = self.opened + self.replayed + self.refused + self.unknown + self.unavailable;
        self.skipped = self.lines.saturating_sub(counted);
    }

    /// Tells how far it is: in place on a terminal, else now and then.
    pub(super) fn progress(&mut self) {
        let done = self.opened + self.replayed;
        if self.is_terminal {
            eprint!("\r\x1b[2K{}: {done} of {}", self.file, self.lines);
            // Where standard error is gone, nobody looks.
            let _ = std::io::stderr().flush();
        } else if self.told_at.elapsed() >= PROGRESS_PAUSE {
            self.told_at = Instant::now();
            eprintln!("{}: {done} of {}", self.file, self.lines);
        }
    }

    /// The last line of the progress; nothing of a file that was not named.
    pub(super) fn end(&mut self) {
        self.skip_rest();
        if self.file.is_empty() {
            return;
        }
        let clear = if self.is_terminal { "\r\x1b[2K" } else { "" };
        eprintln!("{clear}{}: {} of {}", self.file, self.opened + self.replayed, self.lines);
    }

    fn tell(&self, line: u64, what: &str) {
        let clear = if self.is_terminal { "\r\x1b[2K" } else { "" };
        eprintln!("{clear}{}:{line}: {what}", self.file);
    }

    fn json(&self) -> Value {
        json!({
            "file": self.file,
            "lines": self.lines,
            "opened": self.opened,
            "replayed": self.replayed,
            "refused": self.refused,
            "unknown": self.unknown,
            "unavailable": self.unavailable,
            "skipped": self.skipped,
        })
    }
}

/// Why the bank said no, by the columns of the file: a conflict points to the field of the request.
fn refusal(problem: &Problem) -> String {
    let field = problem.errors.first().and_then(|error| error.pointer.rsplit('/').next());
    match (problem.code.as_str(), field) {
        ("id_conflict", Some(field)) => {
            let column = match field {
                "customer" => "customer_ref",
                "account" => "account_ref",
                other => other,
            };
            format!("{column}: refused: this line was imported before with other content (id_conflict)")
        }
        (code, _) => format!("refused: {} ({code})", problem.detail),
    }
}

/// Why an import ended before its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// What an earlier run made at these branches is not known.
    Unasked(Vec<String>),
    /// The server said no, or nobody listened.
    Failed(ClientError),
}

impl Stopped {
    /// In one line.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Unasked(branches) => {
                let branches = branches.join(" and ");
                format!(
                    "{branches} cannot be asked what an earlier run imported there, and without that nothing is imported"
                )
            }
            Self::Failed(error) => with_sources(error),
        }
    }
}

/// What an import came to.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) customers: Tally,
    pub(super) accounts: Tally,
    pub(super) balances: Tally,
    /// By the place of the line.
    pub(super) customer_numbers: Vec<Option<CustomerNumber>>,
    /// By the place of the line.
    pub(super) account_numbers: Vec<Option<AccountNumber>>,
    /// Why it ended before its end.
    pub(super) stopped: Option<Stopped>,
}

impl Report {
    /// Of lines of which nothing became yet.
    pub(super) fn of(lines: &Lines) -> Self {
        Self {
            customers: Tally::of(&lines.customers_file, lines.customers.len()),
            accounts: Tally::of(&lines.accounts_file, lines.accounts.len()),
            balances: Tally::of(&lines.balances_file, lines.balances.len()),
            customer_numbers: vec![None; lines.customers.len()],
            account_numbers: vec![None; lines.accounts.len()],
            stopped: None,
        }
    }

    /// Of an import that sent nothing.
    pub(super) fn stopped(lines: &Lines, why: Stopped) -> Self {
        let mut report = Self { stopped: Some(why), ..Self::of(lines) };
        report.skip_rest();
        report
    }

    /// What is not counted yet was not asked for.
    pub(super) fn skip_rest(&mut self) {
        for tally in [&mut self.customers, &mut self.accounts, &mut self.balances] {
            tally.skip_rest();
        }
    }

    fn tallies(&self) -> [&Tally; 3] {
        [&self.customers, &self.accounts, &self.balances]
    }

    /// The code that the command ends with: unknown before refused, and both before what was not done.
    pub(super) fn exit(&self) -> u8 {
        let any = |count: fn(&Tally) -> usize| self.tallies().into_iter().any(|tally| count(tally) > 0);
        if any(|tally| tally.unknown) {
            EXIT_UNKNOWN
        } else if any(|tally| tally.refused) {
            EXIT_REFUSED
        } else if self.stopped.is_some() || any(|tally| tally.unavailable + tally.skipped) {
            EXIT_NOTHING_MOVED
        } else {
            0
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "customers": self.customers.json(),
            "accounts": self.accounts.json(),
            "balances": self.balances.json(),
            "stopped": self.stopped.as_ref().map(Stopped::told),
        })
    }

    /// For people.
    pub(super) fn print(&self) {
        let mut rows = table(&["File", "Lines", "Opened", "Replayed", "Refused", "Unknown", "Unavailable", "Skipped"]);
        for tally in self.tallies().into_iter().filter(|tally| !tally.file.is_empty()) {
            let figures = [
                tally.lines,
                tally.opened,
                tally.replayed,
                tally.refused,
                tally.unknown,
                tally.unavailable,
                tally.skipped,
            ];
            let mut cells = vec![Cell::new(&tally.file)];
            cells.extend(figures.map(|figure| right(figure.to_string())));
            rows.add_row(cells);
        }
        println!("{rows}");
        if let Some(stopped) = &self.stopped {
            eprintln!("stopped: {}", stopped.told());
        }
        if self.exit() != 0 {
            eprintln!("the same command again finds what is there and goes on with the rest");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &str, pointer: Option<&str>) -> Problem {
        let errors = pointer.map(|pointer| json!({"pointer": pointer, "detail": "differs"}));
        let problem = json!({
            "type": format!("/problems/{code}"), "title": "T", "status": 409, "code": code, "detail": "D",
            "instance": "/", "retry": "never", "request_id": "r", "errors": errors.into_iter().collect::<Vec<_>>(),
        });
        serde_json::from_value(problem).unwrap()
    }

    #[test]
    fn a_refusal_is_told_by_the_column_of_the_file() {
        let other = "refused: this line was imported before with other content (id_conflict)";
        for (code, pointer, expected) in [
            ("id_conflict", Some("/customers/17/name"), format!("name: {other}")),
            ("id_conflict", Some("/accounts/0/customer"), format!("customer_ref: {other}")),
            ("id_conflict", Some("/deposits/4/account"), format!("account_ref: {other}")),
            ("customer_not_found", None, "refused: D (customer_not_found)".to_owned()),
        ] {
            assert_eq!(refusal(&problem(code, pointer)), expected);
        }
    }

    #[test]
    fn the_exit_code_keeps_apart_what_must_be_kept_apart() {
        let report = |fill: fn(&mut Tally)| {
            let mut accounts = Tally::of("a", 3);
            fill(&mut accounts);
            accounts.skip_rest();
            Report {
                customers: Tally::of("c", 0),
                accounts,
                balances: Tally::of("", 0),
                customer_numbers: Vec::new(),
                account_numbers: Vec::new(),
                stopped: None,
            }
        };
        let all = |tally: &mut Tally| (0..3).for_each(|at| tally.done(at > 0));
        assert_eq!(report(all).exit(), 0);
        assert_eq!(report(|_| ()).exit(), EXIT_NOTHING_MOVED, "skipped");
        assert_eq!(report(|tally| tally.unavailable(2, None)).exit(), EXIT_NOTHING_MOVED);
        let refused = |tally: &mut Tally| {
            tally.unavailable(2, None);
            tally.refused(3, &problem("customer_not_found", None));
        };
        assert_eq!(report(refused).exit(), EXIT_REFUSED);
        let unknown = |tally: &mut Tally| {
            tally.refused(3, &problem("customer_not_found", None));
            tally.unknown(4);
        };
        assert_eq!(report(unknown).exit(), EXIT_UNKNOWN);
        let counts = report(unknown).json();
        assert_eq!((&counts["accounts"]["lines"], &counts["accounts"]["skipped"]), (&json!(3), &json!(1)));
    }
}
