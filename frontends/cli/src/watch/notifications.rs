//! Notifications from the system that something in a folder has changed. They only say when to check the files.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::ModifyKind};
use tokio::sync::Notify;

/// On Linux, notifications belong to a folder and not to its path. If another folder takes that path, it sends none.
const BELONGS_TO_FOLDER: bool = cfg!(target_os = "linux");

/// Notifications of changes in some folders.
pub(super) struct Notifications {
    watcher: Option<RecommendedWatcher>,
    received: Arc<Received>,
    folders: BTreeSet<PathBuf>,
    /// Whether there may be changes without a notification.
    incomplete: bool,
}

#[derive(Default)]
struct Received {
    bell: Notify,
    /// The paths that may lead to another folder now.
    moved: Mutex<BTreeSet<PathBuf>>,
}

impl Received {
    fn take(&self, event: notify::Result<Event>) {
        match event {
            // Reading a file is an event too, and a check reads files.
            Ok(event) if event.kind.is_access() => return,
            Ok(event) => {
                let moved = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
                if moved {
                    self.moved().extend(event.paths);
                }
            }
            Err(error) => tracing::debug!(%error, "a notification of a change was lost"),
        }
        self.bell.notify_one();
    }

    fn moved(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifications {
    /// Notifications, of no folder yet.
    pub(super) fn new() -> Self {
        let received = Arc::new(Received::default());
        let handler = {
            let received = Arc::clone(&received);
            move |event| received.take(event)
        };
        let mut notifications = Self { watcher: None, received, folders: BTreeSet::new(), incomplete: false };
        match notify::recommended_watcher(handler) {
            Ok(watcher) => notifications.watcher = Some(watcher),
            Err(error) => notifications.give_up(&error),
        }
        notifications
    }

    /// Waits for a notification.
    pub(super) async fn received(&self) {
        self.received.bell.notified().await;
    }

    /// Whether there may be changes without a notification.
    pub(super) fn are_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Requests notifications of changes in these folders, and in no others. Requests them once more for the folders of
    /// `again`, which may have been replaced. Returns whether a folder is new: there was no notification of changes in
    /// it so far.
    pub(super) fn follow(&mut self, folders: BTreeSet<PathBuf>, again: &BTreeSet<PathBuf>) -> bool {
        let moved = std::mem::take(&mut *self.received.moved());
        let Some(watcher) = &mut self.watcher else { return false };
        for folder in self.folders.difference(&folders) {
            // The system may have stopped watching it already.
            let _ = watcher.unwatch(folder);
        }
        let may_be_other = |folder: &Path| {
            BELONGS_TO_FOLDER && (again.contains(folder) || folder.ancestors().any(|path| moved.contains(path)))
        };
        let before = std::mem::take(&mut self.folders);
        let missing = folders.iter().filter(|folder| !before.contains(*folder) || may_be_other(folder));
        let missing: Vec<_> = missing.cloned().collect();
        self.folders = folders;
        missing.iter().for_each(|folder| self.request(folder));
        !self.folders.is_subset(&before)
    }

    fn request(&mut self, folder: &Path) {
        let new = self.watcher.as_mut().map(|watcher| watcher.watch(folder, RecursiveMode::NonRecursive));
        match new {
            None | Some(Ok(())) if has_notifications(folder) => {}
            None | Some(Ok(())) => {
                self.warn_once(&format!("the file system of {} may send no notifications of changes", folder.display()))
            }
            // The folder was removed. Its parent sends a notification when it comes back.
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
        self.warn_once(&format!("the system sends no notifications of changes{hint}: {error}"));
    }

    /// Logs the reason once.
    fn warn_once(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.incomplete, true) {
            tracing::warn!("checking files for changes at intervals, because {reason}");
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

/// Whether the system notifications all changes in a folder. It does not notice those that are made by another machine,
/// another system or through another mount.
#[cfg(target_os = "linux")]
fn has_notifications(folder: &Path) -> bool {
    /// The magic numbers of file systems, from `linux/magic.h` and their own headers: NFS, SMB, CIFS, SMB2, 9P, FUSE
    /// (and virtiofs), overlay, AFS, Ceph, VirtualBox, Lustre, GPFS, OCFS2, GFS2.
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
    // The field's type differs between processors. The numbers have 32 bits.
    rustix::fs::statfs(folder).map_or(true, |found| SILENT.iter().all(|magic| found.f_type as u32 != *magic))
}

/// Whether the system notifications all changes in a folder.
#[cfg(not(target_os = "linux"))]
fn has_notifications(_: &Path) -> bool {
    true
}
