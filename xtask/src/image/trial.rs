//! Does what was packed run with the rights that the manifests give, and no others?
//!
//! The archive is unpacked as a container runtime would, and the test `image` of the binary's crate runs its cases
//! with the root file system that comes out.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use flate2::read::GzDecoder;
use serde_json::Value;
use tar::Archive;

use super::platform::Platform;
use crate::workspace::Workspace;

/// Tells the test which root file system to use, instead of one around the binary that cargo built.
const ROOT: &str = "PODID_IMAGE_ROOT";

/// Fails where this machine cannot run the image.
pub(crate) fn possible(platforms: &[Platform]) -> anyhow::Result<()> {
    let here = Platform::of_this_machine().filter(|here| platforms.contains(here));
    anyhow::ensure!(here.is_some(), "--try runs the image, and this machine's processor is another");
    Ok(())
}

/// Unpacks the image at `archive` for this machine, and runs the test in it.
pub(crate) fn run(workspace: &Workspace, archive: &Path) -> anyhow::Result<()> {
    let folder = workspace.target.join("image/root");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    unpack(archive, &folder).with_context(|| format!("cannot unpack {}", archive.display()))?;
    let mut test = workspace.cargo(["test", "--locked", "--package=podid", "--test=image"]);
    let status = test.env(ROOT, &folder).status().context("cannot run cargo test")?;
    anyhow::ensure!(status.success(), "the image does not do what it should; see above");
    println!("the image runs with the rights of the manifests");
    Ok(())
}

fn unpack(archive: &Path, folder: &Path) -> anyhow::Result<()> {
    let index: Value = read_json(archive, "index.json")?;
    let mut manifest: Value = read_json(archive, &blob(&index["manifests"][0]))?;
    if let Some(manifests) = manifest["manifests"].as_array() {
        let here = Platform::of_this_machine().map(Platform::architecture);
        let ours = manifests.iter().find(|it| it["platform"]["architecture"].as_str() == here);
        manifest = read_json(archive, &blob(ours.context("the image is for other processors")?))?;
    }
    let layer = read(archive, &blob(&manifest["layers"][0]))?;
    Archive::new(GzDecoder::new(&layer[..])).unpack(folder)?;
    Ok(())
}

fn blob(descriptor: &Value) -> String {
    format!("blobs/{}", descriptor["digest"].as_str().unwrap_or_default().replace(':', "/"))
}

fn read_json(archive: &Path, path: &str) -> anyhow::Result<Value> {
    serde_json::from_slice(&read(archive, path)?).with_context(|| format!("{path} is not JSON"))
}

fn read(archive: &Path, path: &str) -> anyhow::Result<Vec<u8>> {
    let mut archive = Archive::new(File::open(archive)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    anyhow::bail!("there is no {path} in it")
}
