//! Which root file system does a container see?

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::{env, fs};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::pivot_root;

/// Set by `cargo xtask image --try`.
const IMAGE: &str = "PODID_IMAGE_ROOT";

/// Where the dynamic linker looks for the libraries of the binary that cargo built.
const LIBRARIES: [&str; 3] = ["/lib", "/lib64", "/usr/lib"];

/// What every runtime gives.
const GIVEN: [&str; 3] = ["/proc", "/dev/null", "/dev/urandom"];

/// A folder that becomes `/`, and what is mounted into it.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    folder: PathBuf,
    mounts: Vec<(PathBuf, PathBuf)>,
}

/// The image's root file system, if this run is for one.
pub(crate) fn image() -> Option<PathBuf> {
    env::var_os(IMAGE).map(PathBuf::from)
}

// === impl Root ===

impl Root {
    /// Makes one in `folder`, which is empty.
    pub(crate) fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let mut root = Self { folder, mounts: vec![] };
        if let Some(image) = image() {
            copy(&image, &root.folder);
        } else {
            root.mount(Path::new(env!("CARGO_BIN_EXE_podid")), "/podid");
            for name in ["mic", "nmi", "demo"] {
                symlink("podid", root.folder.join(name)).unwrap();
            }
            for path in LIBRARIES.iter().map(Path::new).filter(|path| path.exists()) {
                root.mount(path, path.to_str().unwrap());
            }
            root.mount(Path::new("/etc/ssl"), "/etc/ssl");
        }
        for path in GIVEN {
            root.mount(Path::new(path), path);
        }
        root
    }

    /// Has `source` appear at `path`, which cannot be written to.
    pub(crate) fn mount(&mut self, source: &Path, path: &str) {
        let place = self.folder.join(path.trim_start_matches('/'));
        let folder = if source.is_dir() { place.as_path() } else { place.parent().unwrap() };
        fs::create_dir_all(folder).unwrap();
        if !source.is_dir() {
            fs::write(&place, "").unwrap();
        }
        self.mounts.push((source.to_path_buf(), place));
    }

    /// Makes it the root of this thread, and of what the thread starts.
    pub(crate) fn enter(&self) {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        bind(&self.folder, &self.folder);
        for (source, place) in &self.mounts {
            bind(source, place);
            // Devices are for writing, and what is below /proc has rules of its own.
            if !GIVEN.iter().any(|given| source == Path::new(given)) {
                make_read_only(place);
            }
        }
        make_read_only(&self.folder);
        env::set_current_dir(&self.folder).unwrap();
        pivot_root(".", ".").unwrap();
        umount2(".", MntFlags::MNT_DETACH).unwrap();
        env::set_current_dir("/").unwrap();
        assert!(fs::write("/written", "").is_err(), "the root can be written to");
    }
}

fn bind(source: &Path, place: &Path) {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), place, None::<&str>, flags, None::<&str>).unwrap();
}

/// In a user namespace the flags that the mount has already must be named again.
fn make_read_only(place: &Path) {
    let has = statvfs(place).unwrap().flags();
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    for (had, flag) in [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        if has.contains(had) {
            flags |= flag;
        }
    }
    mount(None::<&str>, place, None::<&str>, flags, None::<&str>).unwrap();
}

/// Copies files, folders and links, as a runtime lays a layer out.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, place) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            fs::create_dir_all(&place).unwrap();
            copy(&source, &place);
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source).unwrap(), place).unwrap();
        } else {
            fs::copy(source, place).unwrap();
        }
    }
}
