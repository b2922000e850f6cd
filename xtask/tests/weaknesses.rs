//! Is every weakness of the original in the table, and does each test that the table names exist and name it?
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

const PAGE: &str = "docs/coming-from-aad-pod-identity.md";

/// The highest number of a weakness.
const LAST: usize = 65;

/// What stands in place of tests where there is none.
const NO_TEST: [&str; 3] = ["does not apply", "not shown yet", "not shown by a test"];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The number and the last cell of each row.
fn rows() -> Vec<(usize, String)> {
    let page = read(PAGE);
    let rows = page.lines().filter(|line| line.starts_with("| W-"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        (cells[0].trim_start_matches("W-").parse().unwrap(), cells[3].to_owned())
    })
    .collect()
}

/// What stands above the line `at`: its comments and attributes.
fn above<'a>(lines: &'a [&str], at: usize) -> Vec<&'a str> {
    let belongs = |line: &&&str| line.trim_start().starts_with("//") || line.trim_start().starts_with("#[");
    lines[..at].iter().rev().take_while(belongs).copied().collect()
}

/// Why `test` does not show the weakness `number`, if so.
fn fault(test: &str, number: usize) -> Option<String> {
    let Some((path, name)) = test.split_once("::") else { return Some(format!("{test} is no file::test")) };
    let source = read(path);
    let lines: Vec<_> = source.lines().collect();
    let (function, case) = (format!("fn {name}("), format!("(\"{name}\","));
    let Some(at) = lines.iter().position(|line| line.contains(&function) || line.contains(&case)) else {
        return Some(format!("{path} has no test {name}"));
    };
    let mark = format!("W-{number:02}");
    let named =
        name.contains(&format!("w{number:02}_")) || above(&lines, at).iter().any(|line| line.contains(&mark));
    (!named).then(|| format!("neither the name nor the comment of {test} names {mark}"))
}

#[test]
fn every_weakness_has_a_row() {
    let numbers: Vec<_> = rows().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=LAST).collect::<Vec<_>>());
}

#[test]
fn every_test_of_the_table_exists_and_names_its_weakness() {
    let mut faults = Vec::new();
    for (number, shown) in rows() {
        let tests: Vec<_> = shown.split('`').filter(|text| text.contains("::")).collect();
        if tests.is_empty() && !NO_TEST.iter().any(|none| shown.contains(none)) {
            faults.push(format!("W-{number:02} names no test and does not say so: {shown}"));
        }
        faults.extend(tests.into_iter().filter_map(|test| fault(test, number)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
