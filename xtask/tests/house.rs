//! Does the code keep the rules that make it one house?
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LAB: &str = "podid-lab";
const TESTBED: &str = "podid-testbed";
const MONITOR: &str = "podid-monitor";

/// Who may know whom. A new crate says here which others it may use.
const ARROWS: [(&str, &[&str]); 18] = [
    ("podid-core", &[]),
    ("podid-kube", &["podid-core"]),
    ("podid-azure", &["podid-core"]),
    ("podid-runtime", &[]),
    ("podid-mic", &["podid-core", "podid-kube", "podid-azure", "podid-runtime"]),
    ("podid-nmi", &["podid-core", "podid-kube", "podid-azure", "podid-runtime"]),
    ("podid-fuzz", &["podid-core", "podid-kube", "podid-azure", "podid-runtime", "podid-nmi"]),
    ("podid-demo", &["podid-azure"]),
    ("podid-console", &[]),
    (MONITOR, &[]),
    ("podid-adopt", &["podid-core", "podid-kube"]),
    ("podid-addon", &["podid-core", "podid-kube", "podid-azure", "podid-console"]),
    ("podid-diagnose", &["podid-core", "podid-kube", "podid-azure", "podid-console"]),
    ("podid-audit", &["podid-core", "podid-kube", "podid-azure", "podid-console"]),
    // It starts the binary and speaks wire formats of its own, so that no mistake can hide on both sides.
    (LAB, &[]),
    (TESTBED, &[]),
    (
        "podid",
        &[
            "podid-core",
            "podid-kube",
            "podid-azure",
            "podid-runtime",
            "podid-mic",
            "podid-nmi",
            "podid-demo",
            "podid-console",
            "podid-adopt",
            "podid-addon",
            "podid-diagnose",
            "podid-audit",
            "podid-lab",
        ],
    ),
    ("xtask", &["podid-kube", MONITOR, TESTBED]),
];

/// The longest file, in lines of code: without blank lines, comments and tests.
const LONGEST: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every Rust file of the workspace: its path from the root, and its text.
fn sources() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = ["crates", "fuzz", "xtask"].map(|folder| root().join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(files.len() > 50, "the search for sources looks in the wrong place");
    files
}

/// The names of the files for which `broken` holds.
fn files_where(broken: impl Fn(&str, &str) -> bool) -> Vec<String> {
    sources().into_iter().filter(|(name, text)| broken(name, text)).map(|(name, _)| name).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// Tests, what they are built with, and benches.
fn is_test_file(path: &str) -> bool {
    let folders = ["/tests/", "/testing/", "/benches/"];
    folders.iter().any(|folder| path.contains(folder))
        || ["tests.rs", "testing.rs"].contains(&file_name(path))
}

/// The text up to the tests at the end of the file.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

/// Lines of code that are neither blank nor comments.
fn code_lines(text: &str) -> usize {
    code(text).lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn core_has_no_runtime_no_http_and_no_kubernetes_in_its_tree() {
    let tree = cargo(&["tree", "--locked", "--package=podid-core", "--edges=normal", "--prefix=none"]);
    let names: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("jiff"), "this is not the tree of core: {tree}");
    let banned = ["tokio", "hyper", "http", "kube", "kube-core", "k8s-openapi", "futures", "tracing"];
    let found: Vec<_> = banned.into_iter().filter(|name| names.contains(name)).collect();
    assert!(found.is_empty(), "core decides and does nothing else, yet it depends on {found:?}");
}

#[test]
fn elsewhere_than_on_linux_the_binary_needs_nothing_to_say_so() {
    let target = "--target=aarch64-apple-darwin";
    let tree = cargo(&["tree", "--locked", "--package=podid", target, "--edges=normal", "--prefix=none"]);
    assert_eq!(tree.trim().lines().count(), 1, "{tree}");
}

#[test]
fn crates_know_only_whom_they_may() {
    let metadata = cargo(&["metadata", "--locked", "--no-deps", "--format-version=1"]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<_> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let allowed = ARROWS.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_else(|| panic!("{name} is new: say in ARROWS whom it may know"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            // These know nobody, so everybody's tests may be tried against them.
            let in_tests = [LAB, TESTBED, MONITOR].contains(&used) && dependency["kind"] == "dev";
            let fine = !ours.contains(used) || allowed.contains(&used) || in_tests;
            assert!(fine, "{name} must not know {used}");
        }
    }
    assert_eq!(packages.len(), ARROWS.len(), "ARROWS names a crate that is gone");
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let long = files_where(|path, text| !is_test_file(path) && code_lines(text) > LONGEST);
    assert!(long.is_empty(), "more than {LONGEST} lines of code, split them by question: {long:?}");
}

#[test]
fn every_file_begins_with_what_it_answers() {
    // A `tests.rs` answers for the file that it tests.
    let mute = files_where(|path, text| file_name(path) != "tests.rs" && !text.starts_with("//! "));
    assert!(mute.is_empty(), "the first line says what the file is for: {mute:?}");
}

#[test]
fn files_are_named_after_what_they_hold() {
    let vague = ["mod", "util", "utils", "helper", "helpers", "common", "manager", "misc"];
    let found = files_where(|path, _| vague.contains(&file_name(path).trim_end_matches(".rs")));
    assert!(found.is_empty(), "these names say nothing: {found:?}");
}

#[test]
fn no_test_is_left_out_in_silence() {
    let ignores = |text: &str| text.lines().any(|line| line.trim_start().starts_with("#[ignore"));
    let left_out = files_where(|_, text| ignores(text));
    assert!(left_out.is_empty(), "the test command does not run what is ignored in {left_out:?}");
}

#[test]
fn no_task_of_a_role_can_die_unseen() {
    let roles = ["crates/mic/src/", "crates/nmi/src/"];
    let loose = files_where(|path, text| {
        let role = roles.iter().any(|role| path.starts_with(role)) && !is_test_file(path);
        role && code(text).contains("tokio::spawn")
    });
    assert!(loose.is_empty(), "spawn through podid_runtime::tasks instead: {loose:?}");
}

#[test]
fn the_length_of_a_file_is_that_of_its_code() {
    let text =
        "//! Why?\n\nfn a() {\n    // because\n    b();\n}\n\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
    assert_eq!(code_lines(text), 3);
}
