//! A value that is read from files, and read again when they change.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A value that is read from files, and read again when they change.
///
/// - Each use looks at the files' metadata, which takes a few microseconds. So a change counts from the next use on.
/// - A file that is replaced while the value is read is read once more at the next use.
pub struct FileBacked<T> {
    files: Vec<PathBuf>,
    known: Mutex<Known<T>>,
}

struct Known<T> {
    /// The files as they were before the value was read. `None` for a file that could not be found.
    stamps: Vec<Option<Stamp>>,
    value: Arc<T>,
}

/// What differs when a file was replaced or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl<T> FileBacked<T> {
    /// Reads the value for the first time.
    ///
    /// # Errors
    /// As `read`.
    pub fn new<E>(files: Vec<PathBuf>, read: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        let stamps = stamps(&files);
        let known = Known { stamps, value: Arc::new(read()?) };
        Ok(Self { files, known: Mutex::new(known) })
    }

    /// The value. If a file has changed, `read` makes it anew, from the last one if it likes.
    pub fn current(&self, read: impl FnOnce(&Arc<T>) -> Arc<T>) -> Arc<T> {
        // Every change is complete, so that a panic leaves nothing incomplete.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.files);
        if stamps != known.stamps {
            let value = read(&known.value);
            *known = Known { stamps, value };
        }
        Arc::clone(&known.value)
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    Some(Stamp {
        file: (metadata.dev(), metadata.ino()),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_value_is_read_again_when_a_file_changes_and_not_before() {
        let folder = std::env::temp_dir().join(format!("nebula-file-backed-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("value");
        fs::write(&file, "one").unwrap();
        let backed = FileBacked::new(vec![file.clone()], || fs::read_to_string(&file)).unwrap();
        let current = || backed.current(|known| fs::read_to_string(&file).map_or(Arc::clone(known), Arc::new));
        assert_eq!(*backed.current(|_| unreachable!("nothing has changed")), "one");
        fs::write(folder.join("next"), "two").unwrap();
        fs::rename(folder.join("next"), &file).unwrap();
        assert_eq!(*current(), "two");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(*current(), "two", "the file is gone, and the reader keeps what it knows");
        assert!(
            FileBacked::new(vec![file.clone()], || fs::read_to_string(&file))
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        );
    }
}
