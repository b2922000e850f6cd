//! In which form is a report printed?

mod record;
mod table;

use clap::ValueEnum;
use podid_console::{Format, Unwritable};

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
}

// === impl Output ===

impl Output {
    /// Which records are in it unless something else is asked for.
    pub fn keeps(self) -> Keep {
        match self {
            Self::Table => Keep::Problem,
            Self::Json | Self::Yaml => Keep::Processed,
        }
    }

    /// The report in this form, with a line break at its end.
    pub fn render(self, report: &Report) -> Result<String, Unwritable> {
        match self {
            Self::Table => Ok(table::write(report)),
            Self::Json => Format::Json.render(&record::all(report), String::new),
            Self::Yaml => Format::Yaml.render(&record::all(report), String::new),
        }
    }
}
