//! Which files did the user mean?

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::report::Report;

/// A file to look at.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it is.
    pub(super) path: PathBuf,
    /// How it is called in messages and records.
    pub(super) name: String,
    /// Whether the user named it, by itself or with a pattern; else it was found in a folder.
    pub(super) named: bool,
}

/// The files that are meant, in the order of their names, each once. A path that leads nowhere is noted in
/// the report.
pub(super) fn files(paths: &[String], report: &mut Report) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for text in paths {
        let path = Path::new(text);
        if path.is_dir() {
            folder(path, &mut all, report);
        } else if path.exists() || !text.contains(['*', '?', '[']) {
            // One that is not there is found out when it is read.
            all.push(Found { path: path.to_owned(), name: super::name(path), named: true });
        } else {
            pattern(text, &mut all, report);
        }
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|found| seen.insert(found.path.clone()));
    all
}

/// What is in a folder and may be about Azure.
fn folder(path: &Path, all: &mut Vec<Found>, report: &mut Report) {
    let walk = WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(is_wanted);
    for entry in walk {
        match entry {
            Ok(entry) if entry.file_type().is_file() && is_ours(entry.path()) => {
                let path = entry.into_path();
                all.push(Found { name: super::name(&path), path, named: false });
            }
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(path).display().to_string();
                report.cannot_read(path, format!("cannot be listed: {error}"));
            }
        }
    }
}

fn pattern(text: &str, all: &mut Vec<Found>, report: &mut Report) {
    let paths = match glob::glob(text) {
        Ok(paths) => paths,
        Err(error) => return report.cannot_read(text, format!("is no pattern: {error}")),
    };
    let before = all.len();
    for path in paths {
        match path {
            Ok(path) if path.is_file() => {
                all.push(Found { name: super::name(&path), path, named: true });
            }
            Ok(_) => {}
            Err(error) => report.cannot_read(text, format!("cannot be listed: {error}")),
        }
    }
    if all.len() == before {
        report.cannot_read(text, "no file is called like that");
    }
}

/// Hidden folders and packages of others are left out, unless they were named.
fn is_wanted(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.depth() == 0 || !(name.starts_with('.') || name == "node_modules")
}

fn is_ours(path: &Path) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| {
        ["json", "jsonc", "bicep", "bicepparam"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}
