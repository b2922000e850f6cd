//! How does a running process come to tell more, or less?
//!
//! On SIGHUP a file is read again: a verbosity as of `--v`, or directives as of `RUST_LOG`. Where there is none, it is
//! as at the start again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::reload;

use super::directives;

/// Applies a filter.
pub(super) type Apply = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

/// What was set up, in this process.
static SETUP: OnceLock<Setup> = OnceLock::new();

struct Setup {
    apply: Apply,
    /// The directives of the start.
    first: String,
}

/// Why the level stays as it is.
#[derive(Debug, thiserror::Error)]
enum Unchanged {
    #[error("cannot read {0}: {1}")]
    Unread(PathBuf, io::Error),
    #[error("{0} holds neither a verbosity such as 5 nor a filter such as debug: {1}")]
    Filter(PathBuf, ParseError),
    #[error("logging is not set up")]
    NoSetup,
    #[error(transparent)]
    Reload(#[from] reload::Error),
}

/// Remembers how to change what [`super::init`] has set up.
pub(super) fn remember(apply: Apply, first: String) {
    // Logging is set up once in a process.
    let _ = SETUP.set(Setup { apply, first });
}

/// Reads `file` on each SIGHUP, for as long as the process lives. Without it a SIGHUP ends the process.
///
/// Must be called within a tokio runtime. Fails only when the kernel refuses a signal handler.
pub fn follow(file: PathBuf) -> io::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            match reread(&file).await {
                // Told at every level that tells of anything.
                Ok(told) => {
                    tracing::warn!(file = %file.display(), filter = told, "SIGHUP: the log level was read again");
                }
                Err(error) => tracing::error!(%error, "SIGHUP: the log level stays as it is"),
            }
        }
    });
    Ok(())
}

async fn reread(file: &Path) -> Result<String, Unchanged> {
    let setup = SETUP.get().ok_or(Unchanged::NoSetup)?;
    let wanted = match tokio::fs::read_to_string(file).await {
        Ok(text) => wanted(&text).unwrap_or_else(|| setup.first.clone()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => setup.first.clone(),
        Err(error) => return Err(Unchanged::Unread(file.to_owned(), error)),
    };
    let filter = EnvFilter::try_new(&wanted).map_err(|error| Unchanged::Filter(file.to_owned(), error))?;
    (setup.apply)(filter)?;
    Ok(wanted)
}

/// The directives that the text of a file stands for; none if it is empty.
fn wanted(text: &str) -> Option<String> {
    let text = text.trim();
    match text.parse() {
        Ok(verbosity) => Some(directives(verbosity).to_owned()),
        Err(_) => (!text.is_empty()).then(|| text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_a_verbosity_or_directives_and_an_empty_one_nothing() {
        assert_eq!(wanted("5\n").as_deref(), Some(directives(5)));
        assert_eq!(wanted(" warn,podid_nmi=trace\n").as_deref(), Some("warn,podid_nmi=trace"));
        assert_eq!(wanted(" \n"), None);
    }
}
