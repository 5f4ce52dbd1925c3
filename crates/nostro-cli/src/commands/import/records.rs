//! A CSV file (RFC 4180) as rows whose fields are found by the names of their columns.
//!
//! The first line names the columns, in any order; an unknown or repeated one is an error, since a misspelt
//! `overdraft_limit` that is ignored is an account without its limit. No field of ours has a line break, so each line is
//! a record of its own: a quote that is never closed is an error of its line and does not swallow the rest of the file.
//! A byte order mark, CRLF and empty lines are read over. One line is in memory at a time.

use super::findings::Findings;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use std::fmt::Display;
use std::io::{self, BufRead, Read};

/// No file of ours has more columns.
const COLUMNS_MAX: usize = 8;
/// Far more than the longest fields take, in any script.
const LINE_BYTES_MAX: usize = 16 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The columns that a file may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    /// Each must be there.
    pub(super) required: &'static [&'static str],
    /// Each may be left out.
    pub(super) optional: &'static [&'static str],
}

/// A file whose header was read.
pub(super) struct Records<'a> {
    file: &'a str,
    input: &'a mut dyn BufRead,
    parser: Reader,
    /// Each known column, and where it stands in this file.
    places: Vec<(&'static str, Option<usize>)>,
    /// How many fields the header has.
    width: usize,
    line: u64,
    raw: Vec<u8>,
    text: Vec<u8>,
    ends: [usize; COLUMNS_MAX + 1],
}

/// One line of a file.
pub(super) struct Row<'r> {
    file: &'r str,
    line: u64,
    places: &'r [(&'static str, Option<usize>)],
    text: &'r [u8],
    ends: &'r [usize],
    findings: &'r mut Findings,
}

fn parser() -> Reader {
    ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build()
}

impl<'a> Records<'a> {
    /// Reads the header; `None`, and findings, if it is not as it must be.
    pub(super) fn open(
        file: &'a str,
        input: &'a mut dyn BufRead,
        columns: Columns,
        findings: &mut Findings,
    ) -> io::Result<Option<Self>> {
        let names = columns.required.iter().chain(columns.optional).copied();
        let mut records = Self {
            file,
            input,
            parser: parser(),
            places: names.map(|name| (name, None)).collect(),
            width: 0,
            line: 0,
            raw: Vec::new(),
            text: Vec::new(),
            ends: [0; COLUMNS_MAX + 1],
        };
        let expected = || format!("the first line names the columns: {}", described(columns));
        loop {
            if !records.next_line(findings)? {
                findings.push(file, records.line.max(1), None, &format!("the file is empty; {}", expected()));
                return Ok(None);
            }
            if !records.raw.is_empty() {
                break;
            }
        }
        let Some(width) = records.split(findings) else { return Ok(None) };
        records.width = width;
        let is_right = records.read_header(&expected(), columns, findings);
        Ok(is_right.then_some(records))
    }

    /// The next line that has as many fields as the header; others become findings.
    pub(super) fn next_row<'r>(&'r mut self, findings: &'r mut Findings) -> io::Result<Option<Row<'r>>> {
        loop {
            if !self.next_line(findings)? {
                return Ok(None);
            }
            if self.raw.is_empty() {
                continue;
            }
            let Some(width) = self.split(findings) else { continue };
            if width == self.width {
                let Self { file, line, places, text, ends, .. } = self;
                return Ok(Some(Row { file, line: *line, places, text, ends: &ends[..width], findings }));
            }
            let rule = format!("this line has {width} fields, the header has {}", self.width);
            findings.push(self.file, self.line, None, &rule);
        }
    }

    /// Finds each column's place; what is unknown, repeated or missing becomes a finding.
    fn read_header(&mut self, expected: &str, columns: Columns, findings: &mut Findings) -> bool {
        let mut is_right = true;
        let mut wrong = |rule: String| {
            findings.push(self.file, self.line, None, &rule);
            is_right = false;
        };
        let mut start = 0;
        for (at, end) in self.ends[..self.width].iter().enumerate() {
            let name = String::from_utf8_lossy(&self.text[start..*end]);
            start = *end;
            match self.places.iter_mut().find(|(known, _)| *known == name) {
                Some((_, place @ None)) => *place = Some(at),
                Some((_, Some(_))) => wrong(format!("the column {name} is there twice")),
                None => wrong(format!("unknown column {name:?}; {expected}")),
            }
        }
        for (name, place) in &self.places {
            if place.is_none() && columns.required.contains(name) {
                wrong(format!("the column {name} is missing; {expected}"));
            }
        }
        is_right
    }

