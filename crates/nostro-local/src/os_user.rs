//! The user of the operating system that PostgreSQL runs as.
//!
//! PostgreSQL refuses to run as root, so root runs it as `postgres`, else as `nobody`; everybody else runs it as
//! themselves. Whether that user can reach a directory is decided from the mode bits alone (its other groups are dropped
//! when a process is started, access lists are not read).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::LocalError;

/// In the order of preference.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// Whom PostgreSQL's files and processes belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OsUser {
    /// The caller.
    Caller,
    /// Somebody else, as the caller is root.
    Other { name: String, uid: u32, gid: u32 },
}

impl OsUser {
    /// The user for a server that this process starts.
    pub(crate) fn for_postgres() -> Result<OsUser, LocalError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(OsUser::Caller);
        }
        let passwd = Path::new("/etc/passwd");
        let text = fs::read_to_string(passwd).map_err(LocalError::io("read", passwd))?;
        NAMES.iter().find_map(|name| in_passwd(&text, name)).ok_or(LocalError::NoUser)
    }

    /// The first directory on the way to `path`, or `path` itself, that this user cannot enter. Parts of the path that do
    /// not exist yet do not count.
    pub(crate) fn blocked_by(&self, path: &Path) -> Result<Option<PathBuf>, LocalError> {
        let OsUser::Other { uid, gid, .. } = self else { return Ok(None) };
        let Some(existing) = path.ancestors().find(|part| part.exists()) else { return Ok(None) };
        let existing = existing.canonicalize().map_err(LocalError::io("resolve", existing))?;
        let mut way: Vec<&Path> = existing.ancestors().collect();
        way.reverse();
        for part in way {
            let found = part.metadata().map_err(LocalError::io("look at", part))?;
            if found.is_dir() && !may_enter(found.mode(), found.uid() == *uid, found.gid() == *gid) {
                return Ok(Some(part.to_owned()));
            }
        }
        Ok(None)
    }

    /// A command that runs as this user, in a directory that it can enter, with nothing to read and messages in English.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // A group of its own: Ctrl-C in a terminal is for us, and must not end initdb or pg_ctl half-way.
        command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C").process_group(0);
        if let OsUser::Other { uid, gid, .. } = self {
            command.gid(*gid).uid(*uid);
        }
        command
    }

    /// Makes a file or directory this user's.
    pub(crate) fn own(&self, path: &Path) -> Result<(), LocalError> {
        let OsUser::Other { uid, gid, .. } = self else { return Ok(()) };
        std::os::unix::fs::lchown(path, Some(*uid), Some(*gid)).map_err(LocalError::io("change the owner of", path))
    }

    /// The user's number.
    pub(crate) fn uid(&self) -> u32 {
        match self {
            OsUser::Caller => rustix::process::geteuid().as_raw(),
            OsUser::Other { uid, .. } => *uid,
        }
    }

    /// The user's name, for messages.
    pub(crate) fn name(&self) -> &str {
        match self {
            OsUser::Caller => "you",
            OsUser::Other { name, .. } => name,
        }
    }
}

fn may_enter(mode: u32, is_owner: bool, is_group: bool) -> bool {
    let bit = match (is_owner, is_group) {
        (true, _) => 0o100,
        (false, true) => 0o010,
        (false, false) => 0o001,
    };
    mode & bit != 0
}

fn in_passwd(text: &str, wanted: &str) -> Option<OsUser> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| *name == wanted)?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(OsUser::Other { name: name.to_owned(), uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_read_from_passwd_by_its_whole_name() {
        let text =
            "root:x:0:0:root:/root:/bin/bash\npostgresql:x:9:9::/:/bin/sh\npostgres:x:101:104:A,,,:/var:/bin/sh\n";
        let expected = OsUser::Other { name: "postgres".to_owned(), uid: 101, gid: 104 };
        assert_eq!(in_passwd(text, "postgres"), Some(expected));
        assert_eq!(in_passwd(text, "nobody"), None);
        assert_eq!(in_passwd("postgres:x:many:104::/:/bin/sh", "postgres"), None);
    }

    #[test]
    fn entering_a_directory_takes_the_bit_of_the_closest_class() {
        let cases = [
            (0o700, false, false, false),
            (0o755, false, false, true),
            (0o711, false, true, true),
            (0o701, false, true, false),
            (0o077, true, true, false),
            (0o1777, false, false, true),
        ];
        for (mode, owner, group, expected) in cases {
            assert_eq!(may_enter(mode, owner, group), expected, "{mode:o} owner {owner} group {group}");
        }
    }
}
