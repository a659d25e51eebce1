//! Finds the files whose content has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, Metadata},
    hash::{DefaultHasher, Hasher as _},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

/// A file is read only after it has not changed for this long: compilers and editors write in several steps.
pub(super) const QUIET: Duration = Duration::from_millis(100);
/// A file that is read so soon after it was written may be written again without a change of its `stat`. No file
/// system's clock is coarser (FAT).
const COARSEST_CLOCK: Duration = Duration::from_secs(2);
/// Files are read at the start if each is at most as large as the first number, and all together as the second. The
/// first write to another file counts as a change, whatever it wrote.
const READ_AT_START: (u64, u64) = (1 << 20, 64 << 20);

/// The metadata by which a file that was written or replaced is noticed without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// The time of the last change of the metadata. Unlike the time of modification, no program can set it.
    changed: (i64, i64),
    is_file: bool,
}

/// The content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The file has not been read yet.
    Unknown,
    /// There is no file at this path, or it cannot be read.
    None,
    /// A hash of its bytes.
    Digest(u64),
}

/// A path, and the number of the check that found the current file there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) look: u64,
}

/// The files that are checked.
#[derive(Debug, Default)]
pub(super) struct Files {
    entries: BTreeMap<PathBuf, Entry>,
    read_at_start: u64,
}

#[derive(Debug)]
struct Entry {
    stat: Option<Stat>,
    /// The number of the check that first found `stat`.
    look: u64,
    since: Instant,
    /// Whether `content` is the content of the file with this `stat`.
    settled: bool,
    content: Content,
    /// Whether `content` was read so soon after the file was written that another write may not change `stat`.
    soon: bool,
}

impl Stat {
    /// The metadata of the file that a path leads to.
    pub(super) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            is_file: metadata.is_file(),
        }
    }

    /// Whether it is a file, and not a folder, a pipe or a device.
    pub(super) fn is_file(&self) -> bool {
        self.is_file
    }

    /// The file's device and inode.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    fn changed_at(&self) -> SystemTime {
        let part = |number: i64| u64::try_from(number).unwrap_or_default();
        let since = Duration::from_secs(part(self.changed.0)) + Duration::from_nanos(part(self.changed.1));
        SystemTime::UNIX_EPOCH + since
    }

    fn was_just_written(&self) -> bool {
        // If the file system's clock is ahead of this machine's, the age is unknown.
        !SystemTime::now().duration_since(self.changed_at()).is_ok_and(|age| age > COARSEST_CLOCK)
    }

    /// Whether the file was written before this time. If the file system's clock is ahead of this machine's, it counts
    /// as written before.
    fn was_written_before(&self, until: SystemTime) -> bool {
        self.changed_at() <= until || self.changed_at() > SystemTime::now()
    }
}

impl Content {
    fn of(path: &Path, stat: Option<Stat>) -> Self {
        // Opening a pipe would wait for a process that writes to it.
        match stat.filter(|stat| stat.is_file).map(|_| digest(path)) {
            Some(Ok(digest)) => Self::Digest(digest),
            Some(Err(_)) | None => Self::None,
        }
    }
}

fn digest(path: &Path) -> io::Result<u64> {
    let (mut file, mut hasher, mut part) = (File::open(path)?, DefaultHasher::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hasher.finish()),
            read => hasher.write(part.get(..read).unwrap_or_default()),
        }
    }
}

impl Entry {
    /// A path at the start.
    fn first(stat: Option<Stat>, look: u64) -> Self {
        let content = if stat.is_some() { Content::Unknown } else { Content::None };
        Self { stat, look, since: Instant::now(), settled: true, content, soon: false }
    }

    /// A file that is new.
    fn new(stat: Stat, look: u64) -> Self {
        Self { settled: false, content: Content::None, ..Self::first(Some(stat), look) }
    }

