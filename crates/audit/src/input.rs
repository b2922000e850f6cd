//! What do the files say that people name?
//!
//! One file after the other is read, so that no more than the largest is in memory; a resource is parsed
//! only if a rule asks for its type. What cannot be read is a line in the report, and the others go on.

mod find;
mod kind;
mod resource;
mod text;

use std::path::Path;

use serde_json::value::RawValue;

use crate::report::Report;
use crate::run::Run;
use crate::settings::Settings;

use find::Found;
use kind::Kind;
use text::Text;

/// Looks at these files: each a file, a folder (with all that is in it), or a pattern such as `**/*.json`.
pub fn files(paths: &[String], run: &Run<'_, Settings>, report: &mut Report) {
    let mut look = Look { run, report };
    for found in find::files(paths, look.report) {
        look.file(&found);
    }
}

/// A look at files that is under way.
struct Look<'a, 'b> {
    run: &'a Run<'b, Settings>,
    report: &'a mut Report,
}

// === impl Look ===

impl Look<'_, '_> {
    fn file(&mut self, found: &Found) {
        let text = match text::read(&found.path) {
            Ok(text) => text,
            Err(why) => return self.report.cannot_read(&found.name, why.to_string()),
        };
        match kind::of(&text) {
            Err(why) => self.report.cannot_read(&found.name, why.to_string()),
            Ok(Kind::Resources(resources)) => self.resources(found, &text, &resources),
            Ok(Kind::Other(what)) => self.aside(found, &what),
        }
    }

    /// A file in which nothing is to be looked at: that is worth a note in a folder, and is no answer for
    /// somebody who named the file.
    fn aside(&mut self, found: &Found, what: &str) {
        if found.named {
            self.report.cannot_read(&found.name, what);
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