    /// Reads a line without its end; `false` if there is none. One that is too long becomes a finding and is empty.
    fn next_line(&mut self, findings: &mut Findings) -> io::Result<bool> {
        self.raw.clear();
        let most = LINE_BYTES_MAX + 1;
        let mut part = Read::take(&mut *self.input, u64::try_from(most).unwrap_or(u64::MAX));
        if part.read_until(b'\n', &mut self.raw)? == 0 {
            return Ok(false);
        }
        self.line += 1;
        if self.line == 1 && self.raw.starts_with(BYTE_ORDER_MARK) {
            self.raw.drain(..BYTE_ORDER_MARK.len());
        }
        if self.raw.last() == Some(&b'\n') {
            self.raw.pop();
        } else if self.raw.len() >= most {
            self.input.skip_until(b'\n')?;
            self.raw.clear();
            findings.push(self.file, self.line, None, &format!("a line has at most {LINE_BYTES_MAX} bytes"));
        }
        if self.raw.last() == Some(&b'\r') {
            self.raw.pop();
        }
        Ok(true)
    }

    /// Splits the line into its fields and says how many there are.
    fn split(&mut self, findings: &mut Findings) -> Option<usize> {
        self.raw.push(b'\n');
        self.text.resize(self.raw.len(), 0);
        self.parser.reset();
        let (result, _, _, fields) = self.parser.read_record(&self.raw, &mut self.text, &mut self.ends);
        if result == ReadRecordResult::Record {
            return Some(fields);
        }
        // It may remember where it was.
        self.parser = parser();
        let rule = if result == ReadRecordResult::OutputEndsFull {
            format!("this line has more than {COLUMNS_MAX} fields")
        } else {
            "a quote is not closed on this line".to_owned()
        };
        findings.push(self.file, self.line, None, &rule);
        None
    }
}

/// The columns for people.
fn described(columns: Columns) -> String {
    let optional = columns.optional.iter().map(|name| format!("{name} (may be left out)"));
    let all: Vec<String> = columns.required.iter().map(|name| (*name).to_owned()).chain(optional).collect();
    all.join(", ")
}

impl<'r> Row<'r> {
    /// Its number in the file, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// A field that must not be empty. `None` if it is, or breaks the rule, which is then among the findings.
    pub(super) fn required<T, E: Display>(
        &mut self,
        column: &'static str,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.text(column)? {
            "" => {
                self.push(column, "this field is empty");
                None
            }
            text => self.judge(column, rule(text)),
        }
    }

    /// A field that may be empty, then `Some(default)`. `None` if it breaks the rule.
    pub(super) fn optional<T, E: Display>(
        &mut self,
        column: &'static str,
        default: T,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.text(column)? {
            "" => Some(default),
            text => self.judge(column, rule(text)),
        }
    }

    /// Adds a rule that a field breaks together with others.
    pub(super) fn push(&mut self, column: &'static str, rule: &str) {
        self.findings.push(self.file, self.line, Some(column), rule);
    }

    fn text(&mut self, column: &'static str) -> Option<&'r str> {
        let place = self.places.iter().find(|(name, _)| *name == column).and_then(|(_, place)| *place);
        let Some(at) = place else { return Some("") };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let text = std::str::from_utf8(&self.text[start..self.ends[at]]).ok();
        if text.is_none() {
            self.push(column, "this field is not UTF-8");
        }
        text
    }

    fn judge<T, E: Display>(&mut self, column: &'static str, ruled: Result<T, E>) -> Option<T> {
        ruled.map_err(|rule| self.push(column, &rule.to_string())).ok()
    }
}

#[cfg(test)]
mod tests;
