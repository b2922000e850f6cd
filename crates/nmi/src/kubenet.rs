//! Is this node on kubenet, where pods can pretend to be each other?
//!
//! The original looks for a flag in the kubelet's file (peer contract §4.1). Kubelets of today have
//! neither: a file that does not exist says as little as the empty one that the original's chart
//! creates in its place (W-55). So the node itself is looked at, too: kubenet's bridge, and where they can be
//! read the configuration files of its network plug-ins.

mod plugins;

use std::io;
use std::path::{Path, PathBuf};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};

use crate::netlink::Netlink;

const FLAG: &str = "--network-plugin=kubenet";

/// The bridge that kubenet makes, with the kubelet's own code and with the plug-in `bridge`.
const BRIDGE: &str = "cbr0";

/// Where container runtimes read which plug-in to use.
const PLUGINS: &str = "/etc/cni/net.d";

/// Why NMI does not start here. Somebody has to decide.
#[derive(Debug, thiserror::Error)]
pub enum Kubenet {
    /// Something says that the node uses kubenet.
    #[error(
        "AAD Pod Identity is not supported for Kubenet: pods on one bridge can take each other's address, and \
         {sign}. Deny the capability NET_RAW to pods (`podid policy net-raw --for vap` prints a policy) and start NMI with \
         --allow-network-plugin-kubenet"
    )]
    Found {
        /// What says so.
        sign: String,
    },
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

/// Looks at the kubelet's configuration file, and at the node.
pub(crate) async fn check(kubelet_config: &Path) -> Result<(), Kubenet> {
    match tokio::fs::read_to_string(kubelet_config).await {
        Ok(text) if text.contains(FLAG) => {
            let sign = format!("{} has {FLAG}", kubelet_config.display());
            return Err(Kubenet::Found { sign });
        }
        Ok(_) => {}
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
            tracing::info!(file = %kubelet_config.display(), "no kubelet file, so no sign of kubenet in it");
        }
        Err(problem) => return Err(Kubenet::Unread { path: kubelet_config.to_owned(), problem }),
    }
    if let Some(sign) = plugins::sign(Path::new(PLUGINS)).await {
        return Err(Kubenet::Found { sign });
    }
    match bridges().await {
        Ok(bridges) => judge(&bridges),
        Err(error) => {
            // What the redirect needs is checked when it is installed.
            tracing::warn!(%error, "cannot look for a bridge of kubenet");
            Ok(())
        }
    }
}

/// What the names of the node's bridges say.
fn judge(bridges: &[String]) -> Result<(), Kubenet> {
    if bridges.iter().any(|name| name == BRIDGE) {
        return Err(Kubenet::Found { sign: format!("the node has the bridge {BRIDGE}") });
    }
    if !bridges.is_empty() {
        tracing::info!(
            bridges = bridges.join(","),
            "the node has bridges; deny NET_RAW to pods on them (`podid policy net-raw --for vap`), so that none disturbs another"
        );
    }
    Ok(())
}

/// The names of the bridges in the network namespace of the calling thread.
async fn bridges() -> io::Result<Vec<String>> {
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let told = Netlink::open()?.all(question).await?;
    Ok(told.iter().filter_map(bridge).collect())
}

fn bridge(told: &RouteNetlinkMessage) -> Option<String> {
    let RouteNetlinkMessage::NewLink(link) = told else { return None };
    let is_bridge = link.attributes.iter().any(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => infos.contains(&LinkInfo::Kind(InfoKind::Bridge)),
        _ => false,
    });
    let name = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    });
    name.filter(|_| is_bridge)
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
        let refused = check(&file).await.unwrap_err().to_string();
        assert!(refused.contains("NET_RAW") && refused.contains("podid policy net-raw"), "{refused}");
        std::fs::write(&file, "KUBELET_FLAGS=--v=2\n").unwrap();
        assert!(check(&file).await.is_ok());
        assert!(matches!(check(directory.path()).await, Err(Kubenet::Unread { .. })));
    }

    /// W-55.
    #[test]
    fn kubenets_bridge_is_a_sign_and_the_bridge_of_another_plug_in_is_none() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(judge(&[]).is_ok() && judge(&names(&["cni0", "docker0"])).is_ok());
        let refused = judge(&names(&["docker0", "cbr0"])).unwrap_err().to_string();
        assert!(refused.contains("cbr0"), "{refused}");
    }
}
