//! How do people read the report?

use std::fmt::Write;

use anstyle::{AnsiColor, Color, Style};
use podid_core::adopt::{Finding, Level, blind_spots};

use crate::report::Report;

/// Width of the two narrow columns, so that what belongs to a finding stands below its object.
const INDENT: &str = "                ";

/// What a look at some namespaces leaves out.
const OTHERS: &str =
    "other namespaces, so what works across namespaces is judged in part only; leave -n out for all";

/// The page for a cluster where the original is not.
const INSTALL: &str = "docs/how-to/install.md";

/// The page that says how to go on.
const PAGE: &str = "docs/how-to/adopt.md";

// === impl Report ===

impl Report {
    /// The report for people, with the codes of colours; plain where they are stripped.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, to: &mut String) -> std::fmt::Result {
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        writeln!(to, "{bold}Installed{bold:#}")?;
        for line in &self.installed {
            writeln!(to, "  {line}")?;
        }
        match (self.installed.is_empty(), self.workloads_seen) {
            (true, true) => writeln!(to, "  neither aad-pod-identity nor podid was found")?,
            (true, false) => writeln!(to, "  not known, see below")?,
            (false, _) => {}
        }
        match self.records {
            None => {}
            Some(1) => writeln!(to, "  1 AzureAssignedIdentity record")?,
            Some(count) => writeln!(to, "  {count} AzureAssignedIdentity records")?,
        }
        if !self.findings.is_empty() {
            writeln!(to, "\n{bold}{:<9}{:<7}OBJECT{bold:#}", "LEVEL", "CODE")?;
        }
        for finding in &self.findings {
            write_finding(to, finding)?;
        }
        if self.partial || !self.unseen.is_empty() {
            writeln!(to, "\n{bold}Not looked at{bold:#}")?;
            if self.partial {
                writeln!(to, "  {OTHERS}")?;
            }
            for line in &self.unseen {
                writeln!(to, "  {line}")?;
            }
        }
        writeln!(to, "\n{bold}What the API server cannot tell{bold:#}")?;
        for line in blind_spots() {
            writeln!(to, "  {dim}{line}{dim:#}")?;
        }
        writeln!(to, "\n{}", self.summary())
    }

    /// The last line: how many of what, and what to do next.
    fn summary(&self) -> String {
        let next = match (self.count(Level::Blocks), self.has_changes(), self.is_complete()) {
            (1.., ..) => format!("Deal with what blocks first; then {PAGE}."),
            (_, true, _) => format!("Decide on each change; then {PAGE}."),
            (_, _, false) => "Ask for the missing rights and look again.".to_owned(),
            _ if !self.original => format!("There is nothing to take over. To install podid: {INSTALL}."),
            _ if self.partial => {
                "Nothing changes within these namespaces; look at all before you go on.".to_owned()
            }
            _ => format!("Nothing changes for anybody. Next: {PAGE}."),
        };
        format!(
            "blocks: {}, changes: {}, notes: {}. {next}",
            self.count(Level::Blocks),
            self.count(Level::Changes),
            self.count(Level::Note),
        )
    }
}

fn write_finding(to: &mut String, finding: &Finding) -> std::fmt::Result {
    let colour = Style::new().fg_color(Some(Color::Ansi(match finding.level {
        Level::Blocks => AnsiColor::Red,
        Level::Changes => AnsiColor::Yellow,
        Level::Note => AnsiColor::Cyan,
    })));
    let Finding { code, level, object, change, action } = finding;
    writeln!(to, "{colour}{level:<9}{colour:#}{code:<7}{object}")?;
    writeln!(to, "{INDENT}{change}")?;
    writeln!(to, "{INDENT}→ {action}")
}
