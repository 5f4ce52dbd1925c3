//! What was walked, as a table.

use crate::case::Case;
use crate::point;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Counts by fault, recovery and the first answer that the client got.
#[derive(Debug, Default)]
pub struct Report {
    cases: usize,
    points: BTreeSet<String>,
    answers: BTreeMap<(String, String), BTreeMap<String, usize>>,
}

impl Report {
    pub fn add(&mut self, case: Case, answer: &str) {
        self.cases += 1;
        self.points.insert(case.point.to_string());
        let key = (format!("{:?}", case.fault), format!("{:?}", case.recovery));
        *self.answers.entry(key).or_default().entry(answer.to_owned()).or_default() += 1;
    }

    /// Prints it in the form in which docs/internals/testing.md shows it.
    pub fn tell(&self, took: Duration) {
        println!("\n| fault | recovery | cases | first answer |\n| --- | --- | --- | --- |");
        for ((fault, recovery), answers) in &self.answers {
            let cases: usize = answers.values().sum();
            let answers: Vec<String> = answers.iter().map(|(answer, count)| format!("{answer} {count}")).collect();
            println!("| {fault} | {recovery} | {cases} | {} |", answers.join(", "));
        }
        let (walked, all) = (self.points.len(), point::all().len());
        println!("\n{} cases at {walked} of {all} points in {:.0} s: one outcome each", self.cases, took.as_secs_f64());
    }
}
