//! How is an image written so that every tool reads it?
//!
//! As an OCI image layout in a tar archive, which podman, containerd, skopeo, crane and newer Dockers read. An
//! image for one platform has Docker's own `manifest.json` beside it, for older Dockers. The documents are small
//! and written here; tests have a library of the field read them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use ring::digest::SHA256;
use serde_json::{Value, json};
use tar::{Builder, EntryType};

use super::commit::Commit;
use super::files::{ENTRYPOINT, USER};
use super::layer::{Layer, append};
use super::platform::Platform;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Where the sources are.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");
const LICENCE: &str = env!("CARGO_PKG_LICENSE");

const DESCRIPTION: &str = "Pod-managed identity for Kubernetes on Azure";

/// What is said about the whole image.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// Name and tag.
    name: String,
    pub(crate) version: String,
    revision: Option<String>,
    /// Seconds since 1970.
    pub(crate) time: u64,
    /// The same for people.
    pub(crate) created: String,
}

/// The image for one platform.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) platform: Platform,
    pub(crate) layer: Layer,
}

/// What is stored by the digest of its content.
#[derive(Default)]
struct Blobs(BTreeMap<String, Vec<u8>>);

/// Writes `images` as one archive; the digest of what a registry would name by the tag.
pub(crate) fn write(images: &[Image], about: &About, file: &Path) -> anyhow::Result<String> {
    let mut out = BufWriter::new(File::create(file)?);
    let digest = pack(images, about, &mut out)?;
    out.into_inner()?.sync_all()?;
    Ok(digest)
}

fn pack(images: &[Image], about: &About, out: &mut impl Write) -> anyhow::Result<String> {
    let mut blobs = Blobs::default();
    let mut manifests = Vec::new();
    let mut docker = Vec::new();
    for image in images {
        let config = blobs.add_json(CONFIG, &about.config(image))?;
        let layer = blobs.add(LAYER, image.layer.bytes.clone());
        docker.push(json!({
            "Config": path(&config),
            "RepoTags": [about.name],
            "Layers": [path(&layer)]
        }));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [layer],
            "annotations": about.labels()
        });
        let mut manifest = blobs.add_json(MANIFEST, &manifest)?;
        manifest["platform"] = json!({"architecture": image.platform.architecture(), "os": "linux"});
        manifests.push(manifest);
    }
    let mut top = if let [only] = &manifests[..] {
        only.clone()
    } else {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": manifests,
            "annotations": about.labels()
        });
        blobs.add_json(INDEX, &index)?
    };
    let digest = top["digest"].as_str().context("a descriptor has a digest")?.to_owned();
    top["annotations"] = json!({
        "org.opencontainers.image.ref.name": about.tag(),
        // containerd and Docker take the whole name from here.
        "io.containerd.image.name": about.name
    });
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]});

    let mut files = blobs.files();
    files.insert("index.json".to_owned(), serde_json::to_vec(&index)?);
    files.insert("oci-layout".to_owned(), serde_json::to_vec(&json!({"imageLayoutVersion": "1.0.0"}))?);
    if let [_] = images {
        // Docker's old format knows no platforms: with several images of one name the last would win.
        files.insert("manifest.json".to_owned(), serde_json::to_vec(&docker)?);
    }
    tar(&files, about.time, out)?;
    Ok(digest)
}

fn tar(files: &BTreeMap<String, Vec<u8>>, time: u64, out: &mut impl Write) -> io::Result<()> {
    let mut tar = Builder::new(out);
    for folder in ["blobs/", "blobs/sha256/"] {
        append(&mut tar, folder, EntryType::Directory, 0o755, &[], time)?;
    }
    for (path, bytes) in files {
        append(&mut tar, path, EntryType::Regular, 0o644, bytes, time)?;
    }
    tar.finish()
}

/// As OCI writes it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

/// The SHA-256 of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let sum = ring::digest::digest(&SHA256, bytes);
    sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where the blob of a descriptor is in the archive.
fn path(descriptor: &Value) -> String {
    let digest = descriptor["digest"].as_str().unwrap_or_default();
    format!("blobs/{}", digest.replace(':', "/"))
}

// === impl About ===

impl About {
    /// Refuses a name without a tag, which no two tools complete in the same way.
    pub(crate) fn new(name: &str, version: &str, commit: &Commit) -> anyhow::Result<Self> {
        let tag = name.rsplit_once('/').map_or(name, |(_, last)| last).split_once(':');
        anyhow::ensure!(
            tag.is_some_and(|(image, tag)| !image.is_empty() && !tag.is_empty()),
            "{name:?} is not the name of an image with a tag, as localhost/podid:{version} is"
        );
        let seconds = i64::try_from(commit.time).context("the time is too late")?;
        let created = jiff::Timestamp::from_second(seconds).context("the time is too late")?.to_string();
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            revision: commit.revision.clone(),
            time: commit.time,
            created,
        })
    }

    fn tag(&self) -> &str {
        self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag)
    }

    /// The keys that OCI defines.
    fn labels(&self) -> BTreeMap<&'static str, &str> {
        let mut labels = BTreeMap::from([
            ("org.opencontainers.image.title", "podid"),
            ("org.opencontainers.image.description", DESCRIPTION),
            ("org.opencontainers.image.version", self.version.as_str()),
            ("org.opencontainers.image.created", self.created.as_str()),
            ("org.opencontainers.image.source", SOURCE),
            ("org.opencontainers.image.licenses", LICENCE),
        ]);
        labels.extend(self.revision.iter().map(|it| ("org.opencontainers.image.revision", it.as_str())));
        labels
    }

    fn config(&self, image: &Image) -> Value {
        json!({
            "architecture": image.platform.architecture(),
            "os": "linux",
            "created": self.created,
            "config": {
                "Entrypoint": [ENTRYPOINT],
                "User": USER,
                "WorkingDir": "/",
                "Env": ["PATH=/"],
                "Labels": self.labels()
            },
            "rootfs": {"type": "layers", "diff_ids": [image.layer.diff_id]},
            "history": [{"created": self.created, "created_by": "cargo xtask image"}]
        })
    }
}

// === impl Blobs ===

impl Blobs {
    /// Stores `bytes` and returns their descriptor.
    fn add(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = digest(&bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        self.0.insert(digest, bytes);
        descriptor
    }

    fn add_json(&mut self, media_type: &str, document: &Value) -> anyhow::Result<Value> {
        Ok(self.add(media_type, serde_json::to_vec(document)?))
    }

    /// By their path in the archive.
    fn files(self) -> BTreeMap<String, Vec<u8>> {
        self.0
            .into_iter()
            .map(|(digest, bytes)| (format!("blobs/{}", digest.replace(':', "/")), bytes))
            .collect()
    }
}

#[cfg(test)]
mod tests;
