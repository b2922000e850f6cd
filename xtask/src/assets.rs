//! Which folder holds the programs of others that the tests need, and what is missing there?
//!
//! Each program is taken from the folder that `KUBEBUILDER_ASSETS` names, if it is there, else built from its Go
//! module under `testassets/`, or installed with pip from the packages pinned there. Tests find them all in one folder, which `PODID_ASSETS` names.

mod build;
mod folder;
mod given;
mod go;
mod pip;
mod program;

use std::path::PathBuf;

pub(crate) use self::program::{Kubernetes, Program};

use self::build::Builder;
use self::given::Given;
use self::go::Go;
use self::pip::Python;
use crate::workspace::Workspace;

/// The folder that tests are given, and what is not in it.
#[derive(Debug)]
pub(crate) struct Assets {
    /// Where the programs are.
    pub(crate) folder: PathBuf,
    /// Those that are not there, as they could not be built.
    pub(crate) missing: Vec<Program>,
    /// Why they could not be built; empty if nothing is missing.
    pub(crate) reason: String,
}

// === impl Assets ===

impl Assets {
    /// An error that says why, if a program is missing.
    pub(crate) fn require_all(&self) -> anyhow::Result<()> {
        let names: Vec<_> = self.missing.iter().map(ToString::to_string).collect();
        anyhow::ensure!(names.is_empty(), "{} could not be built: {}", names.join(", "), self.reason);
        Ok(())
    }
}

/// Gathers every program, and builds those that are neither given nor built already.
///
/// Without a usable Go or Python the others are `missing`; an error means that a build failed. Those with an
/// Azure SDK are missing where their build failed.
pub(crate) fn prepare(workspace: &Workspace, wanted: Option<Kubernetes>) -> anyhow::Result<Assets> {
    gather(workspace, wanted, true)
}

/// Gathers the programs that are there already, without building anything.
pub(crate) fn present(workspace: &Workspace, wanted: Option<Kubernetes>) -> anyhow::Result<Assets> {
    gather(workspace, wanted, false)
}

fn gather(workspace: &Workspace, wanted: Option<Kubernetes>, build: bool) -> anyhow::Result<Assets> {
    let sources = workspace.root.join("testassets");
    let target = workspace.target.join("testassets");
    let given = Given::from_env(wanted)?;
    let kubernetes = wanted.unwrap_or_default();
    let go = Go::find(&sources)?;
    let python = Python::find();
    let (go_here, python_here) = (go.as_ref().ok(), python.as_ref().ok());
    let builder =
        Builder { sources: &sources, target: &target, kubernetes, go: go_here, python: python_here };
    let (mut found, mut missing, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for program in Program::ALL {
        if let Some(path) = given.path(program) {
            found.push((program, path));
            continue;
        }
        if build && builder.is_buildable(program) && !builder.is_built(program) {
            match builder.build(program) {
                Ok(()) => {}
                // Whoever has the others given works without a network, too.
                Err(why) if program.is_sdk() => reasons.push(format!("{why:#}")),
                Err(why) => return Err(why),
            }
        }
        if builder.is_built(program) {
            found.push((program, builder.path(program)));
        } else {
            missing.push(program);
        }
    }
    let folder = folder::assemble(&kubernetes.folder(&target), given.is_used(), &found)?;
    reasons.extend(go.err().map(|why| why.to_string()));
    reasons.extend(python.err().map(|why| why.to_string()));
    let reason = reasons.join("; ");
    Ok(Assets { folder, missing, reason })
}
