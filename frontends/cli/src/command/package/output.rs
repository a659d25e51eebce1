//! Writes the file of a package.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use crate::{failure::Failure, new_file::NewFile};

/// Replaces a file in one step, so that no reader sees half of it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace_with(path, |file| file.write_all(bytes))
}

/// The same, with what `write` writes.
pub(super) fn replace_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut file = NewFile::create(path)?;
    file.write(write)?;
    file.finish()
}
