//! Is this node on kubenet, where pods can pretend to be each other?
//!
//! The original looks for a flag in the kubelet's file (peer contract §4.1). Kubelets of today have
//! neither: a file that does not exist says as little as the empty one that the original's chart
//! creates in its place (W-55).

use std::io;
use std::path::{Path, PathBuf};

const FLAG: &str = "--network-plugin=kubenet";

/// Why NMI does not start here. Somebody has to decide.
#[derive(Debug, thiserror::Error)]
pub enum Kubenet {
    /// The kubelet says that it uses kubenet.
    #[error(
        "AAD Pod Identity is not supported for Kubenet: pods on one bridge can take each other's address. \
         Drop the capability NET_RAW from all pods and start NMI with --allow-network-plugin-kubenet"
    )]
    Found,
    /// The kubelet's file cannot be read, so nothing is known.
    #[error(
        "cannot read {path} to see whether the node uses kubenet: {problem}; name another file with \
         --kubelet-config, or start NMI with --allow-network-plugin-kubenet"
    )]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: io::Error,
    },
}

/// Looks at the kubelet's configuration file.
pub(crate) async fn check(kubelet_config: &Path) -> Result<(), Kubenet> {
    match tokio::fs::read_to_string(kubelet_config).await {
        Ok(text) if text.contains(FLAG) => Err(Kubenet::Found),
        Ok(_) => Ok(()),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
            tracing::info!(file = %kubelet_config.display(), "no kubelet file, so no sign of kubenet");
            Ok(())
        }
        Err(problem) => Err(Kubenet::Unread { path: kubelet_config.to_owned(), problem }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// W-55.
    #[tokio::test]
    async fn a_kubelet_on_kubenet_is_refused_and_one_that_cannot_be_read_is_no_yes() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kubelet");
        assert!(check(&file).await.is_ok(), "W-55");
        std::fs::write(&file, "KUBELET_FLAGS=--network-plugin=kubenet --v=2\n").unwrap();
        assert!(matches!(check(&file).await, Err(Kubenet::Found)));
        std::fs::write(&file, "KUBELET_FLAGS=--v=2\n").unwrap();
        assert!(check(&file).await.is_ok());
        assert!(matches!(check(directory.path()).await, Err(Kubenet::Unread { .. })));
    }
}
