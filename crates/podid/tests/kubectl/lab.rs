//! How is a lab started, driven with kubectl and stopped?

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long the lab may take to start, and anything in it to happen.
const PATIENCE: Duration = Duration::from_mins(2);
/// Variables that the lab gives to those who follow the tutorial.
const VARIABLES: [&str; 4] =
    ["IDENTITY_RESOURCE_ID", "IDENTITY_CLIENT_ID", "SUBSCRIPTION_ID", "IDENTITY_RESOURCE_GROUP"];

/// The kubectl of the folder that `PODID_ASSETS` names, or the exit code of a test that has none.
///
/// Without it the test says that its `cases` were skipped; where `CI=true`, it fails.
pub(crate) fn kubectl(test: &str, cases: usize) -> Result<OsString, ExitCode> {
    let kubectl = std::env::var_os("PODID_ASSETS").map(|folder| Path::new(&folder).join("kubectl"));
    if let Some(kubectl) = kubectl.filter(|path| path.is_file()) {
        return Ok(kubectl.into());
    }
    let fatal = std::env::var("CI").is_ok_and(|value| value.eq_ignore_ascii_case("true") || value == "1");
    println!("SKIPPED: {test}: there is no kubectl in PODID_ASSETS; run cargo xtask test, which builds one");
    let (failed, skipped) = if fatal { (cases, 0) } else { (0, cases) };
    println!("0 passed, {failed} failed, {skipped} skipped");
    Err(if fatal { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A lab that runs, and kubectl beside it.
pub(crate) struct Lab {
    process: Child,
    home: PathBuf,
    kubectl: OsString,
    /// The lab's directory for its files, and kubectl's own home, where it keeps what it discovered.
    scratch: TempDir,
}

// === impl Lab ===

impl Lab {
    pub(crate) fn start(kubectl: OsString) -> Self {
        let scratch = TempDir::new().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_podid"))
            .args(["lab", "up"])
            // Where `podid lab env` looks; another lab of this user is not there.
            .env("TMPDIR", scratch.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, told) = mpsc::channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // Reads on to the end, so that the lab never waits for a reader.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(kubeconfig) = line.strip_prefix("export KUBECONFIG=") {
                    let _ = tell.send(PathBuf::from(kubeconfig));
                }
            }
        });
        let Ok(kubeconfig) = told.recv_timeout(PATIENCE) else {
            let _ = process.kill();
            panic!("the lab did not start; its messages are above");
        };
        let home = kubeconfig.parent().unwrap().to_path_buf();
        Self { process, home, kubectl, scratch }
    }

    /// Stops the lab as Ctrl-C does, and looks for what it left.
    pub(crate) fn stop(mut self) {
        kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGINT).unwrap();
        self.process.wait().unwrap();
        assert!(!self.home.exists(), "{} is still there", self.home.display());
        let inside = format!("lab\0inside\0{}", self.home.display());
        assert_eq!(processes(&inside), 0, "the lab's inner process still runs");
    }

    /// The output of kubectl, which must succeed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "", &[]);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "kubectl {arguments:?} failed: {out}{err}");
        out.into_owned()
    }

    /// Applies manifests, which must succeed.
    pub(crate) fn apply(&self, manifests: &str) -> String {
        let output = self.run(&["apply", "--filename=-"], manifests, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Output {
        let mut kubectl = Command::new(&self.kubectl)
            .args(arguments)
            .env("KUBECONFIG", self.home.join("kubeconfig"))
            .env("HOME", self.scratch.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A kubectl that does not read it has closed the pipe; its output says why.
        let _ = kubectl.stdin.take().unwrap().write_all(input.as_bytes());
        kubectl.wait_with_output().unwrap()
    }

    /// Runs a script that finds podid, kubectl and this lab, and stops at the first command that fails.
    #[allow(dead_code, reason = "only the tutorial's test pastes")]
    pub(crate) fn paste(&self, script: &str) -> Output {
        let programs = [Path::new(env!("CARGO_BIN_EXE_podid")), Path::new(&self.kubectl)];
        let folders = programs.iter().filter_map(|program| program.parent()).map(Path::to_owned);
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(folders.chain(std::env::split_paths(&others))).unwrap();
        Command::new("bash")
            .args(["-e", "-u", "-c", script])
            .current_dir(self.scratch.path())
            .env("PATH", path)
            .env("HOME", self.scratch.path())
            .env("TMPDIR", self.scratch.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// A variable that the lab gives to those who follow the tutorial.
    fn variable(&self, name: &str) -> String {
        let all = std::fs::read_to_string(self.home.join("env")).unwrap();
        let value = all.lines().find_map(|line| line.strip_prefix(&format!("export {name}='")));
        value.unwrap().trim_end_matches('\'').to_owned()
    }

    /// Everything of the tutorial, in a namespace of these cases.
    pub(crate) fn tutorial(&self) -> String {
        let with = |text: String, name: &&str| text.replace(&format!("${name}"), &self.variable(name));
        VARIABLES.iter().fold(include_str!("tutorial.yaml").to_owned(), with)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

/// Waits for something to come true.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// How many processes of this machine have `part` in their command line, whose words end with NUL.
pub(crate) fn processes(part: &str) -> usize {
    let processes = std::fs::read_dir(Path::new("/proc")).unwrap().map_while(Result::ok);
    let lines = processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(part)).count()
}
