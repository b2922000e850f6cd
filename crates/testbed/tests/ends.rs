//! What is left when a control plane ends or does not start, and what is said then?
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use podid_testbed::{ControlPlane, NAMES, Programs};

/// Set in the process that is killed.
const VICTIM: &str = "PODID_TESTBED_VICTIM";
/// The guard needs a moment.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many processes work in `folder`, which may be gone.
fn processes(folder: &Path) -> usize {
    let is_there = |entry: &std::fs::DirEntry| {
        let at = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        at.to_str().unwrap_or_default().trim_end_matches(" (deleted)") == folder.to_str().unwrap()
    };
    std::fs::read_dir("/proc").unwrap().filter(|entry| is_there(entry.as_ref().unwrap())).count()
}

/// This test binary again, for one of its tests.
fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// A folder in which every program is a link to `to`.
fn links(to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        symlink(to, folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn nothing_is_left_of_one_that_is_dropped() {
    let Some(programs) = Programs::find_or_skip("nothing_is_left_of_one_that_is_dropped") else { return };
    let cluster = ControlPlane::start(&programs).unwrap();
    let folder = cluster.folder().to_path_buf();
    assert_eq!(processes(&folder), 3, "etcd, kube-apiserver, kube-controller-manager");
    drop(cluster);
    assert_eq!(processes(&folder), 0);
    assert!(!folder.exists());
}

#[test]
fn nothing_is_left_of_one_whose_test_is_killed() {
    let Some(programs) = Programs::find_or_skip("nothing_is_left_of_one_whose_test_is_killed") else {
        return;
    };
    if std::env::var_os(VICTIM).is_some() {
        // Started in a thread that is gone at once, as a shared one is when the first test has ended.
        let cluster = std::thread::spawn(move || ControlPlane::start(&programs).unwrap()).join().unwrap();
        println!("\nfolder {}", cluster.folder().display());
        std::thread::sleep(PATIENCE);
        return;
    }
    let mut victim = again("nothing_is_left_of_one_whose_test_is_killed")
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let folder = lines.find_map(|line| line.strip_prefix("folder ").map(PathBuf::from)).unwrap();
    assert_eq!(processes(&folder), 3);
    victim.kill().unwrap();
    assert_eq!(victim.wait().unwrap().signal(), Some(9));
    let start = Instant::now();
    while folder.exists() || processes(&folder) > 0 {
        assert!(start.elapsed() < PATIENCE, "{} is still there", folder.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_taken_port_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = links("/bin/ls");
    let programs = Programs::inside(folder.path()).unwrap();
    let error = ControlPlane::start_on(&programs, port).unwrap_err().to_string();
    let expected = format!(
        "port {port} of 127.0.0.1 cannot be had: EADDRINUSE: Address already in use; end what uses it, or ask for another one"
    );
    assert_eq!(error, expected);
}

#[test]
fn a_missing_program_is_named_with_what_to_do() {
    let folder = links("/bin/ls");
    std::fs::remove_file(folder.path().join("kube-apiserver")).unwrap();
    let error = Programs::inside(folder.path()).unwrap_err().to_string();
    let path = folder.path().display();
    assert_eq!(
        error,
        format!(
            "kube-apiserver cannot be run: {path}/kube-apiserver: No such file or directory; `cargo xtask test` builds it, or set \
             PODID_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager, kubectl, helm"
        )
    );
}

#[test]
fn a_program_that_may_not_be_run_is_named() {
    let folder = links("/bin/ls");
    let file = folder.path().join("etcd");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let error = Programs::inside(folder.path()).unwrap_err().to_string();
    assert!(error.contains("/etcd: Permission denied; "), "{error}");

    // A file that may be run, but is no program.
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(&file, [0_u8; 64]).unwrap();
    let programs = Programs::inside(folder.path()).unwrap();
    let error = ControlPlane::start(&programs).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot run {}: Exec format error", file.display())), "{error}");
    assert_eq!(error.lines().count(), 1);
}

/// `ls` knows none of our options, says so and ends.
#[test]
fn a_program_that_ends_at_once_is_named_with_its_last_words() {
    let folder = links("/bin/ls");
    let fake = Programs::inside(folder.path()).unwrap();
    let mut cases = vec![("etcd", fake.clone())];
    if let Some(real) = Programs::find_or_skip("a_program_that_ends_at_once_is_named: all but etcd") {
        cases.push(("kube-apiserver", Programs { kube_apiserver: fake.kube_apiserver, ..real.clone() }));
        let kube_controller_manager = fake.kube_controller_manager;
        cases.push(("kube-controller-manager", Programs { kube_controller_manager, ..real }));
    }
    for (name, programs) in cases {
        let error = ControlPlane::start(&programs).unwrap_err().to_string();
        let (said, log) = error.split_once('\n').unwrap();
        let expected = format!(
            "{name} ended while it started (exit status: 2); set PODID_TESTBED_KEEP=1 to keep its folder with the whole log. \
             Its last words:"
        );
        assert_eq!(said, expected);
        assert!(log.contains("unrecognized option"), "{log}");
    }
}

#[test]
fn a_test_without_its_programs_says_so_loudly_and_fails_in_ci() {
    let empty = tempfile::tempdir().unwrap();
    let run = |ci: &str| {
        let mut test = again("nothing_is_left_of_one_that_is_dropped");
        test.env("PODID_ASSETS", empty.path()).env("CI", ci).output().unwrap()
    };
    let skipped = run("");
    let said = String::from_utf8_lossy(&skipped.stderr);
    assert!(skipped.status.success(), "{said}");
    assert!(said.contains("SKIPPED: nothing_is_left_of_one_that_is_dropped: etcd cannot be run: "), "{said}");
    assert!(!run("true").status.success());
}
