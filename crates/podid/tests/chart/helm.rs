//! What does the real helm make of the chart?

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use podid_testbed::Programs;
use serde_json::Value;

use crate::difference::Objects;

/// The values without which nothing is installed.
pub(crate) const IMAGE: [&str; 2] = ["--set=image.repository=r.example/podid", "--set-string=image.tag=1"];

/// The namespace that charts are rendered for.
pub(crate) const NAMESPACE: &str = "podid";

/// A helm, and a place for its caches.
pub(crate) struct Helm {
    program: PathBuf,
    home: tempfile::TempDir,
}

/// The folder of the chart.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/podid")
}

/// What a program said, for messages and comparison.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

// === impl Helm ===

impl Helm {
    /// `None`, after one loud line, where there is no helm.
    pub(crate) fn find_or_skip(test: &str) -> Option<Self> {
        let program = Programs::find_or_skip(test)?.helm;
        Some(Self { program, home: tempfile::tempdir().unwrap() })
    }

    /// Runs helm away from the user's own settings.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let home = self.home.path();
        Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("HELM_CACHE_HOME", home.join("cache"))
            .output()
            .unwrap()
    }

    /// `helm template`, for a cluster of today.
    pub(crate) fn template(&self, arguments: &[&str]) -> Output {
        let chart = chart();
        let head = ["template", "podid", chart.to_str().unwrap(), "--namespace", NAMESPACE];
        self.run(&[&head, &["--kube-version=1.34.0"] as &[_], arguments].concat())
    }

    /// What would be installed with these values, and the image.
    pub(crate) fn objects(&self, arguments: &[&str]) -> Objects {
        let output = self.template(&[&IMAGE, arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        crate::difference::index(documents(&String::from_utf8(output.stdout).unwrap()))
    }
}

/// The objects of a manifest.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple::<Value>(yaml).unwrap().into_iter().filter(Value::is_object).collect()
}
