//! The numbers that the bank gave, as a CSV file: `kind,ref,number`.
//!
//! It is written beside its place and put there whole, so that a file with the name is never half of one. That it can
//! be written is known before the import begins.

use anyhow::Context;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A mapping that is being written.
#[derive(Debug)]
pub(super) struct Mapping {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
}

impl Mapping {
    /// Begins the file; one that is there is replaced at the end.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        let mut mapping = Self { path: path.to_owned(), part, file: BufWriter::new(file) };
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
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let Self { path, part, file } = &mut self;
        file.flush().with_context(|| format!("cannot write {}", part.display()))?;
        std::fs::rename(&*part, &*path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        writeln!(self.file, "{line}").with_context(|| format!("cannot write {}", self.part.display()))
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
