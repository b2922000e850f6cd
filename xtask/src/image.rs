//! How does podid become an image?
//!
//! One static binary for each platform, packed `FROM scratch` with what it needs around it, as an OCI archive.
//! No daemon and no root is needed, and the same commit gives the same bytes.

mod archive;
mod build;
mod bundle;
mod commit;
mod files;
mod layer;
mod lock;
mod notices;
mod platform;
mod record;
mod sbom;
mod tools;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use self::archive::{About, Image};
pub(crate) use self::build::{binary, rust_version};
use self::commit::Commit;
use self::platform::Choice;
pub(crate) use self::platform::Platform;
use self::record::Size;
use crate::workspace::Workspace;

/// The largest binary that we promise, in bytes (design, budgets).
const BUDGET: usize = 14_000_000;

/// What is wanted of `cargo xtask image`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Processor that the image is for; "both" makes one image for either
    #[arg(long, value_enum, default_value_t = Choice::of_this_machine())]
    arch: Choice,
    /// File to write [default: target/image/podid-VERSION-ARCH.tar]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Name under which the image is loaded [default: localhost/podid:VERSION]
    #[arg(long, value_name = "NAME:TAG")]
    name: Option<String>,
    /// Write the sizes into docs/reference/image.md
    #[arg(long)]
    record: bool,
    /// Run MIC and NMI from the image afterwards, with the rights that the manifests give them and no others
    #[arg(long = "try")]
    try_out: bool,
}

/// Builds, packs and describes; fails when a binary is over its budget.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    let commit = Commit::read(workspace)?;
    let version = workspace.version("podid")?;
    let name = options.name.clone().unwrap_or_else(|| format!("localhost/podid:{version}"));
    let about = About::new(&name, &version, &commit)?;
    let output = options.output.clone().unwrap_or_else(|| {
        workspace.target.join(format!("image/podid-{version}-{}.tar", options.arch.label()))
    });
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }

    let platforms = options.arch.platforms();
    if options.try_out {
        trial::possible(platforms)?;
    }
    let mut images = Vec::new();
    let mut sizes = Vec::new();
    for platform in platforms {
        let (image, size) = build_one(workspace, *platform, &about, &output)?;
        println!("{size}");
        images.push(image);
        sizes.push(size);
    }
    let digest = archive::write(&images, &about, &output)
        .with_context(|| format!("cannot write {}", output.display()))?;
    println!("{} holds {name}, {digest}", output.display());
    if options.record {
        record::write(workspace, &version, &sizes)?;
    }
    for size in &sizes {
        anyhow::ensure!(
            size.binary <= BUDGET,
            "the binary for {} has {} bytes, and the budget is {BUDGET}; find out what grew with cargo bloat",
            size.platform,
            size.binary
        );
    }
    if options.try_out { trial::run(workspace, &output) } else { Ok(()) }
}

/// The image for one platform; its bill of materials is written beside the archive as well.
fn build_one(
    workspace: &Workspace,
    platform: Platform,
    about: &About,
    output: &Path,
) -> anyhow::Result<(Image, Size)> {
    let file = binary(workspace, platform, about.time)?;
    let binary = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let bundle = bundle::read(workspace, platform)?;
    let sbom = sbom::render(&bundle, &binary, about)?;
    let beside = output.with_extension(format!("{}.cdx.json", platform.architecture()));
    fs::write(&beside, &sbom).with_context(|| format!("cannot write {}", beside.display()))?;
    let notices = notices::gather(&bundle)?;
    let size = binary.len();
    let layer = layer::pack(&files::root(binary, sbom, notices), about.time)?;
    let size = Size { platform, binary: size, layer: layer.bytes.len() };
    Ok((Image { platform, layer }, size))
}
