//! What files hold, and which of them hold something else now.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, Metadata},
    hash::{DefaultHasher, Hasher as _},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

/// A file is left alone until nothing has changed for this long: compilers and editors write in several steps.
pub(super) const QUIET: Duration = Duration::from_millis(100);
/// What was written in the same moment as it was read may look the same after a further write. No file system's clock has
/// longer moments (FAT).
const MOMENT: Duration = Duration::from_secs(2);
/// Files up to this size, and as many as this altogether, are read before they change. Of the others, the first change is
/// taken for one without a look at what they hold.
const READ_AT_FIRST: (u64, u64) = (1 << 20, 64 << 20);

/// What tells that a file was written, replaced or exchanged, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Unlike the time of modification, no program sets this one.
    changed: (i64, i64),
    is_file: bool,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Nobody has looked yet.
    Unknown,
    /// There is nothing at this path, or no file, or none that can be read.
    None,
    /// What stands for its bytes.
    Digest(u64),
}

/// A path, and the look that first saw what is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) look: u64,
}

/// Files, as far as they have been looked at.
#[derive(Debug, Default)]
pub(super) struct Files {
    entries: BTreeMap<PathBuf, Entry>,
    read_at_first: u64,
}

#[derive(Debug)]
struct Entry {
    stat: Option<Stat>,
    /// The look that first saw `stat`.
    look: u64,
    since: Instant,
    /// Whether `content` is what `stat` stands for.
    settled: bool,
    content: Content,
    /// Whether `content` was read so soon after the file was written that a further write may not show in `stat`.
    soon: bool,
}

impl Stat {
    /// Of what a path leads to.
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

    /// Which file of the machine it is.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    fn changed_at(&self) -> SystemTime {
        let part = |number: i64| u64::try_from(number).unwrap_or_default();
        let since = Duration::from_secs(part(self.changed.0)) + Duration::from_nanos(part(self.changed.1));
        SystemTime::UNIX_EPOCH + since
    }

    fn is_of_this_moment(&self) -> bool {
        // Where the file system's clock is ahead of this machine's, nothing can be said.
        !SystemTime::now().duration_since(self.changed_at()).is_ok_and(|age| age > MOMENT)
    }

    /// Whether it was written until then. Where the file system's clock is ahead of this machine's, it is taken to be.
    fn is_of(&self, until: SystemTime) -> bool {
        self.changed_at() <= until || self.changed_at() > SystemTime::now()
    }
}

impl Content {
    fn of(path: &Path, stat: Option<Stat>) -> Self {
        // Opening a pipe would wait for somebody who writes to it.
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
    /// What is there before anything changes.
    fn first(stat: Option<Stat>, look: u64) -> Self {
        let content = if stat.is_some() { Content::Unknown } else { Content::None };
        Self { stat, look, since: Instant::now(), settled: true, content, soon: false }
    }

    /// What appeared where nothing was.
    fn new(stat: Stat, look: u64) -> Self {
        Self { settled: false, content: Content::None, ..Self::first(Some(stat), look) }
    }

    /// Reads what is there, and tells whether it differs from before.
    fn read(&mut self, path: &Path) -> bool {
        self.settled = true;
        self.soon = self.stat.is_some_and(|stat| stat.is_of_this_moment());
        let content = Content::of(path, self.stat);
        std::mem::replace(&mut self.content, content) != content
    }

    /// Takes a look, and tells whether the file has come to rest with another content.
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
    /// Begins with what is there. It has not changed.
    pub(super) fn begin(&mut self, path: PathBuf, stat: Option<Stat>, look: u64) {
        let mut entry = Entry::first(stat, look);
        let size = stat.map_or(0, |stat| stat.size);
        if size <= READ_AT_FIRST.0 && self.read_at_first + size <= READ_AT_FIRST.1 {
            self.read_at_first += size;
            entry.read(&path);
        }
        self.entries.insert(path, entry);
    }

    /// Begins with those of these files that are new, and forgets all others.
    pub(super) fn follow(&mut self, paths: &BTreeSet<PathBuf>, look: u64) {
        self.entries.retain(|path, _| paths.contains(path));
        for path in paths.iter().filter(|path| !self.entries.contains_key(*path)).cloned().collect::<Vec<_>>() {
            let stat = Stat::at(&path);
            self.begin(path, stat, look);
        }
    }

    /// Takes what a file holds now for known: whoever asked for this looks at it next.
    pub(super) fn know(&mut self, path: &Path, look: u64) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.look(path, Stat::at(path), look);
            entry.read(path);
        }
    }

    /// Looks at the files that are followed. Returns those that have come to rest with another content.
    pub(super) fn look(&mut self, look: u64) -> Vec<Change> {
        let changed = |(path, entry): (&PathBuf, &mut Entry)| {
            entry.look(path, Stat::at(path), look).then(|| Change { path: path.clone(), look: entry.look })
        };
        self.entries.iter_mut().filter_map(changed).collect()
    }

    /// Looks at the files that were found, all that there are. Returns those that have come to rest with another content.
    pub(super) fn look_at_all(&mut self, mut found: BTreeMap<PathBuf, Stat>, look: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        self.entries.retain(|path, entry| {
            let stat = found.remove(path);
            // Left out from now on.
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

    /// Whether a file has not come to rest yet.
    pub(super) fn are_changing(&self) -> bool {
        self.entries.values().any(|entry| !entry.settled)
    }

    /// The files that were written after this look and until then, whatever they hold.
    pub(super) fn written(&self, look: u64, until: SystemTime) -> BTreeSet<PathBuf> {
        let is_written = |entry: &Entry| entry.look > look && entry.stat.is_none_or(|stat| stat.is_of(until));
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
        /// Follows a file `f` with the content `a`.
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

        /// Looks until all files have come to rest, and tells whether one has changed.
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
    fn a_file_has_changed_when_it_holds_something_else_however_it_was_saved() {
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
    fn a_file_has_changed_when_a_link_on_its_way_leads_elsewhere() {
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
    fn two_writes_in_one_moment_are_two_changes() {
        let mut folder = Folder::new();
        folder.write("f", "b");
        assert!(folder.changed());
        let entry = folder.files.entries.get_mut(&folder.folder.path().join("f")).unwrap();
        let before = entry.stat;
        fs::write(folder.folder.path().join("f"), "c").unwrap();
        // As if the file system's clock had stood still.
        entry.stat = Stat::at(&folder.folder.path().join("f"));
        assert_ne!(entry.stat, before);
        assert!(folder.changed());
    }

    #[test]
    fn files_come_and_go_among_all_that_there_are() {
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
        // Left out from now on.
        assert!(changed(&mut folder, &["f"]).is_empty());
        fs::remove_file(folder.path("f")).unwrap();
        assert_eq!(changed(&mut folder, &[]), [folder.path("f")]);
        assert!(changed(&mut folder, &[]).is_empty());
    }

    #[test]
    fn what_was_written_is_known_from_what_holds_something_else() {
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
