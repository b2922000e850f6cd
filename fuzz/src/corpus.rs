//! From which inputs does a run begin, and where does it keep what it found?

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// An input and the name of its file.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub bytes: Vec<u8>,
}

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join("request")
}

/// What SDKs send, what the agent refuses, and what once broke it.
pub fn read() -> anyhow::Result<Vec<Named>> {
    let mut inputs = Vec::new();
    for folder in [folder("corpus"), folder("crashes")] {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("cannot list {}", folder.display()))?,
        };
        for entry in entries {
            let path = entry?.path();
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            inputs.push(Named { name, bytes });
        }
    }
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(inputs)
}

/// Keeps an input that broke something, named after its bytes; later runs begin with it.
pub fn keep(input: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = folder("crashes");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{:016x}.http", digest(input)));
    fs::write(&path, input).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// FNV-1a: a name that is the same wherever the same input is found.
fn digest(input: &[u8]) -> u64 {
    input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
