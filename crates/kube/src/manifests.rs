//! What has to be applied to a cluster?
//!
//! [`all`] gives every generated file under `deploy/`: the definitions of the custom resources, the
//! plain manifests of both modes and the samples. They are committed; a test compares.

mod crds;
mod yaml;

pub use yaml::Unwritable;

/// Path below `deploy/` and content of every generated file.
pub fn all() -> Result<Vec<(&'static str, String)>, Unwritable> {
    crds::files()
}
