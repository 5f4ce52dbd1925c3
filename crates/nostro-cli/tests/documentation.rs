//! The reference has what the code has: every problem code a heading, every command and setting its line.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_problem_code_has_its_heading() {
    let page = page("errors.md");
    let headings: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("## ")).map(|line| line.trim_matches('`')).collect();
    let mut missing: Vec<&str> =
        nostro_api::problem_codes().into_iter().filter(|code| !headings.contains(code)).collect();
    missing
        .extend(nostro_core::Refusal::ALL.iter().map(|refusal| refusal.code()).filter(|code| !headings.contains(code)));
    assert_eq!(missing, Vec::<&str>::new(), "docs/reference/errors.md lacks these headings");
}

#[test]
fn every_command_and_option_is_in_the_reference() {
    let reference = page("cli.md");
    let help = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_nostro")).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for command in [
        "up",
        "serve",
        "migrate",
        "account list",
        "account show",
        "account entries",
        "account change",
        "account close",
        "account changes",
        "account balance",
        "account statement",
        "transfer",
        "deposit",
        "withdraw",
        "split",
        "chain",
        "hold place",
        "hold capture",
        "hold release",
        "hold show",
        "hold list",
        "reverse",
        "status",
        "import",
        "report trial-balance",
        "audit",
        "in-doubt",
        "in-doubt resolve",
        "bench",
    ] {
        assert!(reference.contains(&format!("nostro {command}")), "docs/reference/cli.md lacks nostro {command}");
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        for word in help(&arguments).split_whitespace().filter(|word| word.starts_with("--")) {
            let option = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            assert!(reference.contains(option), "docs/reference/cli.md lacks {option} of nostro {command}");
        }
    }
}

#[test]
fn every_setting_is_in_the_reference() {
    let reference = page("config.md");
    let source = include_str!("../src/config.rs");
    let fields = source.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("pub(crate) ");
        let (name, rest) = line.split_once(": ")?;
        (rest.ends_with(',') && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')).then_some(name)
    });
    for field in fields.filter(|field| *field != "limits") {
        assert!(reference.contains(&format!("`{field}`")), "docs/reference/config.md lacks `{field}`");
    }
}

/// Every function of every source file.
fn functions(directory: &Path, found: &mut std::collections::BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| line.split_once("fn ")?.1.split_once(['(', '<']));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_test_that_a_breakage_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/internals/testing.md")).unwrap();
    let mut known = std::collections::BTreeSet::new();
    functions(&root.join("crates"), &mut known);
    let (_, breakages) = page.split_once("## Breakages").unwrap();
    let mut named = 0;
    for row in breakages.lines().filter(|line| line.starts_with("| ")) {
        let red = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for test in red.split('`').skip(1).step_by(2).filter(|word| word.contains('_')) {
            let function = test.rsplit("::").next().unwrap();
            assert!(known.contains(function), "docs/internals/testing.md names {test}, which is not there");
            named += 1;
        }
    }
    assert!(named > 50, "only {named} tests are named");
}
