//! Notices from the system that something in a folder has changed. They say when to look, and nothing about what there is.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind};
use tokio::sync::Notify;

/// On Linux, a notice belongs to the folder and not to its path: another one that takes its place is silent.
const BELONGS_TO_FOLDER: bool = cfg!(target_os = "linux");

/// Notices of changes in some folders, and whether they can be relied upon.
pub(super) struct Notices {
    watcher: Option<RecommendedWatcher>,
    heard: Arc<Heard>,
    folders: BTreeSet<PathBuf>,
    /// Whether there may be changes without a notice.
    incomplete: bool,
}

#[derive(Default)]
struct Heard {
    bell: Notify,
    /// The paths whose folders may be others now.
    moved: Mutex<BTreeSet<PathBuf>>,
}

impl Heard {
    fn take(&self, event: notify::Result<Event>) {
        match event {
            // Reading a file is an event too, and looking reads.
            Ok(event) if event.kind.is_access() => return,
            Ok(event) => {
                let moved = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
                if moved {
                    self.moved().extend(event.paths);
                }
            }
            Err(error) => tracing::debug!(%error, "a notice of a change was lost"),
        }
        self.bell.notify_one();
    }

    fn moved(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notices {
    /// Notices of no folder yet.
    pub(super) fn new() -> Self {
        let heard = Arc::new(Heard::default());
        let handler = {
            let heard = Arc::clone(&heard);
            move |event| heard.take(event)
        };
        let mut notices = Self { watcher: None, heard, folders: BTreeSet::new(), incomplete: false };
        match notify::recommended_watcher(handler) {
            Ok(watcher) => notices.watcher = Some(watcher),
            Err(error) => notices.give_up(&error),
        }
        notices
    }

    /// Waits for a notice.
    pub(super) async fn heard(&self) {
        self.heard.bell.notified().await;
    }

    /// Whether there may be changes without a notice.
    pub(super) fn are_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Asks for notices of changes in these folders, and no others. Asks once more for those of `again`, which may have been
    /// exchanged unseen. Returns whether a folder is new: what changed in it before this was not told.
    pub(super) fn follow(&mut self, folders: BTreeSet<PathBuf>, again: &BTreeSet<PathBuf>) -> bool {
        let moved = std::mem::take(&mut *self.heard.moved());
        let Some(watcher) = &mut self.watcher else { return false };
        for folder in self.folders.difference(&folders) {
            // The system may have let go of it already.
            let _ = watcher.unwatch(folder);
        }
        let may_be_other = |folder: &Path| {
            BELONGS_TO_FOLDER && (again.contains(folder) || folder.ancestors().any(|path| moved.contains(path)))
        };
        let before = std::mem::take(&mut self.folders);
        let missing = folders.iter().filter(|folder| !before.contains(*folder) || may_be_other(folder));
        let missing: Vec<_> = missing.cloned().collect();
        self.folders = folders;
        missing.iter().for_each(|folder| self.ask(folder));
        !self.folders.is_subset(&before)
    }

    fn ask(&mut self, folder: &Path) {
        let new = self.watcher.as_mut().map(|watcher| watcher.watch(folder, RecursiveMode::NonRecursive));
        match new {
            None | Some(Ok(())) if has_notices(folder) => {}
            None | Some(Ok(())) => {
                self.say(&format!("the file system of {} may give no notice of changes", folder.display()))
            }
            // It was there a moment ago. Its own folder tells when it comes back.
            Some(Err(error)) if is_not_there(&error) => drop(self.folders.remove(folder)),
            Some(Err(error)) => self.give_up(&error),
        }
    }

    fn give_up(&mut self, error: &notify::Error) {
        let hint = match error.kind {
            notify::ErrorKind::MaxFilesWatch => " (fs.inotify.max_user_watches)",
            notify::ErrorKind::Io(_) if BELONGS_TO_FOLDER => " (fs.inotify.max_user_instances may be the limit)",
            _ => "",
        };
        self.say(&format!("the system gives no notice of changes{hint}: {error}"));
    }

    /// Says it once.
    fn say(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.incomplete, true) {
            tracing::warn!("looking for changes from time to time, because {reason}");
        }
    }
}

fn is_not_there(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Whether the system sees all changes in a folder: not where another machine, another system or another mount makes them.
#[cfg(target_os = "linux")]
fn has_notices(folder: &Path) -> bool {
    /// From `linux/magic.h` and the file systems' own headers: NFS, SMB, CIFS, SMB2, 9P, FUSE (and virtiofs), overlay, AFS,
    /// Ceph, VirtualBox, Lustre, GPFS, OCFS2, GFS2.
    const SILENT: [u32; 14] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x6573_5546,
        0x794c_7630,
        0x5346_414f,
        0x00c3_6400,
        0x786f_4256,
        0x0bd0_0bd0,
        0x4750_4653,
        0x7461_636f,
        0x0116_1970,
    ];
    // The type of the field differs between processors, and the numbers are of 32 bits.
    rustix::fs::statfs(folder).map_or(true, |found| SILENT.iter().all(|magic| found.f_type as u32 != *magic))
}

/// Whether the system sees all changes in a folder.
#[cfg(not(target_os = "linux"))]
fn has_notices(_: &Path) -> bool {
    true
}
