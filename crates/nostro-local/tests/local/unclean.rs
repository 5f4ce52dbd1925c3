//! What crashes and kills leave behind: a start mends it and touches nobody else's process.

use std::fs;
use std::process::{Command, Stdio};

use nostro_local::{Cluster, PortChoice, Start, Stop, TemporaryCluster};

use crate::place::{Place, ask, is_alive, psql, wait_for};

#[test]
fn a_killed_server_starts_again_with_what_it_acknowledged() {
    let place = Place::new("crash");
    let mut cluster = place.cluster(PortChoice::Free);
    cluster.start().unwrap();
    ask(&cluster, "create table kept (id int); insert into kept select generate_series(1, 1000)");
    for _ in 0..3 {
        cluster.kill().unwrap();
        assert!(!cluster.is_running());
        assert_eq!(cluster.start().unwrap(), Start::Started);
        assert_eq!(ask(&cluster, "select count(*) from kept"), "1000");
    }
}

#[test]
fn a_child_of_a_killed_server_that_computes_is_ended_before_the_next_start() {
    let place = Place::new("busy");
    let mut cluster = place.cluster(PortChoice::Free);
    cluster.start().unwrap();
    let busy = "do $$ begin loop end loop; end $$";
    let mut client = psql(&cluster, cluster.host().as_ref(), busy)
        .env("PGPASSWORD", cluster.password())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let busy_pid = "select pid from pg_stat_activity where query like 'do %' and state = 'active'";
    let mut pid = String::new();
    wait_for("the busy child", || {
        pid = ask(&cluster, busy_pid);
        !pid.is_empty()
    });
    cluster.kill().unwrap();
    assert!(is_alive(&pid));
    assert_eq!(cluster.start().unwrap(), Start::Started);
    wait_for("the client of the ended child", || client.try_wait().unwrap().is_some());
    assert_eq!(ask(&cluster, "select 1"), "1");
}

#[test]
fn a_pid_file_that_names_a_dead_process_is_no_server() {
    let place = Place::new("dead-pid");
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let mut cluster = crashed(&place, child.id());
    assert!(!cluster.is_running());
    assert_eq!(cluster.start().unwrap(), Start::Started);
    assert_eq!(ask(&cluster, "select 1"), "1");
}

#[test]
fn a_pid_file_that_names_a_strangers_process_is_no_server_and_the_stranger_lives() {
    let place = Place::new("foreign-pid");
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let mut cluster = crashed(&place, stranger.id());
    assert!(!cluster.is_running());
    cluster.stop(Stop::Immediate).unwrap();
    assert_eq!(cluster.start().unwrap(), Start::Started);
    assert_eq!(ask(&cluster, "select 1"), "1");
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_pid_file_that_names_another_clusters_server_is_no_server_and_that_one_runs_on() {
    let place = Place::new("other-postgres");
    let other = TemporaryCluster::start("other", &[]).unwrap();
    let mut cluster = crashed(&place, other.postmaster_pid().unwrap());
    assert!(!cluster.is_running());
    assert_eq!(cluster.start().unwrap(), Start::Started);
    cluster.wipe().unwrap();
    assert_eq!(ask(&other, "select 1"), "1");
}

#[test]
fn an_empty_pid_file_is_no_server() {
    let place = Place::new("empty-pid");
    let mut cluster = place.cluster(PortChoice::Free);
    cluster.start().unwrap();
    cluster.stop(Stop::Fast).unwrap();
    fs::write(cluster.data_path().join("postmaster.pid"), "").unwrap();
    assert_eq!(cluster.start().unwrap(), Start::Started);
}

#[test]
fn what_an_interrupted_initdb_left_is_deleted_and_the_cluster_made() {
    let place = Place::new("half-made");
    let data_dir = place.try_open().unwrap();
    let half = data_dir.path().join("AZ.4194304.new");
    fs::create_dir_all(half.join("data/base")).unwrap();
    fs::write(half.join("data/PG_VERSION"), "15\n").unwrap();
    fs::create_dir_all(data_dir.path().join("AZ.wiped/data")).unwrap();
    let mut cluster = data_dir.cluster(crate::place::spec(PortChoice::Free, &[]));
    assert_eq!(cluster.start().unwrap(), Start::Created);
    assert!(!half.exists() && !data_dir.path().join("AZ.wiped").exists());
}

/// A cluster whose server was killed, with `pid` in each file that it left.
fn crashed(place: &Place, pid: u32) -> Cluster {
    let mut cluster = place.cluster(PortChoice::Free);
    cluster.start().unwrap();
    cluster.kill().unwrap();
    let socket_lock = cluster.socket_dir().join(format!(".s.PGSQL.{}.lock", cluster.port()));
    for file in [cluster.data_path().join("postmaster.pid"), socket_lock] {
        let text = fs::read_to_string(&file).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        fs::write(&file, format!("{pid}\n{rest}")).unwrap();
    }
    cluster
}
