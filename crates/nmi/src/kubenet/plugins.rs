//! Do the configuration files of network plug-ins name kubenet?

use std::path::Path;

use serde::Deserialize;

/// A file of one plug-in, or of several.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    name: String,
    #[serde(flatten)]
    alone: Plugin,
    #[serde(default)]
    plugins: Vec<Plugin>,
}

#[derive(Deserialize)]
struct Plugin {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    bridge: String,
}

/// What says so, if anything does. Files that cannot be read or are something else say nothing: the agent may not
/// see them at all.
pub(super) async fn sign(directory: &Path) -> Option<String> {
    let mut entries = tokio::fs::read_dir(directory).await.ok()?;
    while let Ok(Some(entry)) = entries.next_entry().await {
        let path = entry.path();
        let is_configuration = path
            .extension()
            .is_some_and(|extension| ["conf", "conflist", "json"].iter().any(|known| extension == *known));
        if is_configuration
            && let Ok(text) = tokio::fs::read(&path).await
            && serde_json::from_slice::<File>(&text).is_ok_and(|file| file.is_kubenet())
        {
            return Some(format!("{} configures it", path.display()));
        }
    }
    None
}

// === impl File ===

impl File {
    fn is_kubenet(&self) -> bool {
        let plugins = self.plugins.iter().chain([&self.alone]);
        self.name == "kubenet" || plugins.into_iter().any(Plugin::is_kubenet)
    }
}

// === impl Plugin ===

impl Plugin {
    fn is_kubenet(&self) -> bool {
        self.kind == "kubenet" || self.kind == "bridge" && self.bridge == super::BRIDGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// W-55.
    #[tokio::test]
    async fn a_file_that_names_kubenet_or_its_bridge_is_a_sign_and_others_are_none() {
        let cases = [
            (
                "10-azure.conflist",
                r#"{"name":"azure","plugins":[{"type":"azure-vnet","mode":"transparent"},{"type":"portmap"}]}"#,
                false,
            ),
            (
                "10-flannel.conflist",
                r#"{"name":"cbr0","plugins":[{"type":"flannel","delegate":{"hairpinMode":true}}]}"#,
                false,
            ),
            (
                "87-podman.conflist",
                r#"{"name":"podman","plugins":[{"type":"bridge","bridge":"cni-podman0"}]}"#,
                false,
            ),
            (
                "10-containerd-net.conflist",
                r#"{"cniVersion":"0.3.1","name":"kubenet","plugins":[{"type":"bridge","bridge":"cbr0"}]}"#,
                true,
            ),
            (
                "10-net.conflist",
                r#"{"name":"pods","plugins":[{"type":"bridge","bridge":"cbr0","promiscMode":true}]}"#,
                true,
            ),
            ("10-net.conf", r#"{"name":"pods","type":"kubenet"}"#, true),
            ("calico-kubeconfig", r#"{"name":"kubenet"}"#, false),
            ("10-broken.conf", "kubenet", false),
        ];
        for (name, text, expected) in cases {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(name), text).unwrap();
            let sign = sign(directory.path()).await;
            assert_eq!(sign.is_some(), expected, "{name}");
            assert!(sign.is_none_or(|sign| sign.contains(name)));
        }
        assert_eq!(sign(Path::new("/does/not/exist")).await, None);
    }
}
