//! Where do lines go, and what if they cannot go there?
//!
//! A file that was moved away or deleted, as whoever rotates logs does, is opened anew under its name: no signal is
//! needed for it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Who may read a new file: its owner and its group.
const MODE: u32 = 0o640;

/// Where lines go.
#[derive(Debug)]
pub struct Sink {
    file: File,
    /// The name under which it is opened anew; a pipe has none.
    path: Option<PathBuf>,
    /// Whether the last line is there in part only.
    pub(super) torn: bool,
    failing: bool,
}

/// A place that cannot be written to.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {place}: {source}; name another file, or - for standard output")]
pub struct OpenError {
    place: String,
    source: io::Error,
}

// === impl Sink ===

impl Sink {
    /// The end of the file at `path`, which is made if it does not exist.
    pub fn file(path: PathBuf) -> Result<Self, OpenError> {
        match open(&path) {
            Ok(file) => Ok(Self { file, path: Some(path), torn: false, failing: false }),
            Err(source) => Err(OpenError { place: path.display().to_string(), source }),
        }
    }

    /// This process's standard output.
    pub fn stdout() -> Result<Self, OpenError> {
        match io::stdout().as_fd().try_clone_to_owned() {
            Ok(output) => Ok(Self::pipe(output.into())),
            Err(source) => Err(OpenError { place: "standard output".to_owned(), source }),
        }
    }

    pub(super) fn pipe(file: File) -> Self {
        Self { file, path: None, torn: false, failing: false }
    }

    /// Writes whole lines, and says how many were lost.
    pub(super) fn write(&mut self, lines: &[u8]) -> u64 {
        self.follow();
        let outcome = if std::mem::take(&mut self.torn) {
            // What was left of the torn line shall not spoil another one.
            self.file.write_all(b"\n").map_err(|error| (0, error))
        } else {
            Ok(())
        };
        match outcome.and_then(|()| write(&mut self.file, lines)) {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!(to = %self.place(), "lines can be written again");
                }
                0
            }
            Err((written, error)) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(to = %self.place(), %error, "lines cannot be written and are lost");
                }
                let (there, left) = lines.split_at(written);
                self.torn = there.last().is_some_and(|last| *last != b'\n');
                left.split_inclusive(|byte| *byte == b'\n').count() as u64
            }
        }
    }

    /// Opens the file anew if its name no longer leads to it. Until that works, the old one is written to.
    fn follow(&mut self) {
        let Some(path) = &self.path else { return };
        let same = |file: &File| {
            let (now, open) = (std::fs::metadata(path)?, file.metadata()?);
            io::Result::Ok((now.dev(), now.ino()) == (open.dev(), open.ino()))
        };
        if !same(&self.file).unwrap_or(false)
            && let Ok(file) = open(path)
        {
            self.file = file;
            self.torn = false;
        }
    }

    fn place(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard output".to_owned(), |path| path.display().to_string())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(MODE).open(path)
}

/// As `write_all`, but says how much was written before it failed.
fn write(file: &mut File, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}