    /// Reads the file. Returns whether its content has changed.
    fn read(&mut self, path: &Path) -> bool {
        self.settled = true;
        self.soon = self.stat.is_some_and(|stat| stat.was_just_written());
        let content = Content::of(path, self.stat);
        std::mem::replace(&mut self.content, content) != content
    }

    /// Checks the file. Returns whether it has settled with another content.
    fn look(&mut self, path: &Path, stat: Option<Stat>, look: u64) -> bool {
        if self.stat != stat {
            (self.stat, self.look, self.since, self.settled) = (stat, look, Instant::now(), false);
            return false;
        }
        if self.settled {
            let changed = self.soon && self.read(path);
            if changed {
                self.look = look;
            }
            return changed;
        }
        self.since.elapsed() >= QUIET && self.read(path)
    }
}

impl Files {
    /// Adds a file as it is. That is no change.
    pub(super) fn begin(&mut self, path: PathBuf, stat: Option<Stat>, look: u64) {
        let mut entry = Entry::first(stat, look);
        let size = stat.map_or(0, |stat| stat.size);
        if size <= READ_AT_START.0 && self.read_at_start + size <= READ_AT_START.1 {
            self.read_at_start += size;
            entry.read(&path);
        }
        self.entries.insert(path, entry);
    }

    /// Checks these files from now on, and no others.
    pub(super) fn follow(&mut self, paths: &BTreeSet<PathBuf>, look: u64) {
        self.entries.retain(|path, _| paths.contains(path));
        for path in paths.iter().filter(|path| !self.entries.contains_key(*path)).cloned().collect::<Vec<_>>() {
            let stat = Stat::at(&path);
            self.begin(path, stat, look);
        }
    }

