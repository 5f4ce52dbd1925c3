//! Dependencies point one way: every edge between our crates is one that ARCHITECTURE.md draws.
#![allow(clippy::unwrap_used, missing_docs)]

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn crates_depend_on_each_other_only_as_drawn() {
    let drawn: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("nostro-core", &[] as &[&str]),
        ("nostro-commit", &[]),
        ("nostro-console", &[]),
        ("nostro-local", &[]),
        ("nostro-store", &["nostro-core", "nostro-commit"]),
        ("nostro-engine", &["nostro-core", "nostro-store", "nostro-commit"]),
        ("nostro-api", &["nostro-core", "nostro-engine"]),
        ("nostro-client", &["nostro-core"]),
        ("nostro-bench", &["nostro-core", "nostro-store", "nostro-local", "nostro-client"]),
        ("nostro-torture", &["nostro-core", "nostro-client", "nostro-local"]),
        (
            "nostro-cli",
            &[
                "nostro-core",
                "nostro-commit",
                "nostro-store",
                "nostro-engine",
                "nostro-api",
                "nostro-console",
                "nostro-local",
                "nostro-client",
                "nostro-bench",
            ],
        ),
    ]);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(ours, drawn.keys().copied().collect(), "a crate that is not drawn");
    for package in &metadata.packages {
        let allowed = drawn[package.name.as_str()];
        for dependency in package.dependencies.iter().filter(|dependency| ours.contains(dependency.name.as_str())) {
            let for_tests = dependency.kind == DependencyKind::Development
                && (dependency.name == "nostro-local"
                    // the rig of its tests: nothing of the binary depends on it
                    || (package.name == "nostro-cli" && dependency.name == "nostro-torture"));
            assert!(
                for_tests || allowed.contains(&dependency.name.as_str()),
                "{} must not depend on {}",
                package.name,
                dependency.name
            );
        }
    }
}
