//! Do other readers of OCI archives understand what is written, and are the bytes the same each time?

use std::io::Read;

use oci_spec::image::{Arch, ImageConfiguration, ImageIndex, ImageManifest, MediaType, OciLayout};

use super::*;
use crate::image::files::{Content, Entry};
use crate::image::layer::pack as pack_layer;

const TIME: u64 = 1_700_000_000;

fn about(name: &str) -> About {
    let commit = Commit { revision: Some("0123abc".into()), time: TIME };
    About::new(name, "0.1.0", &commit).unwrap()
}

fn image(platform: Platform) -> Image {
    let binary = platform.architecture().as_bytes().to_vec();
    let entries = [Entry { path: "podid", content: Content::Program(binary) }];
    Image { platform, layer: pack_layer(&entries, TIME).unwrap() }
}

fn packed(images: &[Image]) -> (Vec<u8>, String) {
    let mut out = Vec::new();
    let digest = pack(images, &about("localhost/podid:0.1.0"), &mut out).unwrap();
    (out, digest)
}

/// The files of an archive.
fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(entry.path().unwrap().display().to_string(), bytes);
    }
    files
}

fn blob<'a>(files: &'a BTreeMap<String, Vec<u8>>, digest: &str) -> &'a [u8] {
    let bytes = &files[&format!("blobs/{}", digest.replace(':', "/"))];
    assert_eq!(self::digest(bytes), digest, "a blob is named by its content");
    bytes
}

fn index(bytes: &[u8]) -> ImageIndex {
    ImageIndex::from_reader(bytes).unwrap()
}

#[test]
fn the_library_of_the_field_reads_every_document() {
    let (archive, digest) = packed(&[image(Platform::Amd64)]);
    let files = unpacked(&archive);
    let layout = OciLayout::from_reader(&files["oci-layout"][..]).unwrap();
    assert_eq!(layout.image_layout_version(), "1.0.0");

    let index = index(&files["index.json"]);
    let [top] = &index.manifests()[..] else { panic!("one image: {index:?}") };
    assert_eq!(top.digest().to_string(), digest);
    let names = top.annotations().as_ref().unwrap();
    assert_eq!(names["org.opencontainers.image.ref.name"], "0.1.0");
    assert_eq!(names["io.containerd.image.name"], "localhost/podid:0.1.0");

    let manifest = ImageManifest::from_reader(blob(&files, &digest)).unwrap();
    assert_eq!(manifest.media_type(), &Some(MediaType::ImageManifest));
    let [layer] = &manifest.layers()[..] else { panic!("one layer: {manifest:?}") };
    assert_eq!(layer.media_type(), &MediaType::ImageLayerGzip);
    let stored = blob(&files, layer.digest().as_ref());
    assert_eq!(layer.size(), stored.len() as u64);

    let config = blob(&files, manifest.config().digest().as_ref());
    let config = ImageConfiguration::from_reader(config).unwrap();
    assert_eq!(config.architecture(), &Arch::Amd64);
    assert_eq!(config.created().as_deref(), Some("2023-11-14T22:13:20Z"));
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(stored).read_to_end(&mut tar).unwrap();
    assert_eq!(config.rootfs().diff_ids()[..], [self::digest(&tar)]);
    let run = config.config().as_ref().unwrap();
    assert_eq!(run.entrypoint().as_deref().unwrap(), ["/podid"]);
    assert_eq!(run.user().as_deref(), Some("65532:65532"));
    let labels = run.labels().as_ref().unwrap();
    assert_eq!(labels["org.opencontainers.image.version"], "0.1.0");
    assert_eq!(labels["org.opencontainers.image.revision"], "0123abc");
    assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
    assert!(labels["org.opencontainers.image.source"].starts_with("https://"));
}

#[test]
fn older_dockers_find_what_they_look_for() {
    let (archive, _) = packed(&[image(Platform::Arm64)]);
    let files = unpacked(&archive);
    let docker: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(docker[0]["RepoTags"], json!(["localhost/podid:0.1.0"]));
    for path in [&docker[0]["Config"], &docker[0]["Layers"][0]] {
        assert!(files.contains_key(path.as_str().unwrap()), "{path}");
    }
}

#[test]
fn an_image_for_both_platforms_is_one_name_for_two_manifests() {
    let (archive, digest) = packed(&[image(Platform::Amd64), image(Platform::Arm64)]);
    let files = unpacked(&archive);
    assert_eq!(index(&files["index.json"]).manifests().len(), 1);
    let both = index(blob(&files, &digest));
    let platforms = both.manifests().iter().map(|it| it.platform().as_ref().unwrap().architecture().clone());
    assert_eq!(platforms.collect::<Vec<_>>(), [Arch::Amd64, Arch::ARM64]);
    for manifest in both.manifests() {
        ImageManifest::from_reader(blob(&files, manifest.digest().as_ref())).unwrap();
    }
    assert!(!files.contains_key("manifest.json"));
}

#[test]
fn the_same_commit_gives_the_same_archive() {
    let images = [image(Platform::Amd64), image(Platform::Arm64)];
    assert_eq!(packed(&images), packed(&images));
    assert_ne!(packed(&images).1, packed(&images[..1]).1);
}

#[test]
fn a_name_without_a_tag_is_refused_with_an_example() {
    let commit = Commit { revision: None, time: TIME };
    for name in ["podid", "localhost:5000/podid", "podid:", ":1", "a/"] {
        let error = About::new(name, "0.1.0", &commit).unwrap_err().to_string();
        assert!(error.contains("localhost/podid:0.1.0"), "{error}");
    }
    for name in ["podid:1", "localhost:5000/podid:1"] {
        assert_eq!(About::new(name, "0.1.0", &commit).unwrap().tag(), "1");
    }
}
