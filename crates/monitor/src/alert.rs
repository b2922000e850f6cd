//! What is an alert, and how is it shown that it works?

mod mic;
mod nmi;

/// The page whose headings the alerts point to.
const RUNBOOK: &str = "https://github.com/podid/podid/blob/main/docs/how-to/watch.md";

/// Something that people should be told.
#[derive(Clone, Copy, Debug)]
pub struct Alert {
    /// Its name.
    pub name: &'static str,
    /// When it holds, in PromQL.
    pub expression: &'static str,
    /// How long it must hold.
    pub lasting: &'static str,
    /// How soon somebody should look.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub summary: &'static str,
    /// What it means and what to do first. May name labels as `{{ $labels.x }}`.
    pub description: &'static str,
    /// Series with which it fires at `at`, with these labels beside the alert's own.
    pub fires: Scene,
    /// The labels that it fires with.
    pub labels: &'static [(&'static str, &'static str)],
    /// Series with which it does not, though something happens.
    pub silent: Scene,
}

/// How soon somebody should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Pods get no tokens, or will soon not.
    Critical,
    /// Some pods get no tokens, or somebody has to change something.
    Warning,
    /// Good to know.
    Info,
}

/// What Prometheus has scraped, once a minute.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Series and their values, as promtool writes them.
    pub series: &'static [(&'static str, &'static str)],
    /// When the alert is looked at.
    pub at: &'static str,
}

/// Alerts of one role.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// Its alerts.
    pub alerts: &'static [Alert],
}

/// All alerts. Those of the controller make no sense in managed mode, which has none.
pub const GROUPS: [Group; 2] =
    [Group { name: "podid-nmi", alerts: &nmi::ALERTS }, Group { name: "podid-mic", alerts: &mic::ALERTS }];

// === impl Alert ===

impl Alert {
    /// Where people read what it means and what to do.
    pub fn runbook(&self) -> String {
        format!("{RUNBOOK}#{}", self.name.to_ascii_lowercase())
    }
}

// === impl Severity ===

impl Severity {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}
