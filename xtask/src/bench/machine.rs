//! What kind of machine is this?

use std::fs;

use anyhow::Context;

use crate::image::rust_version;
use crate::workspace::Workspace;

/// A line about it, for whoever reads figures that were measured here.
pub(crate) fn describe(workspace: &Workspace) -> anyhow::Result<String> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
    let (processors, memory, kernel) =
        (read("/proc/cpuinfo")?, read("/proc/meminfo")?, read("/proc/sys/kernel/osrelease")?);
    let model = value(&processors, "model name").unwrap_or("unknown processors");
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kibibytes: u64 =
        value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or_default();
    Ok(format!(
        "{cores} × {model}, {} GiB, Linux {}, Rust {}\n",
        kibibytes.div_ceil(1024 * 1024),
        kernel.trim(),
        rust_version(workspace)?
    ))
}

/// The value of the first line `KEY: VALUE`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_whole_key() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC\nmodel\t\t: 17\n";
        assert_eq!((value(text, "model name"), value(text, "model")), (Some("AMD EPYC"), Some("17")));
        assert_eq!(value(text, "mod"), None);
    }
}
