//! What remains when the control plane ends, or when the test is killed? Nothing.
//!
//! A guard, a small shell, holds the other end of a pipe. When the pipe closes, because we say so or because our process
//! is gone, it kills the group that all programs of the control plane are in and removes their folder. It needs no
//! thread of ours to live on, unlike a signal at the parent's death, which comes when the thread that started a program
//! ends.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::error::StartError;

/// Keeps the folder for a look at its logs, if it is set.
const KEEP: &str = "PODID_TESTBED_KEEP";

/// Reads the group, waits for the end, and cleans up. Killed programs need a moment to be gone. `kill` has no `--` in every
/// shell.
const GUARD: &str = r#"
read -r group
read -r ended
if [ -n "$group" ] && [ -z "$ended" ]; then
    kill -KILL "-$group"
    for moment in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 "-$group" && sleep 0.1
    done
fi
[ -n "$2" ] || rm -rf -- "$1"
"#;

/// A private folder, and the guard that removes it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    guard: Child,
}

// === impl Folder ===

impl Folder {
    pub(crate) fn new() -> Result<Self, StartError> {
        let parent = std::env::temp_dir();
        let failed = |problem| StartError::Folder { folder: parent.clone(), problem };
        let private = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new()
            .prefix("podid-testbed-")
            .permissions(private)
            .tempdir()
            .map_err(failed)?;
        let path = folder.path().to_path_buf();
        let keep = std::env::var_os(KEEP).unwrap_or_default();
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "podid-testbed-guard"])
            .arg(&path)
            .arg(&keep)
            .current_dir("/")
            // A Ctrl-C in the terminal must not end the guard before it has done its work.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|problem| StartError::Program { program: PathBuf::from("/bin/sh"), problem })?;
        // From here on the guard is responsible for it.
        let path = folder.keep();
        if !keep.is_empty() {
            eprintln!("{KEEP} is set: the files stay in {}", path.display());
        }
        Ok(Self { path, guard })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells the guard which process group to kill.
    pub(crate) fn watch(&mut self, group: i32) -> Result<(), StartError> {
        self.tell(&group.to_string())
            .map_err(|problem| StartError::Folder { folder: self.path.clone(), problem })
    }

    fn tell(&mut self, line: &str) -> std::io::Result<()> {
        self.guard.stdin.as_mut().map_or(Ok(()), |pipe| writeln!(pipe, "{line}"))
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf, StartError> {
        let file = self.path.join(name);
        std::fs::write(&file, content)
            .map_err(|problem| StartError::Folder { folder: self.path.clone(), problem })?;
        Ok(file)
    }
}

impl Drop for Folder {
    /// The programs have been ended by their owners, so their group's number may belong to others now.
    fn drop(&mut self) {
        let _ = self.tell("ended");
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
