//! Keeps the folder of compiled code within its size.
//!
//! Any number of processes share the folder. A process that has mapped a file keeps it after the file is removed, so code
//! that runs is not disturbed. Processes that remove files at the same time choose the same files.

use std::{
    collections::HashSet,
    fs::{self, DirEntry, Metadata},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytesize::ByteSize;

/// A file that was begun so long ago and is not finished is left from a process that was killed.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// An entry of a cache.
struct Entry {
    /// Whether this process can use it. What an older or newer Wasmtime has left goes first.
    is_known: bool,
    used: SystemTime,
    size: u64,
    path: PathBuf,
}

/// Removes entries from the caches in the folder `root` until these fit `max_size`: first those of engines whose
/// fingerprints are not `known`, then those that were not used for the longest time. The entry `newest` stays.
pub(super) fn evict(root: &Path, max_size: ByteSize, newest: &Path, known: &HashSet<String>) {
    let mut entries = entries(root, known).unwrap_or_default();
    let mut size = entries.iter().fold(0_u64, |size, entry| size.saturating_add(entry.size));
    entries.retain(|entry| entry.path != newest);
    entries.sort_unstable_by_key(|entry| (entry.is_known, entry.used));
    for Entry { path, size: freed, .. } in entries {
        if size <= max_size.as_u64() {
            break;
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "compiled code that is not used cannot be removed");
            }
            _ => size = size.saturating_sub(freed),
        }
    }
}

/// The entries of all caches. Files that were left unfinished are removed.
fn entries(root: &Path, known: &HashSet<String>) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for cache in fs::read_dir(root)?.flatten().filter(|cache| cache.file_type().is_ok_and(|kind| kind.is_dir())) {
        let is_known = cache.file_name().to_str().is_some_and(|name| known.contains(name));
        for file in fs::read_dir(cache.path()).into_iter().flatten().flatten() {
            entries.extend(entry(&file, is_known));
        }
    }
    Ok(entries)
}

fn entry(file: &DirEntry, is_known: bool) -> Option<Entry> {
    let (path, metadata) = (file.path(), file.metadata().ok()?);
    let used = metadata.modified().ok()?;
    if path.extension().is_some_and(|end| end == "cwasm") {
        return Some(Entry { is_known, used, size: metadata.len(), path });
    }
    if is_left_over(&metadata, used) {
        // Another process may have removed it.
        drop(fs::remove_file(&path));
    }
    None
}

fn is_left_over(metadata: &Metadata, written: SystemTime) -> bool {
    metadata.is_file() && written.elapsed().is_ok_and(|age| age > UNFINISHED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes entries of 100 bytes, each used so many seconds ago; keeps within 250 bytes; gives what is left.
    fn left(entries: &[(&str, u64)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (path, seconds) in entries {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, [0; 100]).unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(now - Duration::from_secs(*seconds)).unwrap();
        }
        let (newest, known) = (root.path().join("now/newest.cwasm"), HashSet::from(["now".to_owned()]));
        evict(root.path(), ByteSize(250), &newest, &known);
        let is_there = |(path, _): &&(&str, u64)| root.path().join(path).exists();
        entries.iter().filter(is_there).map(|(path, _)| (*path).to_owned()).collect()
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_until_the_rest_has_room() {
        let entries = [("now/a.cwasm", 30), ("now/b.cwasm", 10), ("now/c.cwasm", 20), ("now/newest.cwasm", 0)];
        assert_eq!(left(&entries), ["now/b.cwasm", "now/newest.cwasm"]);
        assert_eq!(left(&entries[1..3]), ["now/b.cwasm", "now/c.cwasm"]);
    }

    #[test]
    fn code_of_another_engine_goes_first_and_the_newest_entry_stays() {
        let entries = [("old/a.cwasm", 1), ("now/b.cwasm", 10), ("now/newest.cwasm", 100)];
        assert_eq!(left(&entries), ["now/b.cwasm", "now/newest.cwasm"]);
    }

    #[test]
    fn a_file_that_was_left_unfinished_goes_and_other_files_stay() {
        let entries = [("now/a.12.ff", 4000), ("now/b.12.ff", 10), ("key", 4000)];
        assert_eq!(left(&entries), ["now/b.12.ff", "key"]);
    }
}
