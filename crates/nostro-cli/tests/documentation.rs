//! The pages have what the code has: every problem code a heading, every command, setting and migration its line, every
//! module its place in its crate's map.
//!
//! What a problem's heading says of its status is compared in `nostro-api`, which alone can make one.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page(name: &str) -> String {
    read(&root().join("docs/reference").join(name))
}

#[test]
fn every_problem_code_has_its_heading_and_every_heading_its_code() {
    let page = page("errors.md");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut sorted = headings.clone();
    sorted.sort_unstable();
    let mut codes = nostro_api::problem_codes();
    codes.sort_unstable();
    assert_eq!(sorted, codes, "the headings of docs/reference/errors.md and the codes");
}

#[test]
fn refusals_stand_in_the_reference_in_their_order_of_precedence() {
    let page = page("errors.md");
    let (_, after) = page.split_once("\n# Refusals\n").unwrap();
    let (refusals, _) = after.split_once("\n# ").unwrap();
    let headings: Vec<&str> = refusals.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(headings, nostro_core::Refusal::ALL.map(nostro_core::Refusal::code), "docs/reference/errors.md");
}

#[test]
fn every_migration_has_its_row_in_the_plan_of_an_upgrade() {
    let page = read(&root().join("docs/operating/databases.md"));
    let source = read(&root().join("crates/nostro-store/src/migrate.rs"));
    let migrations: BTreeMap<u32, &str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Migration { number: ")?.split_once(", name: \""))
        .filter_map(|(number, rest)| Some((number.parse().unwrap(), rest.split_once('"')?.0)))
        .collect();
    let last = u32::try_from(migrations.len()).unwrap();
    assert!(last >= 12 && migrations.keys().copied().eq(1..=last), "{migrations:?}");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ")).collect();
    // The first two make a database; they meet no table that is in use.
    for (number, name) in migrations.range(3..) {
        let cell = format!("{number} `{name}`");
        let is_named = |row: &&str| row.split(" | ").next().is_some_and(|first| first.contains(&cell));
        assert!(rows.iter().any(is_named), "docs/operating/databases.md lacks migration {cell}");
    }
}

/// The library crates' names, and what stands in their `lib.rs`.
fn libraries() -> BTreeMap<String, String> {
    let crates = std::fs::read_dir(root().join("crates")).unwrap().flatten();
    let libraries = crates.map(|entry| (entry.file_name().into_string().unwrap(), entry.path().join("src/lib.rs")));
    libraries.filter(|(_, path)| path.exists()).map(|(name, path)| (name, read(&path))).collect()
}

#[test]
fn every_module_is_in_the_map_of_its_crate() {
    let mut modules = 0;
    for (name, source) in libraries() {
        let map: Vec<&str> = source.lines().filter(|line| line.starts_with("//!")).collect();
        let map = map.join("\n");
        for line in source.lines() {
            let module = line.trim_start_matches("pub ").strip_prefix("mod ");
            let Some(module) = module.and_then(|rest| rest.strip_suffix(';')) else { continue };
            let is_named = map.contains(&format!("`{module}`")) || map.contains(&format!("`mod@{module}`"));
            assert!(is_named || module == "tests", "the first lines of {name}'s lib.rs do not name `{module}`");
            modules += 1;
        }
    }
    assert!(modules > 100, "only {modules} modules were found");
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
fn functions(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = read(&path);
            let names = text.lines().filter_map(|line| line.split_once("fn ")?.1.split_once(['(', '<']));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_test_that_a_breakage_names_is_there() {
    let page = read(&root().join("docs/internals/testing.md"));
    let mut known = BTreeSet::new();
    functions(&root().join("crates"), &mut known);
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
