//! How is a program built, and when is it built again?
//!
//! Only when its module or the Go toolchain has changed: what it was built from stands in a file beside it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;

use super::go::Go;
use super::program::{Kubernetes, Program, required};

/// Builds programs of one version of Kubernetes, and finds those that it built.
pub(crate) struct Builder<'a> {
    /// The folder of the modules.
    pub(crate) sources: &'a Path,
    /// The folder that the programs go to.
    pub(crate) target: &'a Path,
    pub(crate) kubernetes: Kubernetes,
    /// Without it nothing can be built, and what was built with any Go is taken.
    pub(crate) go: Option<&'a Go>,
}

/// Why a build failed, as far as we know better than Go what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    NoSpace,
    NoNetwork,
    Other,
}

// === impl Builder ===

impl Builder<'_> {
    /// Where the program is, once it is built.
    pub(crate) fn path(&self, program: Program) -> PathBuf {
        let version = if program.is_of_kubernetes() { self.kubernetes } else { Kubernetes::default() };
        version.folder(self.target).join(program.name())
    }

    /// Whether it is there, built from what its module says now.
    pub(crate) fn is_built(&self, program: Program) -> bool {
        let path = self.path(program);
        let Ok(built_from) = fs::read_to_string(stamp_of(&path)) else { return false };
        let Ok(sources) = self.read_sources(program) else { return false };
        let Some((version, built_from)) = built_from.split_once('\n') else { return false };
        path.is_file() && built_from == sources && self.go.is_none_or(|go| go.version == version)
    }

    /// Builds it. Nothing half-built is ever at its path.
    pub(crate) fn build(&self, program: Program) -> anyhow::Result<()> {
        let go = self.go.context("nothing can be built without Go")?;
        let module = program.module(self.kubernetes);
        let folder = self.sources.join(&module.folder);
        let path = self.path(program);
        let go_mod = fs::read_to_string(folder.join("go.mod"))?;
        let version = required(&go_mod, module.path)
            .with_context(|| format!("{}/go.mod does not require {}", folder.display(), module.path))?;
        eprintln!("building {program} {version} with {}; once, it may take some minutes", go.version);
        let start = Instant::now();
        let stamp = format!("{}\n{}", go.version, self.read_sources(program)?);
        let home = path.parent().context("the program has no folder")?;
        fs::create_dir_all(home).with_context(|| format!("cannot create {}", home.display()))?;
        let new = path.with_extension(format!("new-{}", std::process::id()));
        let mut command = go.command(&folder);
        command.args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"]);
        command.arg(program.linker_flags(version, &go_mod)).arg("-o").arg(&new).arg(module.package);
        if let Some(failure) = run(command)? {
            let _ = fs::remove_file(&new);
            anyhow::bail!("cannot build {program} {version}: {}", failure.next_step());
        }
        fs::rename(&new, &path)
            .and_then(|()| fs::write(stamp_of(&path), stamp))
            .with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("built {program} in {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    /// Everything but the toolchain that decides what the build gives.
    fn read_sources(&self, program: Program) -> anyhow::Result<String> {
        let folder = self.sources.join(program.module(self.kubernetes).folder);
        let mut sources = String::new();
        for name in ["go.mod", "go.sum"] {
            let file = folder.join(name);
            sources +=
                &fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        }
        let version = required(&sources, program.module(self.kubernetes).path).unwrap_or_default();
        sources += &program.linker_flags(version, &sources);
        Ok(sources)
    }
}

// === impl Failure ===

impl Failure {
    /// What Go's messages mean.
    fn of(messages: &str) -> Self {
        let says = |texts: &[&str]| texts.iter().any(|text| messages.contains(text));
        if says(&["no space left on device", "disk quota exceeded"]) {
            Self::NoSpace
        } else if says(&["dial tcp", "proxyconnect tcp", "TLS handshake timeout", "no such host"]) {
            Self::NoNetwork
        } else {
            Self::Other
        }
    }

    const fn next_step(self) -> &'static str {
        match self {
            Self::NoSpace => {
                "the disk is full; free about 6 GB, or set GOCACHE, GOMODCACHE, TMPDIR or CARGO_TARGET_DIR to \
                 folders on another disk"
            }
            Self::NoNetwork => {
                "its modules could not be downloaded; see Go's messages above, and set GOPROXY if the usual proxy \
                 cannot be reached from here"
            }
            Self::Other => "go build failed, its messages are above",
        }
    }
}

/// What a program was built from stands beside it.
fn stamp_of(program: &Path) -> PathBuf {
    program.with_extension("stamp")
}

/// Runs Go, with its messages on our standard error.
fn run(mut command: std::process::Command) -> anyhow::Result<Option<Failure>> {
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot run go build")?;
    let mut messages = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line.context("cannot read what go build says")?;
            writeln!(std::io::stderr(), "{line}")?;
            messages += &line;
            messages.push('\n');
        }
    }
    let status = child.wait().context("cannot run go build")?;
    Ok((!status.success()).then(|| Failure::of(&messages)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn what_go_says_decides_what_to_do_next() {
        for (messages, failure) in [
            ("compile: writing output: write $WORK/b1/_pkg_.a: no space left on device\n", Failure::NoSpace),
            ("go: helm.sh/helm/v3@v3.19.5: dial tcp 10.0.0.1:443: i/o timeout\n", Failure::NoNetwork),
            ("# x\n./main.go:3:1: syntax error\n", Failure::Other),
        ] {
            assert_eq!(Failure::of(messages), failure, "{messages}");
            assert!(!failure.next_step().contains('\n'));
        }
    }

    #[test]
    fn a_program_counts_as_built_until_its_module_changes() {
        let folder = TempDir::new().unwrap();
        let (sources, target) = (folder.path().join("sources"), folder.path().join("target"));
        fs::create_dir_all(sources.join("etcd")).unwrap();
        fs::create_dir(&target).unwrap();
        let write = |name: &str, text: &str| fs::write(sources.join("etcd").join(name), text).unwrap();
        write("go.mod", "go 1.24.0\n");
        write("go.sum", "");
        let builder =
            Builder { sources: &sources, target: &target, kubernetes: Kubernetes::default(), go: None };
        assert!(!builder.is_built(Program::Etcd));
        let stamp = format!("go1.24.0\n{}", builder.read_sources(Program::Etcd).unwrap());
        fs::write(stamp_of(&builder.path(Program::Etcd)), stamp).unwrap();
        assert!(!builder.is_built(Program::Etcd), "there is no program, only its stamp");
        fs::write(builder.path(Program::Etcd), "").unwrap();
        assert!(builder.is_built(Program::Etcd));
        write("go.mod", "go 1.25.0\n");
        assert!(!builder.is_built(Program::Etcd));
    }
}
