//! How do files become the layer of an image, the same bytes each time?

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::archive::digest;
use super::files::{Content, Entry};

/// A layer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// A tar archive, compressed by gzip.
    pub(crate) bytes: Vec<u8>,
    /// Digest of the archive before compression, which an image's configuration names.
    pub(crate) diff_id: String,
}

/// Packs `entries` in the order of their paths. All belong to root and have the same time, in seconds since 1970.
pub(crate) fn pack(entries: &[Entry], time: u64) -> io::Result<Layer> {
    let mut tar = Builder::new(Vec::new());
    for folder in folders(entries) {
        append(&mut tar, &format!("{}/", folder.display()), EntryType::Directory, 0o755, &[], time)?;
    }
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|entry| entry.path);
    for Entry { path, content } in entries {
        match content {
            Content::Program(bytes) => append(&mut tar, path, EntryType::Regular, 0o755, bytes, time)?,
            Content::File(bytes) => append(&mut tar, path, EntryType::Regular, 0o644, bytes, time)?,
            Content::Link(to) => {
                let mut header = header(EntryType::Symlink, 0o777, 0, time);
                tar.append_link(&mut header, path, to)?;
            }
        }
    }
    let tar = tar.into_inner()?;
    // The time in the header of gzip stays zero.
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(&tar)?;
    Ok(Layer { bytes: gzip.finish()?, diff_id: digest(&tar) })
}

/// Every folder above a file, outer ones first.
fn folders(entries: &[Entry]) -> BTreeSet<&Path> {
    let above = entries.iter().flat_map(|entry| Path::new(entry.path).ancestors().skip(1));
    above.filter(|folder| !folder.as_os_str().is_empty()).collect()
}

/// Appends one entry to `tar`.
pub(crate) fn append(
    tar: &mut Builder<impl Write>,
    path: &str,
    kind: EntryType,
    mode: u32,
    bytes: &[u8],
    time: u64,
) -> io::Result<()> {
    tar.append_data(&mut header(kind, mode, bytes.len(), time), path, bytes)
}

fn header(kind: EntryType, mode: u32, size: usize, time: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        vec![
            Entry { path: "usr/share/b", content: Content::File(b"b".to_vec()) },
            Entry { path: "podid", content: Content::Program(b"elf".to_vec()) },
            Entry { path: "nmi", content: Content::Link("podid") },
        ]
    }

    #[test]
    fn the_same_files_give_the_same_bytes_in_whatever_order_they_come() {
        let mut other = entries();
        other.reverse();
        assert_eq!(pack(&entries(), 7).unwrap(), pack(&other, 7).unwrap());
        assert_ne!(pack(&entries(), 7).unwrap(), pack(&other, 8).unwrap());
    }

    #[test]
    fn everything_is_roots_and_only_programs_can_be_run() {
        let layer = pack(&entries(), 7).unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&layer.bytes[..]));
        let seen: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!(
                    (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
                    (0, 0, 7)
                );
                (entry.path().unwrap().display().to_string(), header.mode().unwrap())
            })
            .collect();
        let expected = [
            ("usr/", 0o755),
            ("usr/share/", 0o755),
            ("nmi", 0o777),
            ("podid", 0o755),
            ("usr/share/b", 0o644),
        ];
        assert_eq!(seen, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }
}
