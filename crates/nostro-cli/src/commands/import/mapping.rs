//! The numbers that the bank gave, as a CSV file: `kind,ref,number`.
//!
//! It is put in its place whole ([`PartFile`]). That it can be written is known before the import begins.

use super::super::part_file::PartFile;
use anyhow::Context;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;

/// A mapping that is being written.
#[derive(Debug)]
pub(super) struct Mapping {
    file: PartFile,
}

impl Mapping {
    /// Begins the file; one that is there is replaced at the end.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let mut mapping = Self { file: PartFile::create(path)? };
        mapping.line("kind,ref,number")?;
        Ok(mapping)
    }

    /// Adds a line, if the bank gave a number.
    pub(super) fn write(&mut self, kind: &str, reference: &str, number: Option<&impl Display>) -> anyhow::Result<()> {
        match number {
            Some(number) => self.line(&format!("{kind},{},{number}", quoted(reference))),
            None => Ok(()),
        }
    }

    /// Puts the file in its place.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.file.finish()
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.file, "{line}").with_context(|| format!("cannot write {}", self.file.part().display()))
    }
}

/// A ref as a field. It has no line break.
fn quoted(reference: &str) -> String {
    if reference.contains([',', '"']) {
        format!("\"{}\"", reference.replace('"', "\"\""))
    } else {
        reference.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_is_one_field() {
        for (reference, expected) in
            [("C-1", "C-1"), ("Smith, Ann", "\"Smith, Ann\""), ("12\"", "\"12\"\"\""), ("ä b", "ä b")]
        {
            assert_eq!(quoted(reference), expected);
        }
    }
}
