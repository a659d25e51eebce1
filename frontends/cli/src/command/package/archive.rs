//! The zip file of a package.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use nebula_runtime::NewPackage;
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipResult, write::SimpleFileOptions};

use crate::failure::Failure;

/// The content of a package's zip file.
///
/// - The same content always makes the same bytes: the entries are in the order of their names, and have the same time.
#[derive(Debug, Default)]
pub(super) struct Archive(BTreeMap<PathBuf, Entry>);

#[derive(Debug)]
struct Entry {
    mode: u32,
    bytes: Bytes,
}

impl Archive {
    /// Adds a file that everyone may run.
    pub(super) fn add_program(&mut self, path: impl Into<PathBuf>, bytes: impl Into<Bytes>) {
        self.0.insert(path.into(), Entry { mode: 0o755, bytes: bytes.into() });
    }

    /// Adds a file that everyone may read.
    pub(super) fn add_file(&mut self, path: impl Into<PathBuf>, bytes: impl Into<Bytes>) {
        self.0.insert(path.into(), Entry { mode: 0o644, bytes: bytes.into() });
    }

    /// Adds the files of a package.
    pub(super) fn add_package(&mut self, package: &NewPackage) {
        package.files.iter().for_each(|(path, bytes)| self.add_file(path, bytes.clone()));
    }

    /// The size of all files, in bytes.
    pub(super) fn unzipped(&self) -> u64 {
        self.0.values().map(|entry| entry.bytes.len() as u64).sum()
    }

    /// The zip file, which is to be written to `path`.
    pub(super) fn zip(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        self.write().map_err(|error| Failure::Write { path: path.to_owned(), source: error.into() })
    }

    fn write(&self) -> ZipResult<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, Entry { mode, bytes }) in &self.0 {
            zip.start_file_from_path(path, options(*mode))?;
            zip.write_all(bytes)?;
        }
        Ok(zip.finish()?.into_inner())
    }
}

fn options(mode: u32) -> SimpleFileOptions {
    // The earliest time that the format has.
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(mode)
}
