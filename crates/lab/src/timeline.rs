//! What do people see? A timeline: what happened, where, after how many milliseconds.
//!
//! Lines are shown as they happen and kept, so that the story can wait for one of them.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Color, Style};
use tokio::sync::watch;

/// Where something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a pod, by its name.
    Pod(String),
    /// In a node agent.
    Nmi,
    /// In the controller.
    Mic,
    /// In the cluster: objects and nodes.
    Cluster,
    /// In a service of the simulated Azure, by its name.
    Azure(&'static str),
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Where.
    pub place: Place,
    /// What, in one line.
    pub text: String,
    /// Whether somebody was refused or something failed.
    pub refused: bool,
}

/// The timeline. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Timeline {
    shared: Arc<Shared>,
}

struct Shared {
    begun: Instant,
    written: Mutex<Written>,
    grown: watch::Sender<usize>,
}

struct Written {
    entries: Vec<Entry>,
    steps: usize,
    failures: usize,
}

// === impl Entry ===

impl Entry {
    /// Something that went well.
    pub(crate) fn new(place: Place, text: impl Into<String>) -> Self {
        Self { place, text: text.into(), refused: false }
    }

    /// Somebody who was refused, or something that failed.
    pub(crate) fn refusal(place: Place, text: impl Into<String>) -> Self {
        Self { place, text: text.into(), refused: true }
    }
}

// === impl Timeline ===

impl Timeline {
    /// A timeline that begins now.
    pub(crate) fn begin() -> Self {
        let written = Mutex::new(Written { entries: Vec::new(), steps: 0, failures: 0 });
        Self { shared: Arc::new(Shared { begun: Instant::now(), written, grown: watch::Sender::new(0) }) }
    }

    /// Shows a line of its own, without time or place.
    pub(crate) fn say(&self, text: &str) {
        let _written = self.locked();
        let _ = writeln!(anstream::stdout(), "{text}");
    }

    /// Begins the next step; returns where the timeline is, for [`wait`](Self::wait).
    pub(crate) fn step(&self, title: &str) -> usize {
        let mut written = self.locked();
        written.steps += 1;
        let bold = Style::new().bold();
        let _ = writeln!(anstream::stdout(), "\n{bold}{}  {title}{bold:#}", written.steps);
        written.entries.len()
    }

    /// Adds what happened, and shows it.
    pub(crate) fn add(&self, entry: Entry) {
        let mut written = self.locked();
        let time = milliseconds(self.shared.begun.elapsed());
        let place = entry.place.name();
        let (colour, dim) = (entry.place.style(), Style::new().dimmed());
        let text = if entry.refused {
            Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow)))
        } else {
            Style::new()
        };
        let _ = writeln!(
            anstream::stdout(),
            "{dim}{time:>9}{dim:#}  {colour}{place:<9}{colour:#}  {text}{}{text:#}",
            entry.text
        );
        written.entries.push(entry);
        let length = written.entries.len();
        drop(written);
        self.shared.grown.send_replace(length);
    }

    /// Waits until something after `since` is what `wanted` describes; none when it takes too long.
    pub(crate) async fn wait(
        &self,
        since: usize,
        limit: Duration,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Option<Entry> {
        let mut grown = self.shared.grown.subscribe();
        let mut next = since;
        tokio::time::timeout(limit, async {
            loop {
                grown.borrow_and_update();
                if let Some(found) = self.find(&mut next, &wanted) {
                    return Some(found);
                }
                grown.changed().await.ok()?;
            }
        })
        .await
        .ok()
        .flatten()
    }

    /// Ends a step: what should be true is, or is not.
    pub(crate) fn check(&self, holds: bool, claim: &str) {
        let mut written = self.locked();
        written.failures += usize::from(!holds);
        let (mark, colour) = if holds { ("✓", AnsiColor::Green) } else { ("✗", AnsiColor::Red) };
        let style = Style::new().fg_color(Some(Color::Ansi(colour))).bold();
        let _ = writeln!(anstream::stdout(), "{style}{mark:>9}  {claim}{style:#}");
    }

    /// Number of claims that did not hold.
    pub(crate) fn failures(&self) -> usize {
        self.locked().failures
    }

    /// Since the timeline began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.shared.begun.elapsed()
    }

    fn find(&self, next: &mut usize, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let written = self.locked();
        let found = written.entries.iter().skip(*next).find(|entry| wanted(entry)).cloned();
        *next = written.entries.len();
        found
    }

    // Every write leaves it whole, so a poisoned lock is still good.
    fn locked(&self) -> std::sync::MutexGuard<'_, Written> {
        self.shared.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl Place {
    fn name(&self) -> &str {
        match self {
            Self::Pod(name) => name,
            Self::Nmi => "NMI",
            Self::Mic => "MIC",
            Self::Cluster => "cluster",
            Self::Azure(service) => service,
        }
    }

    fn style(&self) -> Style {
        let colour = match self {
            Self::Pod(_) => AnsiColor::Cyan,
            Self::Nmi => AnsiColor::Magenta,
            Self::Mic => AnsiColor::Blue,
            Self::Cluster => AnsiColor::White,
            Self::Azure(_) => AnsiColor::BrightBlack,
        };
        Style::new().fg_color(Some(Color::Ansi(colour)))
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_waits_for_what_happens_after_it_began_and_not_for_longer() {
        let timeline = Timeline::begin();
        timeline.add(Entry::new(Place::Mic, "assigned"));
        let since = timeline.step("next");
        let limit = Duration::from_secs(1);
        let is = |text: &'static str| move |entry: &Entry| entry.text == text;
        assert!(timeline.wait(since, limit, is("assigned")).await.is_none());
        let writer = timeline.clone();
        tokio::spawn(async move { writer.add(Entry::new(Place::Nmi, "token")) });
        assert!(timeline.wait(since, limit, is("token")).await.is_some());
    }

    #[test]
    fn a_claim_that_does_not_hold_is_counted() {
        let timeline = Timeline::begin();
        timeline.check(true, "yes");
        timeline.check(false, "no");
        assert_eq!(timeline.failures(), 1);
    }
}
