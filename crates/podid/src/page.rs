//! Does a page below docs/reference say what there is, and nothing that there is not?
//!
//! Rows are made from the code: one that is missing can be copied from what a test prints.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this serves tests")]

mod flags;
mod metrics;

use std::collections::BTreeSet;
use std::path::Path;

pub(crate) use flags::{flags, hidden_flags, names, rows_of_flags};
pub(crate) use metrics::{Exposed, exposed, keeps_the_rules, rows_of_metrics};

/// A page.
pub(crate) struct Page {
    name: &'static str,
    text: String,
}

// === impl Page ===

impl Page {
    /// The page `docs/reference/NAME.md`.
    pub(crate) fn read(name: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/reference/{name}.md"));
        Self { name, text: std::fs::read_to_string(path).unwrap() }
    }

    /// The lines of the tables below a heading, without their heads.
    pub(crate) fn rows(&self, heading: &str) -> Vec<&str> {
        let start = format!("{heading}\n");
        let section = self.text.split("\n## ").find(|section| section.starts_with(&start));
        let lines = section.unwrap_or_else(|| panic!("{} has no section {heading}", self.name)).lines();
        lines.filter(|line| line.starts_with("| `")).collect()
    }

    /// What is in the first column of the tables below a heading.
    pub(crate) fn first_cells(&self, heading: &str) -> BTreeSet<&str> {
        self.rows(heading).into_iter().map(|row| cells(row)[0].trim_matches('`')).collect()
    }

    /// The tables below `heading` have these rows and no others, in whatever order.
    pub(crate) fn must_say(&self, heading: &str, real: &BTreeSet<String>) {
        let said: BTreeSet<String> = self.rows(heading).into_iter().map(str::to_owned).collect();
        let missing: Vec<_> = real.difference(&said).map(String::as_str).collect();
        let wrong: Vec<_> = said.difference(real).map(String::as_str).collect();
        assert!(
            missing.is_empty() && wrong.is_empty(),
            "docs/reference/{}.md lacks in \"{heading}\":\n{}\nand should not have:\n{}",
            self.name,
            missing.join("\n"),
            wrong.join("\n")
        );
    }
}

/// The columns of a row.
pub(crate) fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}
