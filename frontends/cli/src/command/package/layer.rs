//! A layer of an image: some files of its root file system, as a compressed tar.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use nebula_runtime::Digest;
use tar::{Builder, EntryType, Header};

use super::hashed::Hashed;
use crate::oci::Blob;

/// The files and folders of a layer.
///
/// - The same content always makes the same bytes: the entries are in the order of their names, belong to root, and
///   have the same time.
/// - Each file's folders are in the layer, too.
#[derive(Debug, Default)]
pub(super) struct NewLayer(BTreeMap<PathBuf, Entry>);

#[derive(Debug)]
struct Entry {
    mode: u32,
    /// `None` is a folder.
    bytes: Option<Bytes>,
}

/// A layer as an image has it.
#[derive(Debug)]
pub(super) struct Layer {
    /// The compressed tar, in a file that has no name.
    pub(super) blob: Blob,
    /// The digest of the tar before it is compressed.
    pub(super) diff_id: Digest,
    /// The size of the tar before it is compressed, in bytes.
    pub(super) unpacked: u64,
}

impl NewLayer {
    /// Adds a folder.
    pub(super) fn add_folder(&mut self, path: impl Into<PathBuf>, mode: u32) {
        self.add(path.into(), Entry { mode, bytes: None });
    }

    /// Adds a file.
    pub(super) fn add_file(&mut self, path: impl Into<PathBuf>, mode: u32, bytes: impl Into<Bytes>) {
        self.add(path.into(), Entry { mode, bytes: Some(bytes.into()) });
    }

    fn add(&mut self, path: PathBuf, entry: Entry) {
        for folder in path.ancestors().skip(1).filter(|folder| *folder != Path::new("")) {
            self.0.entry(folder.to_owned()).or_insert(Entry { mode: 0o755, bytes: None });
        }
        self.0.insert(path, entry);
    }

    /// The layer.
    pub(super) fn finish(self) -> io::Result<Layer> {
        let file = Hashed::new(BufWriter::new(tempfile::tempfile()?));
        let mut tar = Builder::new(Hashed::new(GzEncoder::new(file, Compression::default())));
        for (path, Entry { mode, bytes }) in &self.0 {
            match bytes {
                Some(bytes) => append_file(&mut tar, path, *mode, bytes.len() as u64, bytes.as_ref())?,
                None => append_folder(&mut tar, path, *mode)?,
            }
        }
        let (compressed, diff_id, unpacked) = tar.into_inner()?.finish();
        let (file, digest, size) = compressed.finish()?.finish();
        let file = file.into_inner()?;
        Ok(Layer { blob: Blob::of_file(file, size, digest), diff_id, unpacked })
    }
}

/// Appends a file of this size.
pub(super) fn append_file(
    tar: &mut Builder<impl Write>,
    path: &Path,
    mode: u32,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    tar.append_data(&mut header(EntryType::Regular, mode, size), path, content)
}

fn append_folder(tar: &mut Builder<impl Write>, path: &Path, mode: u32) -> io::Result<()> {
    tar.append_data(&mut header(EntryType::Directory, mode, 0), path, io::empty())
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_entry_type(kind);
    header
}
