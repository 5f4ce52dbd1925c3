//! Start, adopt, stop, wipe, and what holds while a server runs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nostro_local::{PortChoice, Start, Stop};

use crate::place::{Place, ask, child_path, psql, run_child, spec};

#[test]
fn a_cluster_is_created_then_adopted_then_started_on_the_same_port() {
    let place = Place::new("lifecycle");
    let mut cluster = place.cluster(PortChoice::Free);
    assert!(!cluster.is_running());
    assert_eq!(cluster.start().unwrap(), Start::Created);
    let (port, pid) = (cluster.port(), cluster.postmaster_pid());
    ask(&cluster, "create table kept (id int); insert into kept values (7)");
    assert_eq!(cluster.start().unwrap(), Start::Adopted);
    assert_eq!((cluster.port(), cluster.postmaster_pid()), (port, pid));

    cluster.stop(Stop::Fast).unwrap();
    assert!(!cluster.is_running() && cluster.postmaster_pid().is_none());
    cluster.stop(Stop::Fast).unwrap();
    assert_eq!(cluster.start().unwrap(), Start::Started);
    assert_eq!(cluster.port(), port);
    assert_eq!(ask(&cluster, "select id from kept"), "7");

    cluster.stop(Stop::Immediate).unwrap();
    assert_eq!(cluster.start().unwrap(), Start::Started);
    cluster.wipe().unwrap();
    assert!(!cluster.is_running());
    let left: Vec<_> = fs::read_dir(&place.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("AZ")), "{left:?}");
    cluster.wipe().unwrap();
    assert_eq!(cluster.start().unwrap(), Start::Created);
}

#[test]
fn a_server_outlives_its_killed_parent_and_is_adopted() {
    if let Some(path) = child_path() {
        let place = Place { path };
        place.cluster(PortChoice::Free).start().unwrap();
        std::process::abort();
    }
    let place = Place::new("orphan");
    run_child("lifecycle::a_server_outlives_its_killed_parent_and_is_adopted", &place.path);
    let mut cluster = place.cluster(PortChoice::From(1024));
    let pid = cluster.postmaster_pid();
    assert!(pid.is_some());
    assert_eq!(cluster.start().unwrap(), Start::Adopted);
    assert_eq!(cluster.postmaster_pid(), pid);
    assert_eq!(ask(&cluster, "show port"), cluster.port().to_string());
}

#[test]
fn a_server_on_another_port_than_named_is_restarted_there() {
    let place = Place::new("named-port");
    let mut cluster = place.cluster(PortChoice::Free);
    cluster.start().unwrap();
    let other = cluster.port() - 12_000;
    drop(cluster);
    let mut cluster = place.cluster(PortChoice::Exactly(other));
    assert_eq!(cluster.start().unwrap(), Start::Started);
    assert_eq!(cluster.port(), other);
    assert_eq!(ask(&cluster, "show port"), other.to_string());
    assert_eq!(cluster.start().unwrap(), Start::Adopted);
}

#[test]
fn settings_hold_on_each_start_and_changed_ones_restart_the_server() {
    let place = Place::new("settings");
    let data_dir = place.try_open().unwrap();
    let mut cluster = data_dir.cluster(spec(PortChoice::Free, &[("nostro.quoted", "it's")]));
    cluster.start().unwrap();
    for (setting, expected) in [
        ("max_prepared_transactions", "64"),
        ("max_connections", "200"),
        ("cluster_name", "AZ"),
        ("fsync", "off"),
        ("synchronous_commit", "on"),
        ("server_encoding", "UTF8"),
        ("lc_collate", "C"),
        ("data_checksums", "on"),
        ("password_encryption", "scram-sha-256"),
    ] {
        assert_eq!(ask(&cluster, &format!("show {setting}")), expected, "{setting}");
    }
    assert_eq!(ask(&cluster, "show nostro.quoted"), "it's");

    let mut cluster = data_dir.cluster(spec(PortChoice::Free, &[("max_prepared_transactions", "5")]));
    assert_eq!(cluster.start().unwrap(), Start::Started);
    assert_eq!(ask(&cluster, "show max_prepared_transactions"), "5");
    cluster.stop(Stop::Immediate).unwrap();
    assert_eq!(cluster.start().unwrap(), Start::Started);
    assert_eq!(ask(&cluster, "show max_prepared_transactions"), "5");
}

