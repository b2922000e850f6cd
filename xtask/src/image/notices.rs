//! Which licence texts have to go with the binary?
//!
//! Most licences want their text, with its names, in every copy. Packages have it in files beside their sources;
//! equal texts are written once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::bundle::{Bundle, Package};

/// How the names of such files begin, in small letters.
const NAMES: [&str; 5] = ["license", "licence", "copying", "copyright", "notice"];

/// Every text, each below the packages that it comes from. Our own text is a file of its own.
pub(crate) fn gather(bundle: &Bundle) -> anyhow::Result<Vec<u8>> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let others = bundle.packages.iter().filter(|(_, package)| package.checksum.is_some());
    for ((name, version), package) in others {
        for text in of(package).with_context(|| format!("cannot read the licence of {name} {version}"))? {
            texts.entry(text).or_default().push(format!("{name} {version}"));
        }
    }
    let mut all = String::new();
    let mut texts: Vec<_> = texts.into_iter().map(|(text, names)| (names, text)).collect();
    texts.sort();
    for (names, text) in texts {
        let rule = "-".repeat(80);
        write!(all, "{rule}\n{}\n{rule}\n{text}\n\n", names.join(", "))?;
    }
    Ok(all.into_bytes())
}

/// The texts beside the sources of `package`; some have none, and name their licence only.
fn of(package: &Package) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(&package.folder)? {
        let path = entry?.path();
        if path.is_file() && is_licence(&path) {
            let text = String::from_utf8_lossy(&fs::read(&path)?).replace('\r', "");
            texts.push(text.trim().to_owned());
        }
    }
    Ok(texts)
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    NAMES.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_known_by_its_name() {
        for name in ["LICENSE", "LICENSE-MIT", "License.txt", "COPYING", "NOTICE.md"] {
            assert!(is_licence(Path::new(name)), "{name}");
        }
        assert!(!is_licence(Path::new("README.md")));
    }
}
