//! A layer of an image: some files of its root file system, as a compressed tar.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use nebula_runtime::Digest;
use tar::{Builder, EntryType, Header};

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
    /// The compressed tar.
    pub(super) blob: Bytes,
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
        let mut tar = Builder::new(Vec::new());
        for (path, Entry { mode, bytes }) in &self.0 {
            append(&mut tar, path, *mode, bytes.as_deref())?;
        }
        let tar = tar.into_inner()?;
        let mut compressed = GzEncoder::new(Vec::new(), Compression::default());
        io::Write::write_all(&mut compressed, &tar)?;
        let blob = compressed.finish()?.into();
        Ok(Layer { blob, diff_id: Digest::of(&tar), unpacked: tar.len() as u64 })
    }
}

/// Appends a file, or a folder where there are no bytes.
pub(super) fn append(tar: &mut Builder<Vec<u8>>, path: &Path, mode: u32, bytes: Option<&[u8]>) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(bytes.map_or(0, |bytes| bytes.len() as u64));
    header.set_entry_type(if bytes.is_some() { EntryType::Regular } else { EntryType::Directory });
    tar.append_data(&mut header, path, bytes.unwrap_or_default())
}
