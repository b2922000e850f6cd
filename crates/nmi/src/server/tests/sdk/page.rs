//! Does docs/reference/sdks.md name a test for each of its rules, and every recorded SDK?

use std::fs;
use std::path::{Path, PathBuf};

use super::recorded::ALL;

const PAGE: &str = include_str!("../../../../../../docs/reference/sdks.md");

/// Every Rust file below the folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let inside = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    inside.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn every_rule_of_the_page_has_a_test_that_exists() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let code: Vec<_> = sources(crates).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let rows: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| ") && line.contains("| `")).collect();
    let numbers = rows.iter().filter_map(|row| row[2..].split(' ').next()?.parse::<usize>().ok());
    assert!(numbers.eq(1..=14), "{rows:?}");
    for row in rows {
        let tests = row.rsplit("| ").next().unwrap().trim_end_matches(" |");
        for test in tests.split(", ").map(|name| name.trim_matches('`')) {
            let function = format!("fn {test}(");
            assert!(code.iter().any(|text| text.contains(&function)), "there is no test {test}");
        }
    }
}

#[test]
fn every_recorded_sdk_is_in_the_page() {
    for sdk in ALL {
        assert!(PAGE.contains(&format!("| {} |", sdk.name)), "{}", sdk.name);
    }
}
