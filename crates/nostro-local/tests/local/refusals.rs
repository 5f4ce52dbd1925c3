//! What is refused, and that the refusal says what was expected, what was found and what to do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nostro_local::{Binaries, DataDir, LocalError, PortChoice, Start, Stop};

use crate::place::{Place, ask, spec};

#[test]
fn a_second_instance_is_refused_with_the_process_of_the_first() {
    let place = Place::new("second");
    let first = place.try_open().unwrap();
    says(&place.try_open().unwrap_err(), &["in use", &std::process::id().to_string(), "--data"]);
    let cluster = first.cluster(spec(PortChoice::Free, &[]));
    drop(first);
    says(&place.try_open().unwrap_err(), &["in use"]);
    drop(cluster);
    place.try_open().unwrap();
}

#[test]
fn a_named_port_in_use_is_refused_and_an_unnamed_one_moves_on() {
    let place = Place::new("port");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    let mut cluster = place.cluster(PortChoice::Exactly(taken));
    says(&cluster.start().unwrap_err(), &[&taken.to_string(), "AZ", "ss -ltnp", "nostro up --help"]);
    drop(cluster);

    let mut cluster = place.cluster(PortChoice::From(taken));
    assert_eq!(cluster.start().unwrap(), Start::Started);
    let moved = cluster.port();
    assert!(moved > taken);
    drop(listener);
    cluster.stop(Stop::Fast).unwrap();
    cluster.start().unwrap();
    assert_eq!(cluster.port(), moved, "a cluster keeps its port while that is free");
}

#[test]
fn a_cluster_of_another_major_version_is_refused() {
    let place = Place::new("major");
    let mut cluster = place.cluster(PortChoice::Free);
    cluster.start().unwrap();
    cluster.stop(Stop::Fast).unwrap();
    let ours = Binaries::find(None).unwrap().major();
    fs::write(cluster.data_path().join("PG_VERSION"), "9\n").unwrap();
    let expected = format!("PostgreSQL {ours}");
    says(&cluster.start().unwrap_err(), &[&expected, "PostgreSQL 9", "--pg-bin", "/usr/lib/postgresql/9/bin"]);
    fs::remove_file(cluster.data_path().join("PG_VERSION")).unwrap();
    says(&cluster.start().unwrap_err(), &["no PG_VERSION", "backup"]);
}

#[test]
fn a_directory_of_another_format_is_refused() {
    let place = Place::new("format");
    drop(place.try_open().unwrap());
    fs::write(place.path.join("VERSION"), "format = 2\n").unwrap();
    says(&place.try_open().unwrap_err(), &["format 1", "format = 2", "version of Nostro"]);
}

#[test]
fn a_directory_with_other_things_in_it_is_refused_and_left_alone() {
    let place = Place::new("not-ours");
    fs::create_dir(&place.path).unwrap();
    fs::write(place.path.join("thesis.tex"), "").unwrap();
    says(&place.try_open().unwrap_err(), &["empty", "thesis.tex", "--data"]);
    assert_eq!(fs::read_dir(&place.path).unwrap().count(), 1);
}

#[test]
fn a_directory_that_an_instance_left_before_it_wrote_the_version_is_taken_up() {
    let place = Place::new("half-open");
    fs::create_dir(&place.path).unwrap();
    fs::write(place.path.join("nostro.lock"), "4194304\n").unwrap();
    fs::write(place.path.join("VERSION.tmp"), "").unwrap();
    place.try_open().unwrap();
}

#[test]
fn a_setting_that_postgresql_does_not_know_shows_in_the_failure() {
    let place = Place::new("bad-setting");
    let data_dir = place.try_open().unwrap();
    let mut cluster = data_dir.cluster(spec(PortChoice::Free, &[("max_conections", "7")]));
    says(&cluster.start().unwrap_err(), &["did not start", "postgresql.log", "max_conections"]);
    let mut cluster = data_dir.cluster(spec(PortChoice::Free, &[]));
    assert_eq!(cluster.start().unwrap(), Start::Started);
}

#[test]
fn as_root_a_directory_behind_a_closed_one_moves_or_is_refused() {
    let place = Place::new("closed");
    fs::create_dir(&place.path).unwrap();
    if fs::metadata(&place.path).unwrap().uid() != 0 {
        return;
    }
    let closed = place.path.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let binaries = Binaries::find(None).unwrap();

    let wanted = closed.join(".nostro");
    let data_dir = DataDir::open(&wanted, binaries.clone()).unwrap();
    assert_eq!(data_dir.moved_from(), Some(wanted.as_path()));
    assert!(data_dir.path().starts_with("/var/lib/nostro") && !wanted.exists(), "{}", data_dir.path().display());
    let mut cluster = data_dir.cluster(spec(PortChoice::Free, &[]));
    assert_eq!(cluster.start().unwrap(), Start::Created);
    assert_eq!(ask(&cluster, "select 1"), "1");
    cluster.wipe().unwrap();
    let moved = data_dir.path().to_owned();
    drop((cluster, data_dir));
    assert_eq!(DataDir::open(&wanted, binaries.clone()).unwrap().path(), moved);
    fs::remove_dir_all(&moved).unwrap();
    // fails when others have data there, and then it is to stay
    let _ = fs::remove_dir("/var/lib/nostro");

    fs::create_dir(&wanted).unwrap();
    let refused = DataDir::open(&wanted, binaries).unwrap_err();
    says(&refused, &["cannot enter", &format!("chmod o+x {}", closed.canonicalize().unwrap().display())]);
}

#[test]
fn a_named_directory_without_postgresql_is_refused_by_name() {
    says(&Binaries::find(Some(Path::new("/no/such/bin"))).unwrap_err(), &["/no/such/bin", "no such directory"]);
    says(&Binaries::find(Some(Path::new("/etc"))).unwrap_err(), &["/etc", "no program postgres", "--pg-bin"]);
    let looked = vec!["PATH: nothing there".to_owned()];
    let missing = LocalError::NoPostgres { looked };
    says(&missing, &["PATH: nothing there", "apt-get install postgresql", "make postgres", "--pg-bin"]);
}

fn says(error: &LocalError, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "expected {part:?} in: {text}");
    }
}
