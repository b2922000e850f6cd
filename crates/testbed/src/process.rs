//! How is a program of the control plane started, watched and ended?

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::StartError;

/// How long a program may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at whether it is.
const GLANCE: Duration = Duration::from_millis(20);
/// How much of a log an error quotes.
const LINES: usize = 8;
const BYTES: u64 = 16 * 1024;

/// A program that runs in the background. Ends with its owner.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

// === impl Process ===

impl Process {
    /// Starts `program` in `folder`, whose log goes to `folder`/`name`.log, in the process group `group`, or in one of
    /// its own.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        folder: &Path,
        group: i32,
    ) -> Result<Self, StartError> {
        let log = folder.join(format!("{name}.log"));
        let unwritable = |problem| StartError::Folder { folder: folder.to_path_buf(), problem };
        let output = File::options().create(true).append(true).open(&log).map_err(unwritable)?;
        let errors = output.try_clone().map_err(unwritable)?;
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .process_group(group)
            // Its settings are its arguments; a proxy or a KUBECONFIG of ours is not meant for it.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|problem| StartError::Program { program: program.to_path_buf(), problem })?;
        Ok(Self { name, log, child })
    }

    pub(crate) fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Waits until `ready` holds. Fails when the program ends before, or takes too long.
    pub(crate) fn until(&mut self, mut ready: impl FnMut() -> bool) -> Result<(), StartError> {
        let start = Instant::now();
        while !ready() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(StartError::Ended { program: self.name, status, log: self.last_words() });
            }
            if start.elapsed() > PATIENCE {
                let seconds = PATIENCE.as_secs();
                return Err(StartError::Late { program: self.name, seconds, log: self.last_words() });
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| format!("(none: {error})"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a file, however long it is.
fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    Ok(if last.is_empty() { "(none)".to_owned() } else { last.join("\n") })
}
