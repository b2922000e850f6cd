//! In which form is a report printed?

mod csv;
mod markdown;
mod nunit3;
mod record;
mod sarif;
mod table;

use std::sync::Arc;

use clap::ValueEnum;
use jiff::Timestamp;
use podid_console::{Format, Unwritable};

use crate::record::Record;
use crate::report::Report;
use crate::run::Keep;

/// How an audit is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Table,
    /// For programs: a list of records as PSRule writes them
    Json,
    /// The same as YAML
    Yaml,
    /// For spreadsheets: PSRule's columns
    Csv,
    /// For what shows test results: NUnit 2.5's, which PSRule calls NUnit3
    Nunit3,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// For pull requests and summaries of jobs
    Markdown,
}

// === impl Output ===

impl Output {
    /// Which records are in it unless something else is asked for.
    pub fn keeps(self) -> Keep {
        match self {
            Self::Table | Self::Sarif | Self::Markdown => Keep::Problem,
            Self::Json | Self::Yaml | Self::Csv | Self::Nunit3 => Keep::Processed,
        }
    }

    /// The report in this form, with a line break at its end. `now` is the time of the audit.
    pub fn render(self, report: &Report, now: Timestamp) -> Result<String, Unwritable> {
        match self {
            Self::Table => Ok(table::write(report)),
            Self::Json => Format::Json.render(&record::all(report), String::new),
            Self::Yaml => Format::Yaml.render(&record::all(report), String::new),
            Self::Csv => Ok(csv::write(report)),
            Self::Nunit3 => Ok(nunit3::write(report, now)),
            Self::Sarif => Format::Json.render(&sarif::value(report), String::new),
            Self::Markdown => Ok(markdown::write(report)),
        }
    }
}

/// The records of each target together, as they were found.
fn by_target(report: &Report) -> Vec<Vec<&Record>> {
    let mut all: Vec<Vec<&Record>> = Vec::new();
    for record in &report.records {
        match all.last_mut().filter(|group| Arc::ptr_eq(&group[0].subject, &record.subject)) {
            Some(group) => group.push(record),
            None => all.push(vec![record]),
        }
    }
    all
}
