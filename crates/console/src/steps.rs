//! What is the command doing right now?
//!
//! On a terminal each step is a line with something that moves, and with a mark when it has ended.
//! Elsewhere it is one plain line, printed when it has ended. All of it goes to standard error.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

/// How often the sign on a terminal moves.
const MOVES_EVERY: Duration = Duration::from_millis(120);

/// The steps of one command.
#[derive(Debug, Clone, Copy, Default)]
pub struct Steps {
    quiet: bool,
}

/// One step that is under way. Dropped without a word of how it ended, it leaves no line.
#[derive(Debug)]
#[must_use = "say how the step ended"]
pub struct Step {
    bar: ProgressBar,
    what: String,
    quiet: bool,
}

// === impl Steps ===

impl Steps {
    /// Steps that people see.
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps that nobody sees but when they fail, for answers that programs read.
    pub fn quiet() -> Self {
        Self { quiet: true }
    }

    /// Begins a step; `what` says it as an order, such as `grant Managed Identity Operator`.
    pub fn begin(self, what: impl Into<String>) -> Step {
        let what = what.into();
        // It draws on standard error, and nothing where that is no terminal.
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_message(what.clone());
        bar.enable_steady_tick(MOVES_EVERY);
        Step { bar, what, quiet: self.quiet }
    }
}

// === impl Step ===

impl Step {
    /// Says what the step is waiting for.
    pub fn waits(&self, reason: &str) {
        self.bar.set_message(format!("{}: {reason}", self.what));
    }

    /// It was done.
    pub fn done(self) {
        self.end(AnsiColor::Green, '✓', None);
    }

    /// Nothing had to be done, because of `reason`.
    pub fn kept(self, reason: &str) {
        self.end(AnsiColor::Cyan, '=', Some(reason));
    }

    /// It was left out, or did not end well but does not stop the rest; `reason` says why.
    pub fn warned(self, reason: &str) {
        self.end(AnsiColor::Yellow, '!', Some(reason));
    }

    /// It failed. The error itself is the caller's to print.
    pub fn failed(mut self) {
        self.quiet = false;
        self.end(AnsiColor::Red, '✗', None);
    }

    fn end(self, colour: AnsiColor, mark: char, reason: Option<&str>) {
        self.bar.finish_and_clear();
        if self.quiet {
            return;
        }
        let style = Style::new().fg_color(Some(colour.into()));
        match reason {
            None => anstream::eprintln!("{style}{mark}{style:#} {}", self.what),
            Some(reason) => anstream::eprintln!("{style}{mark}{style:#} {}: {reason}", self.what),
        }
    }
}

// === impl Drop ===

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
