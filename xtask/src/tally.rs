//! How many tests passed, and what was skipped, according to what a test program printed?

use std::fmt;
use std::ops::AddAssign;

/// Counts of tests, or of checks that count as one test each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// What came of a part of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) tally: Tally,
    /// Every line that says what was skipped and why, once, in the order in which they came.
    pub(crate) skips: Vec<String>,
}

/// How such a line begins.
const SKIPPED: &str = "SKIPPED: ";

// === impl Tally ===

impl Tally {
    /// One check that passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One check that failed.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One check that could not be made.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// What a closing line of a test program says; nothing for any other line.
    ///
    /// Reads libtest's line and that of our programs with a `main` of their own, `N passed, N failed, N skipped`.
    /// Tests marked `#[ignore]` count as skipped.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (parts, separator) = match line.strip_prefix("test result: ") {
            Some(rest) => (rest.split_once(". ")?.1, "; "),
            None => (line, ", "),
        };
        let mut counts = parts.split(separator);
        Some(Self {
            passed: count(counts.next()?, "passed")?,
            failed: count(counts.next()?, "failed")?,
            skipped: match counts.next() {
                Some(part) => count(part, "skipped").or_else(|| count(part, "ignored"))?,
                None => 0,
            },
        })
    }
}

fn count(part: &str, what: &str) -> Option<usize> {
    let (number, word) = part.split_once(' ')?;
    if word == what { number.parse().ok() } else { None }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

// === impl Findings ===

impl Findings {
    /// One check that could not be made, said now and again at the end of the run.
    pub(crate) fn skipped(why: &str) -> Self {
        let line = format!("{SKIPPED}{why}");
        eprintln!("{line}");
        Self { tally: Tally::SKIPPED, skips: vec![line] }
    }

    /// Takes note of a line that a program printed, if it counts tests or says what was skipped.
    pub(crate) fn note(&mut self, line: &str) {
        self.tally += Tally::parse(line).unwrap_or_default();
        if line.starts_with(SKIPPED) && !self.skips.iter().any(|known| known == line) {
            self.skips.push(line.to_owned());
        }
    }
}

impl From<Tally> for Findings {
    fn from(tally: Tally) -> Self {
        Self { tally, skips: Vec::new() }
    }
}

impl AddAssign for Findings {
    fn add_assign(&mut self, other: Self) {
        self.tally += other.tally;
        for line in other.skips {
            self.note(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_kept_once() {
        let mut findings = Findings::default();
        for line in
            ["SKIPPED: kubectl: none", "2 passed, 0 failed, 3 skipped", "SKIPPED: kubectl: none", "ok"]
        {
            findings.note(line);
        }
        assert_eq!(findings.tally, Tally { passed: 2, failed: 0, skipped: 3 });
        assert_eq!(findings.skips, ["SKIPPED: kubectl: none"]);
    }

    #[test]
    fn closing_lines_of_both_kinds_are_read() {
        let cases = [
            (
                "test result: ok. 38 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; finished in 0.12s",
                (38, 0, 2),
            ),
            ("test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out", (3, 4, 0)),
            ("13 passed, 1 failed, 5 skipped", (13, 1, 5)),
            ("13 passed, 0 failed", (13, 0, 0)),
        ];
        for (line, (passed, failed, skipped)) in cases {
            assert_eq!(Tally::parse(line), Some(Tally { passed, failed, skipped }), "{line}");
        }
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in [
            "",
            "test tasks::tests::the_first_death ... ok",
            "running 38 tests",
            "38 passed",
            "all 38 passed, 0 failed",
            "38 passed, 0 failed, 0 skipped in all",
            "x passed, 0 failed",
            "test result: unclear",
        ] {
            assert_eq!(Tally::parse(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let tally = Tally { passed: 7, failed: 1, skipped: 2 };
        assert_eq!(Tally::parse(&tally.to_string()), Some(tally));
    }
}
