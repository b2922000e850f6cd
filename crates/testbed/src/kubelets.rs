//! What do kubelets and a scheduler do, as far as the API server can see?

use std::path::Path;

use crate::background::Background;
use crate::control_plane::connect;
use crate::error::StartError;

/// Plays the kubelets of some nodes and the scheduler, until it is dropped.
#[derive(Debug)]
pub struct Kubelets {
    _background: Background,
}

// === impl Kubelets ===

impl Kubelets {
    pub(crate) fn start(kubeconfig: &Path, _nodes: &[&str]) -> Result<Self, StartError> {
        let background = Background::new("podid-kubelets")?;
        let client = connect(&background, kubeconfig)?;
        background.spawn(async move { drop(client) });
        Ok(Self { _background: background })
    }
}