#[test]
fn nobody_connects_without_the_password() {
    let place = Place::new("password");
    let data_dir = place.try_open().unwrap();
    let mut cluster = data_dir.cluster(spec(PortChoice::Free, &[]));
    cluster.start().unwrap();
    for host in [Path::new(cluster.host()), cluster.socket_dir()] {
        let without = psql(&cluster, host, "select 1").output().unwrap();
        let said = String::from_utf8_lossy(&without.stderr).into_owned();
        assert!(!without.status.success() && said.contains("password"), "{said}");
        let wrong = psql(&cluster, host, "select 1").env("PGPASSWORD", "wrong").output().unwrap();
        assert!(!wrong.status.success());
        let with = psql(&cluster, host, "select 1").env("PGPASSWORD", cluster.password()).output().unwrap();
        assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
    }
    assert_eq!(mode(cluster.socket_dir()), 0o700);
    assert_eq!(mode(cluster.data_path()), 0o700);
    assert_eq!(mode(&cluster.log_path()), 0o600);
    let password = data_dir.path().join("postgres-password");
    assert_eq!(mode(&password), 0o600);
    assert_eq!(fs::read_to_string(password).unwrap().trim(), cluster.password());
    assert!(!data_dir.path().join("AZ/password").exists());
}

#[test]
fn the_server_listens_on_the_loopback_address_only() {
    let place = Place::new("listen");
    let mut cluster = place.try_open().unwrap().cluster(spec(PortChoice::Free, &[("listen_addresses", "*")]));
    cluster.start().unwrap();
    let port = format!(":{:04X}", cluster.port());
    let listening: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|table| fs::read_to_string(table).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields[1].ends_with(&port) && fields[3] == "0A").then(|| fields[1].to_owned())
        })
        .collect();
    assert_eq!(listening, [format!("0100007F{port}")]);
}

#[test]
fn a_deep_directory_gets_a_short_socket_directory_that_stays_until_the_wipe() {
    let mut place = Place::new("deep");
    let root = place.path.clone();
    place.path = root.join("d".repeat(100));
    let mut cluster = place.cluster(PortChoice::Free);
    cluster.start().unwrap();
    let short = cluster.socket_dir().to_owned();
    assert!(short.starts_with("/tmp") && short.as_os_str().len() < 60, "{}", short.display());
    assert_eq!(mode(&short), 0o700);
    assert_eq!(fs::metadata(&short).unwrap().uid(), fs::metadata(cluster.data_path()).unwrap().uid());
    assert!(short.join(format!(".s.PGSQL.{}", cluster.port())).exists());
    drop(cluster);
    let mut cluster = place.cluster(PortChoice::Free);
    assert_eq!(cluster.start().unwrap(), Start::Adopted);
    assert_eq!(cluster.socket_dir(), short);
    cluster.wipe().unwrap();
    assert!(!short.exists());
    drop(cluster);
    drop(place);
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn secrets_are_random_private_and_stay() {
    let place = Place::new("secrets");
    let data_dir = place.try_open().unwrap();
    let secret = data_dir.secret("session-key").unwrap();
    assert_eq!(secret.len(), 64);
    assert_ne!(secret, data_dir.secret("other-key").unwrap());
    fs::set_permissions(place.path.join("session-key"), fs::Permissions::from_mode(0o644)).unwrap();
    drop(data_dir);
    let data_dir = place.try_open().unwrap();
    assert_eq!(data_dir.secret("session-key").unwrap(), secret);
    assert_eq!(mode(&place.path.join("session-key")), 0o600);
    let written = data_dir.write_private("tokens.toml", "a = 1\n").unwrap();
    assert_eq!((fs::read_to_string(&written).unwrap().as_str(), mode(&written)), ("a = 1\n", 0o600));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}
