//! Which committed files are written by Rust, and are they up to date?

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::workspace::Workspace;

/// What the chart installs of what is there for monitoring.
const CHART_MONITORING: [&str; 2] = ["alerts.yaml", "dashboard.json"];

/// A folder whose every file is generated, and the files.
struct Folder {
    path: &'static str,
    wanted: BTreeMap<PathBuf, String>,
}

/// How a file on disk differs from what would be written.
#[derive(Debug, PartialEq, Eq)]
enum Difference {
    Missing,
    Leftover,
    Changed { line: usize, now: String, then: String },
}

/// Writes every generated file that is not up to date, and removes those that are no longer generated.
pub(crate) fn write(workspace: &Workspace) -> anyhow::Result<()> {
    for folder in folders()? {
        let root = workspace.root.join(folder.path);
        for (path, difference) in differences(&root, &folder.wanted)? {
            let file = root.join(&path);
            if difference == Difference::Leftover {
                fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
                println!("removed {}/{}", folder.path, path.display());
                continue;
            }
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
            }
            let content = folder.wanted.get(&path).map(String::as_str).unwrap_or_default();
            fs::write(&file, content).with_context(|| format!("cannot write {}", file.display()))?;
            println!("wrote {}/{}", folder.path, path.display());
        }
    }
    Ok(())
}

/// Fails, with the first difference of each file, unless every generated file is up to date.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let mut stale = false;
    for folder in folders()? {
        for (path, difference) in differences(&workspace.root.join(folder.path), &folder.wanted)? {
            eprintln!("{}/{}: {difference}", folder.path, path.display());
            stale = true;
        }
    }
    anyhow::ensure!(!stale, "generated files are out of date; run cargo xtask gen and commit");
    Ok(())
}

/// The manifests, and the copies that the chart has to have in folders of its own.
fn folders() -> anyhow::Result<[Folder; 4]> {
    let monitoring = podid_monitor::files()?;
    let mut manifests: BTreeMap<PathBuf, String> = podid_kube::manifests::all()
        .context("cannot generate the manifests")?
        .into_iter()
        .map(|(path, content)| (path.into(), content))
        .collect();
    manifests
        .extend(monitoring.into_iter().map(|(path, content)| (Path::new("monitoring").join(path), content)));
    let copies = |below: &str| -> BTreeMap<PathBuf, String> {
        let inside =
            manifests.iter().filter_map(|(path, content)| Some((path.strip_prefix(below).ok()?, content)));
        inside.map(|(path, content)| (path.to_path_buf(), content.clone())).collect()
    };
    let definitions = copies("crds");
    // The other policy names MIC's account, which the chart calls after its release.
    let mut policies = copies("policies");
    let as_they_are = ["identity-fields.yaml", "optional/identity-users.yaml", "optional/net-raw.yaml"];
    policies.retain(|path, _| as_they_are.iter().any(|name| path.as_os_str() == *name));
    let mut monitoring = copies("monitoring");
    monitoring.retain(|path, _| CHART_MONITORING.iter().any(|name| path.as_os_str() == *name));
    Ok([
        Folder { path: "deploy", wanted: manifests },
        Folder { path: "charts/podid/crds", wanted: definitions },
        Folder { path: "charts/podid/policies", wanted: policies },
        Folder { path: "charts/podid/monitoring", wanted: monitoring },
    ])
}

fn differences(
    folder: &Path,
    wanted: &BTreeMap<PathBuf, String>,
) -> anyhow::Result<BTreeMap<PathBuf, Difference>> {
    let mut found = BTreeMap::new();
    for (path, then) in wanted {
        match fs::read_to_string(folder.join(path)) {
            Ok(now) => {
                found.extend(first_difference(&now, then).map(|difference| (path.clone(), difference)));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                found.insert(path.clone(), Difference::Missing);
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
    for path in files_below(folder)? {
        let path = path.strip_prefix(folder)?.to_path_buf();
        if !wanted.contains_key(&path) {
            found.insert(path, Difference::Leftover);
        }
    }
    Ok(found)
}

fn first_difference(now: &str, then: &str) -> Option<Difference> {
    if now == then {
        return None;
    }
    let (mut have, mut want) = (now.split('\n'), then.split('\n'));
    let mut line = 1;
    loop {
        match (have.next(), want.next()) {
            (Some(a), Some(b)) if a == b => line += 1,
            (a, b) => {
                let text = |part: Option<&str>| part.unwrap_or("the end of the file").to_owned();
                return Some(Difference::Changed { line, now: text(a), then: text(b) });
            }
        }
    }
}

fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

// === impl Difference ===

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Leftover => f.write_str("no longer generated"),
            Self::Changed { line, now, then } => {
                write!(f, "line {line} is {now:?}, generated is {then:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_is_found_and_equal_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, content: &str| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        };
        put("same.yaml", "a\n");
        put("crds/changed.yaml", "a\nb\n");
        put("crds/old.yaml", "a\n");
        let wanted = [("same.yaml", "a\n"), ("crds/changed.yaml", "a\nc\n"), ("new.yaml", "a\n")]
            .map(|(path, content)| (path.into(), content.to_owned()))
            .into();
        let changed = Difference::Changed { line: 2, now: "b".into(), then: "c".into() };
        let expected = [
            ("crds/changed.yaml".into(), changed),
            ("crds/old.yaml".into(), Difference::Leftover),
            ("new.yaml".into(), Difference::Missing),
        ];
        assert_eq!(differences(folder.path(), &wanted).unwrap(), expected.into());
    }

    #[test]
    fn a_missing_line_at_the_end_is_a_difference() {
        let end = "the end of the file".to_owned();
        let changed = |line, now: &str, then: &str| {
            Some(Difference::Changed { line, now: now.into(), then: then.into() })
        };
        assert_eq!(first_difference("a\n", "a"), changed(2, "", &end));
        assert_eq!(first_difference("a", "a\nb"), changed(2, &end, "b"));
    }
}
