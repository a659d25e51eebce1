//! The zip file for AWS Lambda.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write as _},
    path::PathBuf,
};

use bytes::Bytes;
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipResult, write::SimpleFileOptions};

/// The content of a package's zip file.
///
/// - The same content always makes the same bytes: the entries are in the order of their names, and have the same time.
pub(super) struct Archive {
    bootstrap: Vec<u8>,
    files: BTreeMap<PathBuf, Bytes>,
}

impl Archive {
    pub(super) fn new(bootstrap: Vec<u8>, files: BTreeMap<PathBuf, Bytes>) -> Self {
        Self { bootstrap, files }
    }

    /// The size of all files, in bytes.
    pub(super) fn unzipped(&self) -> u64 {
        self.bootstrap() + self.files.values().map(|file| file.len() as u64).sum::<u64>()
    }

    /// The size of the program, in bytes.
    pub(super) fn bootstrap(&self) -> u64 {
        self.bootstrap.len() as u64
    }

    /// The zip file.
    pub(super) fn zip(&self) -> ZipResult<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        // Lambda starts the program by this name, as another user than the one that unpacks it.
        zip.start_file("bootstrap", options(0o755))?;
        zip.write_all(&self.bootstrap)?;
        for (path, bytes) in &self.files {
            zip.start_file_from_path(path, options(0o644))?;
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
