//! A file that has its name only once it is whole. Until then it is `FILE.part`, so that nobody takes half of one for it.
//! One that is whole and cannot be given its name stays `FILE.part`.

use anyhow::{Context, bail};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that is being written. What is dropped before it is whole is removed.
#[derive(Debug)]
pub(crate) struct PartFile {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    is_whole: bool,
}

impl PartFile {
    /// Begins it; one that has the name already is replaced at the end.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        if path.is_dir() {
            bail!("{} is a directory: expected the name of a file", path.display());
        }
        let mut part = OsString::from(path);
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        Ok(Self { path: path.to_owned(), part, file: BufWriter::new(file), is_whole: false })
    }

    /// Where it is until it is whole.
    pub(crate) fn part(&self) -> &Path {
        &self.part
    }

    /// Puts it in its place, once it is on the disk.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        let Self { path, part, file, is_whole } = &mut self;
        let written = file.flush().and_then(|()| file.get_ref().sync_all());
        written.with_context(|| format!("cannot write {}", part.display()))?;
        *is_whole = true;
        std::fs::rename(&*part, &*path)
            .with_context(|| format!("{} is whole; cannot rename it to {}", part.display(), path.display()))
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.is_whole {
            // That it cannot be removed changes nothing: its name says what it is.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let directory = std::env::temp_dir().join(format!("nostro-test-{}-part-file", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (path, part) = (directory.join("numbers.csv"), directory.join("numbers.csv.part"));
        let begun = |text: &str| {
            let mut file = PartFile::create(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        };
        let half = begun("ha");
        assert!(part.exists() && !path.exists() && half.part() == part);
        drop(half);
        assert!(!part.exists() && !path.exists());
        for text in ["whole", "another"] {
            begun(text).finish().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert!(!part.exists());
        }
        drop(begun("half of a third"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "another");
        let homeless = begun("whole, and its name is taken");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let told = homeless.finish().unwrap_err().to_string();
        assert!(told.starts_with(&format!("{} is whole; cannot rename it", part.display())), "{told}");
        assert_eq!(std::fs::read_to_string(&part).unwrap(), "whole, and its name is taken");
        let told = PartFile::create(&path).unwrap_err().to_string();
        assert!(told.ends_with("is a directory: expected the name of a file"), "{told}");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
