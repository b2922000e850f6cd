//! How is a program built, and when is it built again?
//!
//! Only when its module or the toolchain has changed: what it was built from stands in a file beside it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;

use super::go::Go;
use super::pip::Python;
use super::program::{Kubernetes, Module, Program, Source, required};

/// Builds programs of one version of Kubernetes, and finds those that it built.
pub(crate) struct Builder<'a> {
    /// The folder of the modules.
    pub(crate) sources: &'a Path,
    /// The folder that the programs go to.
    pub(crate) target: &'a Path,
    pub(crate) kubernetes: Kubernetes,
    /// Without it nothing can be built with Go, and what was built with any Go is taken.
    pub(crate) go: Option<&'a Go>,
    /// The same for what is installed with Python.
    pub(crate) python: Option<&'a Python>,
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
        path.is_file() && built_from == sources && self.tool(program).is_none_or(|tool| tool == version)
    }

    /// Whether what it is made with is here.
    pub(crate) fn is_buildable(&self, program: Program) -> bool {
        self.tool(program).is_some()
    }

    /// The version of what it is made with.
    fn tool(&self, program: Program) -> Option<&str> {
        match program.source(self.kubernetes) {
            Source::Go(_) => self.go.map(|go| go.version.as_str()),
            Source::Pip(_) => self.python.map(|python| python.version.as_str()),
        }
    }

    /// Builds it. Nothing half-built is ever at its path.
    pub(crate) fn build(&self, program: Program) -> anyhow::Result<()> {
        let path = self.path(program);
        let home = path.parent().context("the program has no folder")?;
        fs::create_dir_all(home).with_context(|| format!("cannot create {}", home.display()))?;
        let start = Instant::now();
        let tool = self.tool(program).context("what it is made with is not here")?;
        let stamp = format!("{tool}\n{}", self.read_sources(program)?);
        match program.source(self.kubernetes) {
            Source::Go(module) => self.build_with_go(program, &module, &path)?,
            Source::Pip(folder) => self.install(program, folder, &path)?,
        }
        fs::write(stamp_of(&path), stamp)
            .with_context(|| format!("cannot write beside {}", path.display()))?;
        eprintln!("built {program} in {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    fn install(&self, program: Program, folder: &str, path: &Path) -> anyhow::Result<()> {
        let python = self.python.context("nothing can be installed without Python")?;
        eprintln!("installing {program} with Python {}", python.version);
        let requirements = self.sources.join(folder).join("requirements.txt");
        let environment = self.target.join(folder);
        python.install(&requirements, &environment, path).with_context(|| format!("cannot install {program}"))
    }

    fn build_with_go(&self, program: Program, module: &Module, path: &Path) -> anyhow::Result<()> {
        let go = self.go.context("nothing can be built without Go")?;
        let folder = self.sources.join(&module.folder);
        let go_mod = fs::read_to_string(folder.join("go.mod"))?;
        let version = required(&go_mod, module.path)
            .with_context(|| format!("{}/go.mod does not require {}", folder.display(), module.path))?;
        eprintln!("building {program} {version} with {}; once, it may take some minutes", go.version);
        let new = path.with_extension(format!("new-{}", std::process::id()));
        let mut command = go.command(&folder);
        command.args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"]);
        command.arg(program.linker_flags(version, &go_mod)).arg("-o").arg(&new).arg(module.package);
        if let Some(failure) = run(command)? {
            let _ = fs::remove_file(&new);
            anyhow::bail!("cannot build {program} {version}: {}", failure.next_step());
        }
        fs::rename(&new, path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Everything but the toolchain that decides what the build gives.
    fn read_sources(&self, program: Program) -> anyhow::Result<String> {
        let (folder, files): (_, &[_]) = match program.source(self.kubernetes) {
            // A module of ours has a program; the others only name theirs.
            Source::Go(Module { folder, package: ".", .. }) => (folder, &["go.mod", "go.sum", "main.go"]),
            Source::Go(Module { folder, .. }) => (folder, &["go.mod", "go.sum"]),
            Source::Pip(folder) => (folder.to_owned(), &["requirements.txt"]),
        };
        let mut sources = String::new();
        for name in files {
            let file = self.sources.join(&folder).join(name);
            sources +=
                &fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        }
        if let Source::Go(module) = program.source(self.kubernetes) {
            let version = required(&sources, module.path).unwrap_or_default();
            sources += &program.linker_flags(version, &sources);
        }
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
        let builder = Builder {
            sources: &sources,
            target: &target,
            kubernetes: Kubernetes::default(),
            go: None,
            python: None,
        };
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
