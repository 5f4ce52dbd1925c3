//! What is wrong in the files of an import: each with its file, line and column.
//!
//! All of it is found before anything is sent, so that a file is mended once and not line by line.

/// So many are named; the others are counted. Whoever has more sees the pattern in the first hundred.
const FINDINGS_MAX: usize = 100;

/// Every broken rule.
#[derive(Debug, Default)]
pub(super) struct Findings {
    named: Vec<String>,
    count: usize,
}

impl Findings {
    /// Adds one; `column` is absent where the whole line is wrong.
    pub(super) fn push(&mut self, file: &str, line: u64, column: Option<&str>, rule: &str) {
        self.count += 1;
        if self.named.len() < FINDINGS_MAX {
            let column = column.map(|column| format!("{column}: ")).unwrap_or_default();
            self.named.push(format!("{file}:{line}: {column}{rule}"));
        }
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// On standard error.
    pub(super) fn print(&self) {
        for finding in &self.named {
            eprintln!("{finding}");
        }
        let more = self.count - self.named.len();
        if more > 0 {
            eprintln!("and {more} more");
        }
        eprintln!("{} found", if self.count == 1 { "1 error".to_owned() } else { format!("{} errors", self.count) });
    }

    /// Those that are named.
    #[cfg(test)]
    pub(super) fn named(&self) -> &[String] {
        &self.named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_are_named_and_all_are_counted() {
        let mut findings = Findings::default();
        assert!(findings.is_empty());
        for line in 2..=102 {
            findings.push("customers.csv", line, Some("name"), "this field is empty");
        }
        assert_eq!((findings.named().len(), findings.count), (100, 101));
        assert_eq!(findings.named()[0], "customers.csv:2: name: this field is empty");
    }
}
