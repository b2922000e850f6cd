//! What did kubectl or helm say?

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a program ended and what it printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// The program and its arguments.
    pub command: String,
    /// Exit code; none if it was killed or could not be run.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

// === impl Output ===

impl Output {
    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output of a program that must have succeeded.
    ///
    /// # Panics
    ///
    /// When it failed; the message holds all that it printed.
    #[track_caller]
    #[allow(clippy::panic, reason = "for tests, which fail by panicking")]
    pub fn ok(self) -> String {
        let Self { command, code, stdout, stderr } = self;
        assert!(code == Some(0), "{command} ended with {code:?}:\n{stdout}{stderr}");
        stdout
    }
}

/// Runs `program` with admin rights, its settings and caches in `home`.
pub(crate) fn run(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    input: &str,
    kubeconfig: &Path,
    home: &Path,
) -> Output {
    let words = arguments.iter().map(|argument| argument.as_ref().to_string_lossy());
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let command = std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ");
    let attempt = || {
        let mut child = Command::new(program)
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", home)
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            // A program that does not read its input has closed the pipe; its output says why.
            let input = input.to_owned();
            std::thread::spawn(move || pipe.write_all(input.as_bytes()));
        }
        child.wait_with_output()
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match attempt() {
        Ok(output) => Output {
            command,
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        },
        Err(error) => {
            let stderr = format!("cannot run {}: {error}\n", program.display());
            Output { command, code: None, stdout: String::new(), stderr }
        }
    }
}
