//! How is a program run so that people see its output at once and we can count its tests?

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::Context;

use crate::leak::holds_token;
use crate::tally::{Findings, Tally};

/// Runs a program whose success is one check.
pub(crate) fn check(mut command: Command) -> anyhow::Result<Tally> {
    let status = command.status().with_context(|| cannot_run(&command))?;
    Ok(if status.success() { Tally::PASSED } else { Tally::FAILED })
}

/// Runs a program that prints closing lines of tests, and adds them up; what it says that it skipped is kept.
///
/// A token in its output is a failure. A program that fails without having counted a failure (it did not compile, or it crashed) is one failure
/// more; one that succeeds without having counted anything ran no test, and that is a failure too.
pub(crate) fn tests(mut command: Command) -> anyhow::Result<Findings> {
    if std::io::stderr().is_terminal() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    tests_to(command, &mut std::io::stdout(), &mut std::io::stderr())
}

fn tests_to(
    mut command: Command,
    out: &mut (impl Write + Send),
    err: &mut (impl Write + Send),
) -> anyhow::Result<Findings> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_run(&command))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut findings = thread::scope(|scope| {
        let err = scope.spawn(|| stderr.map_or_else(|| Ok(Findings::default()), |from| copy(from, err)));
        let mut findings = stdout.map_or_else(|| Ok(Findings::default()), |from| copy(from, out))?;
        findings += err.join().map_err(|_| anyhow::anyhow!("its standard error could not be read"))??;
        anyhow::Ok(findings)
    })?;
    let status = child.wait().with_context(|| cannot_run(&command))?;
    let no_test = findings.tally == Tally::default();
    if no_test && status.success() {
        eprintln!("no test was run");
    }
    if no_test || (findings.tally.failed == 0 && !status.success()) {
        findings.tally += Tally::FAILED;
    }
    Ok(findings)
}

/// Copies lines and takes note of those that count tests; in place of one with a token it says so.
fn copy(from: impl Read, to: &mut impl Write) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let mut lines = BufReader::new(from);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        if holds_token(&text) {
            writeln!(to, "LEAK: here a test printed a token, which is not repeated")?;
            findings.tally += Tally::FAILED;
        } else {
            to.write_all(&line)?;
            findings.note(text.trim_end());
        }
        to.flush()?;
        line.clear();
    }
    Ok(findings)
}

fn cannot_run(command: &Command) -> String {
    format!("cannot run {}", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell that plays a test program.
    fn program(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// What it counts; its output must not get among ours, where it would count as well.
    fn tests(script: &str) -> Tally {
        tests_to(program(script), &mut std::io::sink(), &mut std::io::sink()).unwrap().tally
    }

    #[test]
    fn several_programs_in_one_output_add_up() {
        let output = b"running 2 tests\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
            \xff\n\
            4 passed, 0 failed, 1 skipped";
        let mut copy = Vec::new();
        let findings = super::copy(&output[..], &mut copy).unwrap();
        assert_eq!(findings.tally, Tally { passed: 5, failed: 1, skipped: 1 });
        assert_eq!(copy, output);
    }

    #[test]
    fn a_printed_token_is_a_failure_and_goes_no_further() {
        let token =
            ["eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9", "eyJhdWQiOiJodHRwczovL3ZhdWx0In0", "c2ln"].join(".");
        let mut copy = Vec::new();
        let text = format!("got {token}\n1 passed, 0 failed\n");
        let tally = super::copy(text.as_bytes(), &mut copy).unwrap().tally;
        assert_eq!((tally.passed, tally.failed), (1, 1));
        assert!(!String::from_utf8(copy).unwrap().contains("eyJ"));
    }

    #[test]
    fn a_program_that_fails_without_counting_a_failure_is_one() {
        assert_eq!(tests("exit 101"), Tally::FAILED);
        let crashed = tests("echo 3 passed, 0 failed; exit 1");
        assert_eq!((crashed.passed, crashed.failed), (3, 1));
        let counted = tests("echo 3 passed, 2 failed; exit 1");
        assert_eq!((counted.passed, counted.failed), (3, 2));
    }

    #[test]
    fn what_is_said_on_standard_error_is_heard_and_passed_on() {
        let script = "echo 'SKIPPED: chart: no helm' >&2; echo 1 passed, 0 failed";
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let findings = tests_to(program(script), &mut out, &mut err).unwrap();
        assert_eq!(
            findings,
            Findings { tally: Tally::PASSED, skips: vec!["SKIPPED: chart: no helm".into()] }
        );
        assert_eq!(err, b"SKIPPED: chart: no helm\n");
    }

    #[test]
    fn a_program_that_runs_no_test_has_not_passed() {
        assert_eq!(tests("true"), Tally::FAILED);
    }

    #[test]
    fn a_check_passes_or_fails_and_a_missing_program_is_named() {
        assert_eq!(check(program("true")).unwrap(), Tally::PASSED);
        assert_eq!(check(program("false")).unwrap(), Tally::FAILED);
        let error = check(Command::new("no-such-program")).unwrap_err();
        assert!(error.to_string().contains("no-such-program"));
    }
}
