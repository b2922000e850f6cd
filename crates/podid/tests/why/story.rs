//! Does `podid why` give the code that NMI gave the pod, and is the pod served when that is mended?
//!
//! In a lab with the shipped controller and agents, the lab's Azure and a person who is logged in there.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podid_core::code::Code;
use podid_testbed::Programs;
use serde_json::Value;

use crate::case::until;

const TOKEN: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";

/// A lab, and what a person beside it works with.
struct Lab {
    process: Child,
    place: tempfile::TempDir,
    path: String,
}

// === impl Lab ===

impl Lab {
    fn up(programs: &Programs) -> Self {
        let place = tempfile::tempdir().unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_podid")).parent().unwrap();
        let tools = programs.kubectl.parent().unwrap();
        let path = format!("{}:{}:{}", binary.display(), tools.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_podid"));
        command.args(["lab", "up"]).env("TMPDIR", place.path()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("export KUBECONFIG=")), "the lab did not start");
        // It is read to its end, so that the lab is never held up.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, place, path }
    }

    /// Runs a script with everything that `podid lab env` sets.
    fn bash(&self, script: &str) -> Output {
        let script = format!("set -e\neval \"$(podid lab env)\"\n{script}");
        let mut command = Command::new("bash");
        command.arg("-c").arg(script).env("TMPDIR", self.place.path()).env("PATH", &self.path);
        command.env("HOME", self.place.path()).output().unwrap()
    }

    fn run(&self, script: &str) -> String {
        let output = self.bash(script);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{script}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// What NMI answers the pod `web`.
    fn asks(&self, more: &str) -> String {
        let get: PathBuf = Path::new(env!("CARGO_BIN_EXE_podid")).parent().unwrap().join("examples/get");
        let get = get.display();
        self.run(&format!(
            "podid lab exec -n my-app web -- {get} 169.254.169.254:80 '{TOKEN}{more}' 'Metadata: true'"
        ))
    }

    /// Exit code and answer of `podid why`.
    fn why(&self, arguments: &str) -> (i32, Value) {
        let output = self.bash(&format!("podid why web -n my-app -o json {arguments}"));
        let answer = serde_json::from_slice(&output.stdout);
        let answer =
            answer.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), answer)
    }

    /// Runs what mends it.
    fn mend(&self, answer: &Value) {
        let commands = answer["cross"]["mend"].as_array().unwrap();
        assert!(!commands.is_empty(), "{answer:#}");
        for command in commands {
            self.run(command.as_str().unwrap());
        }
    }

    /// Waits until nothing is broken, and every link was looked at.
    fn is_well(&self) {
        let well = until(|| {
            let (exit, answer) = self.why("");
            let seen = answer["chain"].as_array().unwrap().iter().all(|link| link["state"] == "holds");
            (exit == 0 && seen).then_some(()).ok_or(format!("{exit}: {answer:#}"))
        });
        well.unwrap_or_else(|problem| panic!("{problem}"));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGINT);
        let _ = self.process.wait();
    }
}

/// The code at the end of NMI's sentence.
fn code(answer: &str) -> &'static str {
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    Code::marked(body["error_description"].as_str().unwrap_or_default()).map_or("", Code::word)
}

const OBJECTS: &str = r#"kubectl apply -f - <<END
{"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity", "metadata": {"name": "app", "namespace": "my-app"},
  "spec": {"type": 0, "resourceID": "$IDENTITY_RESOURCE_ID", "clientID": "00000000-0000-0000-0000-000000000009"}}
---
{"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding", "metadata": {"name": "app", "namespace": "my-app"},
  "spec": {"azureIdentity": "app", "selector": "web"}}
---
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "my-app"},
  "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "image": "none", "command": ["sleep", "100000"]}]}}
END
kubectl wait pod web -n my-app --for=condition=Ready --timeout=60s"#;

/// Breaks, asks as the pod and as a person, and mends.
pub(crate) fn tell(programs: &Programs) {
    let lab = Lab::up(programs);
    lab.run(OBJECTS);

    let (exit, answer) = lab.why("");
    assert_eq!(
        (exit, code(&lab.asks("")), answer["code"].as_str()),
        (1, "no-label", Some("no-label")),
        "{answer:#}"
    );
    lab.mend(&answer);

    // The identity's author claims a client id that the identity does not have.
    let broken = until(|| {
        let (exit, answer) = lab.why("");
        let right = exit == 1 && answer["code"] == "identity-unusable";
        right.then(|| answer.clone()).ok_or(format!("{exit}: {answer:#}"))
    });
    let broken = broken.unwrap_or_else(|problem| panic!("{problem}"));
    let refused = until(|| {
        let answer = lab.asks("");
        (code(&answer) == "identity-unusable").then_some(()).ok_or(answer)
    });
    refused.unwrap_or_else(|problem| panic!("{problem}"));
    lab.mend(&broken);
    lab.is_well();
    let served = until(|| {
        let answer = lab.asks("");
        answer.starts_with("HTTP/1.1 200").then_some(()).ok_or(answer)
    });
    served.unwrap_or_else(|problem| panic!("{problem}"));

    // Nobody made the identity that the binding leads to.
    let ghost = "kubectl patch azureidentity app -n my-app --type merge -p \
                 \"{\\\"spec\\\": {\\\"resourceID\\\": \\\"${IDENTITY_RESOURCE_ID}-ghost\\\"}}\"";
    lab.run(ghost);
    let deleted = until(|| {
        let (exit, answer) = lab.why("");
        (exit == 1 && answer["code"] == "identity-deleted").then_some(()).ok_or(format!("{exit}: {answer:#}"))
    });
    deleted.unwrap_or_else(|problem| panic!("{problem}"));

    let (_, alone) = lab.why("--no-azure");
    assert!(alone["code"].is_string(), "MIC's events tell it as well: {alone:#}");
}
