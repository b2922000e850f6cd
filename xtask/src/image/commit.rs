//! Which commit is built, and what is the time in everything that is made of it?

use anyhow::Context;

use crate::workspace::Workspace;

/// Set by packagers, so that all that they build has one time.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Where the sources stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its full hash, with "-dirty" behind it where files differ from it; None outside of a repository.
    pub(crate) revision: Option<String>,
    /// Seconds since 1970.
    pub(crate) time: u64,
}

// === impl Commit ===

impl Commit {
    /// Asks git. `SOURCE_DATE_EPOCH`, if set, is the time, as other build tools have it.
    pub(crate) fn read(workspace: &Workspace) -> anyhow::Result<Self> {
        let git = |arguments: [&str; 3]| -> Option<String> {
            let output = workspace.command("git", arguments).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        let changed =
            git(["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
        let mut revision = git(["rev-parse", "--verify", "HEAD"]);
        if changed && let Some(revision) = &mut revision {
            eprintln!("note: files differ from the last commit, so nobody can build this image again");
            revision.push_str("-dirty");
        }
        let time = match std::env::var(EPOCH) {
            Ok(text) => {
                text.parse().with_context(|| format!("{EPOCH} is {text:?}, not a number of seconds"))?
            }
            Err(_) => {
                git(["log", "-1", "--format=%ct"]).and_then(|text| text.parse().ok()).with_context(|| {
                    format!("this is no git repository; set {EPOCH} to the time of the sources")
                })?
            }
        };
        Ok(Self { revision, time })
    }
}
