//! Clusters for tests: each its own, and nothing left of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use nostro_local::{Start, TemporaryCluster};

use crate::place::{ask, child_path, is_alive, run_child};

#[test]
fn a_temporary_cluster_leaves_nothing_when_it_is_dropped() {
    let mut cluster = TemporaryCluster::start("gone", &[("work_mem", "5MB")]).unwrap();
    assert_eq!(ask(&cluster, "show work_mem"), "5MB");
    cluster.kill().unwrap();
    assert_eq!(cluster.start().unwrap(), Start::Started);
    let pid = cluster.postmaster_pid().unwrap().to_string();
    let directory = directory_of(&cluster);
    assert!(directory.exists());
    drop(cluster);
    assert!(!directory.exists() && !is_alive(&pid));
}

#[test]
fn clusters_that_start_at_once_get_ports_passwords_and_identities_of_their_own() {
    let starts: Vec<_> = (0..4)
        .map(|number| thread::spawn(move || TemporaryCluster::start(&format!("same-{number}"), &[]).unwrap()))
        .collect();
    let clusters: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
    let distinct = |of: &dyn Fn(&TemporaryCluster) -> String| clusters.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!(distinct(&|cluster| cluster.port().to_string()), 4);
    assert_eq!(distinct(&|cluster| cluster.password().to_owned()), 4);
    assert_eq!(distinct(&|cluster| ask(cluster, "select system_identifier from pg_control_system()")), 4);
}

#[test]
fn what_a_killed_test_run_left_is_swept_by_the_next() {
    if child_path().is_some() {
        let cluster = TemporaryCluster::start("killed", &[]).unwrap();
        assert!(cluster.is_running());
        std::process::abort();
    }
    let dead = run_child("temporary::what_a_killed_test_run_left_is_swept_by_the_next", Path::new("/"));
    let left = std::env::temp_dir().join(format!("nostro-test-{dead}-0-killed"));
    // another test that starts now may sweep it first
    let pid = fs::read_to_string(left.join("killed/data/postmaster.pid"))
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned));
    let _next = TemporaryCluster::start("next", &[]).unwrap();
    crate::place::wait_for("the sweep", || !left.exists());
    if let Some(pid) = pid {
        assert!(!is_alive(&pid));
    }
}

fn directory_of(cluster: &TemporaryCluster) -> PathBuf {
    // <directory>/<name>/data
    cluster.data_path().parent().and_then(Path::parent).unwrap().to_owned()
}
