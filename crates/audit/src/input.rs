//! What do the files and subscriptions say that people name?
//!
//! One file after the other is read, so that no more than the largest and its template are in memory; an
//! exported resource is parsed only if a rule asks for its type. What cannot be read is a line in the
//! report, and the others go on.

mod deployment;
mod find;
mod kind;
mod parameters;
mod resource;
mod subscription;
mod text;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use crate::report::Report;
use crate::run::Run;
use crate::settings::Settings;

pub use subscription::{NoLogin, log_in, subscription};

use find::Found;
use kind::Kind;
use text::Text;

/// Looks at these files: each a file, a folder (with all that is in it), or a pattern such as `**/*.json`.
pub fn files(paths: &[String], run: &Run<'_, Settings>, report: &mut Report) {
    let found = find::files(paths, report);
    let mut look = Look { run, report, templates: Vec::new(), used: HashSet::new() };
    for found in found {
        look.file(found);
    }
    // Those that a parameter file led to were looked at with it.
    for found in std::mem::take(&mut look.templates) {
        if !look.used.contains(&real(&found.path)) {
            look.lone_template(&found);
        }
    }
}

/// A look at files that is under way.
struct Look<'a, 'b> {
    run: &'a Run<'b, Settings>,
    report: &'a mut Report,
    /// Templates that were found, for when all parameter files are known.
    templates: Vec<Found>,
    /// Templates that parameter files led to.
    used: HashSet<PathBuf>,
}

// === impl Look ===

impl Look<'_, '_> {
    fn file(&mut self, found: Found) {
        let text = match text::read(&found.path) {
            Ok(text) => text,
            Err(why) => return self.report.cannot_read(&found.name, why.to_string()),
        };
        match kind::of(&text) {
            Err(why) => self.report.cannot_read(&found.name, why.to_string()),
            Ok(Kind::Resources(resources)) => self.resources(&found, &text, &resources),
            Ok(Kind::Template) => self.templates.push(found),
            Ok(Kind::Parameters) => self.parameters(&found, &text),
            Ok(Kind::Other(what)) => self.aside(&found, &what),
        }
    }

    /// A file in which nothing is to be looked at: that is worth a note in a folder, and is no answer for
    /// somebody who named the file.
    fn aside(&mut self, found: &Found, what: &str) {
        if found.named {
            self.report.cannot_read(&found.name, format!("is {what}"));
        } else {
            self.report.notes.push(format!("{}: left aside, it is {what}", found.name));
        }
    }

    fn resources(&mut self, found: &Found, text: &Text, resources: &[&RawValue]) {
        for raw in resources {
            let source = text.source(&found.name, raw, "Export");
            match resource::target(raw, |kind| self.run.asks(kind)) {
                Ok(Some(target)) => self.run.look(&target.found(source), self.report),
                Ok(None) => self.report.targets += 1,
                Err(why) => {
                    let line = source.line.unwrap_or(1);
                    self.report.cannot_read(format!("{}:{line}", found.name), why.to_string());
                }
            }
        }
    }
}

/// The name of a file in messages and records: with slashes, and without a `./` before it.
fn name(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.strip_prefix("./").unwrap_or(&text).to_owned()
}

/// The path by which a file is the same however it was named.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
