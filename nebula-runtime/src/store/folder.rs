//! Listing a folder that may hold files of others.

#[cfg(feature = "compiler")]
use std::fs::Metadata;
use std::{
    fs::{self, DirEntry},
    io,
    path::Path,
};

use tokio::task;

use super::error::StoreError;

/// The names of the files in a folder, in no order; none if the folder is missing.
///
/// `object_store` lists folders too, but fails at the first name that cannot be an object's: not UTF-8, a line break in
/// it, a link in a circle. One such file would hide all functions.
pub(super) async fn file_names(path: &Path) -> Result<Vec<String>, StoreError> {
    let folder = path.to_owned();
    let listed = task::spawn_blocking(move || read(&folder)).await.unwrap_or_else(|stopped| Err(stopped.into()));
    listed.map_err(|source| StoreError::Folder { action: "list", path: path.to_owned(), source })
}

/// As [`file_names`], each with what the system knows of the file. A file that is removed meanwhile is left out.
#[cfg(feature = "compiler")]
pub(super) async fn files(path: &Path) -> Result<Vec<(String, Metadata)>, StoreError> {
    let folder = path.to_owned();
    let described = move || {
        let names = read(&folder)?.into_iter();
        let known = |name: String| fs::metadata(folder.join(&name)).ok().map(|metadata| (name, metadata));
        Ok(names.filter_map(known).collect())
    };
    let listed = task::spawn_blocking(described).await.unwrap_or_else(|stopped| Err(stopped.into()));
    listed.map_err(|source| StoreError::Folder { action: "list", path: path.to_owned(), source })
}

fn read(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry?;
                names.extend(entry.file_name().into_string().ok().filter(|_| is_file(&entry)));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(names)
}

/// Follows links: some systems mount configured files as links.
fn is_file(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => fs::metadata(entry.path()).is_ok_and(|target| target.is_file()),
        kind => kind.is_ok_and(|kind| kind.is_file()),
    }
}