    /// Notes the current content of a file without a change, because the caller is about to read the file.
    pub(super) fn know(&mut self, path: &Path, look: u64) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.look(path, Stat::at(path), look);
            entry.read(path);
        }
    }

    /// Checks all files. Returns those that have settled with another content.
    pub(super) fn look(&mut self, look: u64) -> Vec<Change> {
        let changed = |(path, entry): (&PathBuf, &mut Entry)| {
            entry.look(path, Stat::at(path), look).then(|| Change { path: path.clone(), look: entry.look })
        };
        self.entries.iter_mut().filter_map(changed).collect()
    }

    /// Checks the files that were found in the folder, and those that are gone. Returns those that have settled with
    /// another content.
    pub(super) fn look_at_all(&mut self, mut found: BTreeMap<PathBuf, Stat>, look: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        self.entries.retain(|path, entry| {
            let stat = found.remove(path);
            // The file exists, but is ignored from now on.
            if stat.is_none() && fs::symlink_metadata(path).is_ok() {
                return false;
            }
            if entry.look(path, stat, look) {
                changes.push(Change { path: path.clone(), look: entry.look });
            }
            stat.is_some() || !entry.settled
        });
        self.entries.extend(found.into_iter().map(|(path, stat)| (path, Entry::new(stat, look))));
        changes
    }

    /// Whether a file has not settled yet.
    pub(super) fn are_changing(&self) -> bool {
        self.entries.values().any(|entry| !entry.settled)
    }

    /// The files that were written after this check and before this time, whether or not their content has changed.
    pub(super) fn written(&self, look: u64, until: SystemTime) -> BTreeSet<PathBuf> {
        let is_written =
            |entry: &Entry| entry.look > look && entry.stat.is_none_or(|stat| stat.was_written_before(until));
        self.entries.iter().filter(|(_, entry)| is_written(entry)).map(|(path, _)| path.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Folder {
        folder: tempfile::TempDir,
        files: Files,
        look: u64,
    }

    impl Folder {
        /// Checks a file `f` with the content `a`.
        fn new() -> Self {
            let mut folder = Self { folder: tempfile::tempdir().unwrap(), files: Files::default(), look: 0 };
            folder.write("f", "a");
            folder.files.follow(&[folder.path("f")].into(), 0);
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        /// Checks until all files have settled. Returns whether one has changed.
        fn changed(&mut self) -> bool {
            let mut changed = false;
            loop {
                self.look += 1;
                changed |= !self.files.look(self.look).is_empty();
                if !self.files.are_changing() {
                    return changed;
                }
            }
        }
    }

    #[test]
    fn a_file_has_changed_if_its_content_has_however_it_was_saved() {
        let mut folder = Folder::new();
        assert!(!folder.changed());
        folder.write("f", "b");
        assert!(folder.changed());
        folder.write("f", "b");
        assert!(!folder.changed());
        folder.write("new", "c");
        fs::rename(folder.path("new"), folder.path("f")).unwrap();
        assert!(folder.changed());
        fs::remove_file(folder.path("f")).unwrap();
        assert!(folder.changed());
        folder.write("f", "d");
        assert!(folder.changed());
    }

    #[test]
    fn a_file_has_changed_if_a_link_in_its_path_leads_to_another_content() {
        let mut folder = Folder::new();
        for (version, text) in [("1", "a"), ("2", "a"), ("3", "b")] {
            fs::create_dir(folder.path(version)).unwrap();
            folder.write(&format!("{version}/f"), text);
        }
        symlink("1", folder.path("now")).unwrap();
        folder.files.follow(&[folder.path("now/f")].into(), 0);
        for (version, changed) in [("2", false), ("3", true)] {
            symlink(version, folder.path("next")).unwrap();
            fs::rename(folder.path("next"), folder.path("now")).unwrap();
            assert_eq!(folder.changed(), changed, "{version}");
        }
    }

    #[test]
    fn two_writes_at_the_same_time_are_two_changes() {
        let mut folder = Folder::new();
        folder.write("f", "b");
        assert!(folder.changed());
        let entry = folder.files.entries.get_mut(&folder.folder.path().join("f")).unwrap();
        let before = entry.stat;
        fs::write(folder.folder.path().join("f"), "c").unwrap();
        // As if the file system's clock had stopped.
        entry.stat = Stat::at(&folder.folder.path().join("f"));
        assert_ne!(entry.stat, before);
        assert!(folder.changed());
    }

    #[test]
    fn files_that_come_and_go_in_a_folder_are_changes() {
        let mut folder = Folder::new();
        let all = |folder: &Folder, names: &[&str]| {
            names.iter().map(|name| (folder.path(name), Stat::at(&folder.path(name)).unwrap())).collect()
        };
        let changed = |folder: &mut Folder, names: &[&str]| {
            let mut changes = BTreeSet::new();
            loop {
                folder.look += 1;
                let found = all(folder, names);
                changes.extend(folder.files.look_at_all(found, folder.look).into_iter().map(|change| change.path));
                if !folder.files.are_changing() {
                    return changes.into_iter().collect::<Vec<_>>();
                }
            }
        };
        assert!(changed(&mut folder, &["f"]).is_empty());
        folder.write("g", "");
        assert_eq!(changed(&mut folder, &["f", "g"]), [folder.path("g")]);
        // The file is ignored from now on.
        assert!(changed(&mut folder, &["f"]).is_empty());
        fs::remove_file(folder.path("f")).unwrap();
        assert_eq!(changed(&mut folder, &[]), [folder.path("f")]);
        assert!(changed(&mut folder, &[]).is_empty());
    }

    #[test]
    fn a_file_that_was_written_may_have_the_same_content() {
        let mut folder = Folder::new();
        let written = |folder: &Folder, look| folder.files.written(look, SystemTime::now());
        assert!(written(&folder, 0).is_empty());
        let before = SystemTime::now() - Duration::from_secs(1);
        folder.write("f", "a");
        assert!(!folder.changed());
        assert_eq!(written(&folder, 0), [folder.path("f")].into());
        assert!(written(&folder, folder.look).is_empty());
        assert!(folder.files.written(0, before).is_empty());
    }
}
