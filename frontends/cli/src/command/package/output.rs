//! Writes the file of a package.

use std::{fs, io, path::Path};

use crate::failure::Failure;

/// Replaces a file in one step, so that no reader sees half of it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    written.map_err(|source: io::Error| {
        // The file may not exist, and the first failure is the one to report.
        let _ = fs::remove_file(&unfinished);
        Failure::Write { path: path.to_owned(), source }
    })
}
