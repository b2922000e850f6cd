//! Which template do parameters belong to, and which parameters to a template?

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::input::real;

/// A parameter file.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Parameters {
    #[serde(default)]
    pub(super) parameters: Map<String, Value>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    template: Option<String>,
}

/// A parameter file whose template is not known.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Astray {
    #[error(
        "is a parameter file whose template is not known: call it {0}.parameters.json beside {0}.json, or name \
         the template in it as metadata.template"
    )]
    Unknown(String),
    #[error("belongs to the Bicep file {0}: build it with `az bicep build --file {0}`")]
    Bicep(String),
    #[error("its metadata.template leads to {0}, which is outside of the repository {1}")]
    Outside(String, String),
    #[error("its metadata.template leads to {0}, which is not there")]
    Missing(String),
}

/// The ends of the names of parameter files.
const ENDS: [&str; 2] = [".parameters.json", ".parameters.jsonc"];

// === impl Parameters ===

impl Parameters {
    /// The template that they belong to.
    pub(super) fn template(&self, path: &Path) -> Result<PathBuf, Astray> {
        match &self.metadata.template {
            Some(link) => linked(path, link),
            None => by_name(path),
        }
    }
}

/// PSRule's way: `./` leads from the parameter file, anything else from the root of the repository, and
/// nothing leads out of that.
fn linked(path: &Path, link: &str) -> Result<PathBuf, Astray> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let root = root(folder);
    let relative = link.starts_with("./") || link.starts_with("../");
    let target = if relative {
        folder.join(link.trim_start_matches("./"))
    } else {
        root.join(link.trim_start_matches('/'))
    };
    let shown = target.display().to_string();
    let found = target.canonicalize().map_err(|_| Astray::Missing(shown.clone()))?;
    if !found.starts_with(real(&root)) {
        return Err(Astray::Outside(shown, root.display().to_string()));
    }
    if is(&target, "bicep") { Err(Astray::Bicep(shown)) } else { Ok(target) }
}

/// The repository that the folder is in, or the folder itself.
fn root(folder: &Path) -> PathBuf {
    let start = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let whole = real(start);
    let root = whole.ancestors().find(|folder| folder.join(".git").exists());
    root.map_or_else(|| start.to_owned(), Path::to_owned)
}

/// `x.parameters.json` belongs to `x.json` beside it.
fn by_name(path: &Path) -> Result<PathBuf, Astray> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let lower = name.to_lowercase();
    let base = ENDS.iter().find(|end| lower.ends_with(**end)).map(|end| &name[..name.len() - end.len()]);
    let Some(base) = base else { return Err(Astray::Unknown("NAME".to_owned())) };
    for extension in ["json", "jsonc"] {
        let template = path.with_file_name(format!("{base}.{extension}"));
        if template.exists() {
            return Ok(template);
        }
    }
    let bicep = path.with_file_name(format!("{base}.bicep"));
    if bicep.exists() {
        return Err(Astray::Bicep(bicep.display().to_string()));
    }
    Err(Astray::Unknown(base.to_owned()))
}

/// The parameter file that lies beside a template.
pub(super) fn beside(template: &Path) -> Option<PathBuf> {
    let base = template.file_stem().and_then(OsStr::to_str)?;
    ENDS.iter().map(|end| template.with_file_name(format!("{base}{end}"))).find(|path| path.exists())
}

fn is(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn link(text: &str) -> Parameters {
        Parameters { metadata: Metadata { template: Some(text.to_owned()) }, ..Parameters::default() }
    }

    #[test]
    fn a_link_leads_from_the_file_or_from_the_repository_and_never_out_of_it() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().canonicalize().unwrap().join("repository");
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        for file in ["top.json", "a/b/near.json", "../out.json", "a/x.bicep"] {
            fs::write(root.join(file), "").unwrap();
        }
        let file = root.join("a/b/any.json");
        assert_eq!(link("./near.json").template(&file), Ok(root.join("a/b/near.json")));
        assert_eq!(link("top.json").template(&file), Ok(root.join("top.json")));
        assert!(link("../../top.json").template(&file).is_ok());
        assert!(matches!(link("../../../out.json").template(&file), Err(Astray::Outside(..))));
        assert!(matches!(link("a/../../out.json").template(&file), Err(Astray::Outside(..))));
        assert!(matches!(link("none.json").template(&file), Err(Astray::Missing(_))));
        assert!(matches!(link("a/x.bicep").template(&file), Err(Astray::Bicep(_))));
    }

    #[test]
    fn without_a_link_the_name_tells() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for name in ["a.json", "b.bicep", "a.parameters.json"] {
            fs::write(file(name), "").unwrap();
        }
        let none = Parameters::default();
        assert_eq!(none.template(&file("a.parameters.json")), Ok(file("a.json")));
        assert_eq!(none.template(&file("a.Parameters.json")), Ok(file("a.json")));
        assert!(matches!(none.template(&file("b.parameters.json")), Err(Astray::Bicep(_))));
        assert_eq!(none.template(&file("c.parameters.json")), Err(Astray::Unknown("c".to_owned())));
        assert_eq!(none.template(&file("c.json")), Err(Astray::Unknown("NAME".to_owned())));
        assert_eq!(beside(&file("a.json")), Some(file("a.parameters.json")));
        assert_eq!(beside(&file("b.json")), None);
    }
}
