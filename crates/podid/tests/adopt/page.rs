//! Which commands does the page give for a step, and what happens when they are pasted?

use std::process::{Command, Output};

use crate::{Cluster, root};

/// The page.
pub(crate) const PAGE: &str = include_str!("../../../../docs/how-to/adopt.md");

/// The commands below the comment `<!-- step: NAME -->`.
pub(crate) fn step(name: &str) -> String {
    let (_, rest) =
        PAGE.split_once(&format!("<!-- step: {name} -->\n")).unwrap_or_else(|| panic!("no step {name}"));
    let block = rest.strip_prefix("```sh\n").unwrap_or_else(|| panic!("no block after step {name}"));
    block.split("\n```").next().unwrap().to_owned()
}

// === impl Cluster ===

impl Cluster {
    /// Pastes the blocks of these steps into a shell that knows the page's variables.
    pub(crate) fn paste(&self, variables: &[(&str, &str)], steps: &[&str]) -> Output {
        let text = steps.iter().map(|name| step(name)).collect::<Vec<_>>().join("\n");
        let programs = self.programs.kubectl.parent().unwrap();
        let podid = std::path::Path::new(env!("CARGO_BIN_EXE_podid")).parent().unwrap();
        let path = format!("{}:{}:{}", programs.display(), podid.display(), std::env::var("PATH").unwrap());
        // The page says where the chart is as seen from the repository; what its commands write stays here.
        let place = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root().join("charts"), place.path().join("charts")).unwrap();
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", &text])
            .current_dir(&place)
            .env("PATH", path)
            .env("HOME", self.plane.folder())
            .env("KUBECONFIG", self.plane.admin_kubeconfig())
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// What steps print that must succeed.
    pub(crate) fn follow(&self, variables: &[(&str, &str)], steps: &[&str]) -> String {
        let output = self.paste(variables, steps);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{steps:?}: {out}{err}");
        out.into_owned()
    }
}
