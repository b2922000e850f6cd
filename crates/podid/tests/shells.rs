//! Do shells, man and kubectl take what podid prints for them?
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, reason = "these are tests")]

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use podid_testbed::Programs;

const PODID: &str = env!("CARGO_BIN_EXE_podid");

fn podid(arguments: &[&str]) -> Output {
    Command::new(PODID).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs `script` in `shell` with podid in the PATH; none, and said so, where the shell is not installed.
fn paste(shell: &str, script: &str) -> Option<String> {
    let path = format!("{}:{}", Path::new(PODID).parent().unwrap().display(), std::env::var("PATH").unwrap());
    match Command::new(shell).args(["-c", script]).env("PATH", path).output() {
        Ok(output) => Some(text(&output)),
        Err(error) => {
            // Past `eprintln!`, which the test harness keeps to itself when a test passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED: completion in {shell}: {error}");
            None
        }
    }
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let script = r#"
        source <(podid completion bash)
        complete -p podid >/dev/null
        offered() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _podid podid "${!#}" "${@: -2:1}"; echo "${COMPREPLY[@]}"; }
        offered podid expl
        offered podid crds ap
        offered podid crds apply --conte
        offered podid explain -o y
    "#;
    let Some(told) = paste("bash", script) else { return };
    assert_eq!(told, "explain\napply\n--context\nyaml\n");
}

#[test]
fn zsh_and_fish_read_their_scripts() {
    paste(
        "zsh",
        "autoload -U compinit && compinit -u && eval \"$(podid completion zsh)\" && whence -w _podid",
    );
    if let Some(told) = paste("fish", "podid completion fish | source; complete -C 'podid expl'") {
        assert!(told.contains("explain"), "{told}");
    }
}

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(text(&podid(&["completion", shell])).contains("podid"), "{shell}");
    }
}

#[test]
fn man_has_a_page_for_every_command() {
    let page = text(&podid(&["man", "crds", "apply"]));
    assert!(page.contains(".TH") && page.contains("dry\\-run") && page.contains("Exit codes"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("man1");
    text(&podid(&["man", "--folder", into.to_str().unwrap()]));
    for name in ["podid.1", "podid-explain.1", "podid-crds-apply.1"] {
        assert!(into.join(name).exists(), "{name}");
    }
    let unknown = podid(&["man", "crds", "aply"]);
    let told = String::from_utf8_lossy(&unknown.stderr);
    assert!(unknown.status.code() == Some(2) && told.contains("there are: apply, diff"), "{told}");
}

#[test]
fn kubectl_finds_podid_as_its_plug_in_and_completes_it() {
    let Some(programs) = Programs::find_or_skip("kubectl podid") else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["kubectl-podid", "kubectl_complete-podid"] {
        symlink(PODID, folder.path().join(name)).unwrap();
    }
    let kubectl = |arguments: &[&str]| {
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        Command::new(&programs.kubectl).args(arguments).env("PATH", path).output().unwrap()
    };
    assert!(text(&kubectl(&["podid", "explain", "no-label"])).starts_with("# no-label\n"));
    assert!(text(&kubectl(&["plugin", "list"])).contains("kubectl-podid"));
    let wrong = kubectl(&["podid", "explain", "--no-such-flag"]);
    let told = String::from_utf8_lossy(&wrong.stderr);
    assert!(wrong.status.code() == Some(2) && told.contains("Usage: kubectl podid explain"), "{told}");
    let offered = text(&kubectl(&["__complete", "podid", "expl"]));
    assert!(offered.starts_with("explain\t") && offered.contains("\n:4\n"), "{offered}");
}
