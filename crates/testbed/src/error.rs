//! What can go wrong with a control plane, and what is to be done then?

use std::path::PathBuf;
use std::process::ExitStatus;

/// The control plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder for its files cannot be made or written.
    #[error("cannot write the control plane's files in {}: {problem}; set TMPDIR to a folder with 500 MB of free space", folder.display())]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// The system's words.
        problem: std::io::Error,
    },
    /// Something listens on the port that was asked for, or no port is free.
    #[error("port {port} of 127.0.0.1 cannot be had: {problem}; end what uses it, or ask for another one")]
    Port {
        /// Which port; 0 stands for any.
        port: u16,
        /// The system's words.
        problem: nix::Error,
    },
    /// The system does not run a program.
    #[error("cannot run {}: {problem}; build it again with `cargo xtask test`, or check PODID_ASSETS", program.display())]
    Program {
        /// Its path.
        program: PathBuf,
        /// The system's words.
        problem: std::io::Error,
    },
    /// A program ended instead of starting up.
    #[error("{program} ended while it started ({status}); {REMEDY}. Its last words:\n{log}")]
    Ended {
        /// Its name.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// A program runs but was not ready in time.
    #[error(
        "{program} was not ready after {seconds} s; is the machine overloaded? {REMEDY}. Its last words:\n{log}"
    )]
    Late {
        /// Its name.
        program: &'static str,
        /// How long it had.
        seconds: u64,
        /// The last lines of its log.
        log: String,
    },
    /// Certificates or a client cannot be made. There is nothing to retry: the build is wrong.
    #[error("cannot make {what}: {problem}")]
    Unusable {
        /// A certificate, or a client.
        what: &'static str,
        /// The library's words.
        problem: String,
    },
}

/// What a reader of a failed start can do.
const REMEDY: &str = "set PODID_TESTBED_KEEP=1 to keep its folder with the whole log";

/// A running control plane did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server refused, or did not answer.
    #[error("cannot {doing}: {problem}")]
    Call {
        /// What was asked for.
        doing: String,
        /// The answer.
        problem: Box<kube::Error>,
    },
    /// A file cannot be read or written, or a socket not be used.
    #[error("cannot {doing}: {problem}")]
    Files {
        /// What was asked for.
        doing: String,
        /// The system's words.
        problem: std::io::Error,
    },
    /// What came back is not what the contract says.
    #[error("cannot {doing}: unexpected answer {answer:?}")]
    Unexpected {
        /// What was asked for.
        doing: String,
        /// The beginning of the answer.
        answer: String,
    },
    /// The API server did not start again.
    #[error(transparent)]
    Start(#[from] StartError),
}
