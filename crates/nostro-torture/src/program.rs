//! The binary `nostro` under test: the one that was built with this program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// A command that talks to nobody but a server on this machine ends sooner.
const RUN_MAX: Duration = Duration::from_secs(60);

/// `NOSTRO_BIN`, or the one beside this program, or beside the directory of this test.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| find().unwrap_or_else(|missing| panic!("{missing}")))
}

/// The same, or what was expected.
pub fn find() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("NOSTRO_BIN") {
        let named = PathBuf::from(named);
        let missing = format!("expected the program nostro at {} (NOSTRO_BIN), found no file there", named.display());
        return if named.is_file() { Ok(named) } else { Err(missing) };
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let mut beside = own.ancestors().skip(1).take(2).map(|directory| directory.join("nostro"));
    beside.find(|path| path.is_file()).ok_or_else(|| {
        format!("expected the program nostro beside {}, found none: build it, or name it in NOSTRO_BIN", own.display())
    })
}

/// Runs the binary to its end, which must come within a minute.
pub fn run(arguments: &[&str]) -> Output {
    let child = Command::new(binary()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    let (ended, output) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    match output.recv_timeout(RUN_MAX) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            Command::new("kill").args(["-KILL", &pid]).status().unwrap();
            panic!("nostro {arguments:?} did not end");
        }
    }
}
