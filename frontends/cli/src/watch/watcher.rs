//! Checks the watched files at the right times.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use tokio::time::sleep_until;

use super::{
    files::{Change, Files, QUIET, Stat},
    inputs::Inputs,
    notifications::Notifications,
    path_folders,
};

/// How often named files are checked without a notification. The same for all other files, if there are no
/// notifications.
const OFTEN: Duration = Duration::from_secs(1);
/// How often the other files are checked if there are notifications, in case one was lost.
const SELDOM: Duration = Duration::from_secs(10);
/// Files that change all the time delay the changes of other files by no more than this.
const LONGEST: Duration = Duration::from_secs(1);

/// The files to watch.
#[derive(Debug, Clone)]
pub(super) struct WatchTargets {
    /// The configuration's folder.
    pub(super) folder: PathBuf,
    /// The configuration, and the files that it names.
    pub(super) named: BTreeSet<PathBuf>,
    /// The files that builds may depend on, where there are builds.
    pub(super) inputs: Option<Inputs>,
    /// How often to check, whether or not there are notifications.
    pub(super) poll: Option<Duration>,
}

/// The files that have settled with another content.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) named: BTreeSet<PathBuf>,
    pub(super) inputs: Vec<Change>,
}

/// Checks files.
///
/// - A notification or a timer only starts a check. The content decides whether a file has changed.
/// - Named files are checked each second, or as often as `[watch] poll` says. So no change is missed behind a symbolic
///   link, a replaced parent folder or a file system without notifications.
pub(super) struct FileWatcher {
    targets: WatchTargets,
    named: Files,
    inputs: InputFiles,
    notifications: Notifications,
    /// The number of the last check.
    look: u64,
    /// When the last check ended, and how long it took.
    last: (Instant, Duration),
    received: bool,
}

/// The files that builds may depend on.
#[derive(Default)]
struct InputFiles {
    files: Files,
    folders: BTreeSet<PathBuf>,
    /// When they were last checked, and how long that took.
    last: Option<(Instant, Duration)>,
    /// Since when files have been changing.
    changing: Option<Instant>,
    changed: Vec<Change>,
}

impl FileWatcher {
    /// Starts with the files as they are. That is no change.
    pub(super) fn of(targets: WatchTargets) -> Self {
        let notifications = Notifications::new();
        let last = (Instant::now(), Duration::ZERO);
        let (named, inputs) = (Files::default(), InputFiles::default());
        let mut watcher =
            Self { targets: targets.clone(), named, inputs, notifications, look: 0, last, received: false };
        watcher.follow(targets);
        // So there are notifications of changes while the files are read for the first time.
        watcher.listen(&BTreeSet::new());
        watcher
    }

    /// Watches other files from now on.
    pub(super) fn follow(&mut self, targets: WatchTargets) {
        self.named.follow(&targets.named, self.look);
        match &targets.inputs {
            None => self.inputs = InputFiles::default(),
            Some(inputs) if self.targets.inputs.is_none() || self.look == 0 => self.inputs.begin(inputs, self.look),
            Some(_) => self.inputs.last = None,
        }
        self.targets = targets;
        self.received = true;
    }

    /// The number of the last check.
    pub(super) fn last_look(&self) -> u64 {
        self.look
    }

    /// Waits until a check is due, or until `deadline`. An `urgent` check only waits until the last one is long enough
    /// ago. Nothing is lost when the future is dropped.
    pub(super) async fn due(&mut self, deadline: Option<Instant>, urgent: bool) {
        let soonest = self.last.0 + 10 * self.last.1;
        if urgent {
            return sleep_until(soonest.into()).await;
        }
        let soonest = soonest.max(self.last.0 + QUIET);
        let due = self.next_without_notification(soonest).min(deadline.unwrap_or(soonest + SELDOM)).max(soonest);
        if !self.received {
            tokio::select! {
                () = sleep_until(due.into()) => return,
                () = self.notifications.received() => self.received = true,
            }
        }
        sleep_until(soonest.into()).await;
    }

    fn next_without_notification(&self, soonest: Instant) -> Instant {
        if self.named.are_changing() || self.inputs.changing.is_some() {
            return soonest;
        }
        let named = self.last.0 + self.targets.poll.unwrap_or(OFTEN).max(20 * self.last.1);
        let inputs = self.inputs_due().filter(|_| self.targets.inputs.is_some());
        inputs.map_or(named, |inputs| inputs.min(named))
    }

    fn inputs_due(&self) -> Option<Instant> {
        let (last, took) = self.inputs.last?;
        let pause = match self.targets.poll {
            Some(poll) => poll.max(20 * took),
            None if self.notifications.are_incomplete() => OFTEN.max(20 * took),
            None => SELDOM.max(100 * took),
        };
        Some(last + pause)
    }

    /// Checks the files: all of them after a notification, or if `all` is set.
    pub(super) fn look(&mut self, all: bool) -> Changes {
        let begun = Instant::now();
        self.look += 1;
        let received = std::mem::take(&mut self.received);
        let inputs_due =
            all || received || self.inputs.changing.is_some() || self.inputs_due().is_none_or(|due| due <= begun);
        let found = self.targets.inputs.as_ref().filter(|_| inputs_due).map(Inputs::find);
        let mut again = BTreeSet::new();
        if let Some(found) = &found {
            self.inputs.folders.clone_from(&found.folders);
            again.extend(found.linked.iter().chain(found.folders.iter().filter(|_| !received)).cloned());
        }
        if !received {
            again.extend(self.folders_of_named());
        }
        self.listen(&again);
        let named = self.named.look(self.look).into_iter().map(|change| change.path).collect();
        let inputs = found.map(|found| self.inputs.look(found.files, self.look, begun));
        self.last = (Instant::now(), usual(begun.elapsed(), self.last.1));
        Changes { named, inputs: inputs.unwrap_or_default() }
    }

    fn folders_of_named(&self) -> BTreeSet<PathBuf> {
        self.targets.named.iter().flat_map(|file| path_folders::of(file, &self.targets.folder)).collect()
    }

    /// Requests notifications of all folders that matter.
    fn listen(&mut self, again: &BTreeSet<PathBuf>) {
        let mut folders = self.folders_of_named();
        folders.extend(self.inputs.folders.iter().cloned());
        // One more check finds the files that came into a new folder before its notifications were requested.
        self.received |= self.notifications.follow(folders, again);
    }

    /// Notes the current content of a named file without a change, because the caller is about to read the file.
    pub(super) fn know(&mut self, file: &Path) {
        self.named.know(file, self.look);
    }

    /// The inputs that were written after this check and before this time, whether or not their content has changed.
    pub(super) fn written(&self, look: u64, until: SystemTime) -> BTreeSet<PathBuf> {
        self.inputs.files.written(look, until)
    }

    /// The changes that a build with these patterns depends on.
    pub(super) fn matching<'a>(&self, patterns: &[String], changes: &'a [Change]) -> Vec<&'a Change> {
        let Some(inputs) = &self.targets.inputs else { return Vec::new() };
        let matching: BTreeSet<_> =
            inputs.matching(patterns, changes.iter().map(|change| change.path.as_path())).into_iter().collect();
        changes.iter().filter(|change| matching.contains(change.path.as_path())).collect()
    }
}

/// The usual time of a check, after one that took this long. A single long check may only mean that the machine was
/// busy.
fn usual(took: Duration, before: Duration) -> Duration {
    took.min(2 * before.max(Duration::from_millis(1)))
}

impl InputFiles {
    fn begin(&mut self, inputs: &Inputs, look: u64) {
        let begun = Instant::now();
        *self = Self::default();
        let found = inputs.find();
        found.files.into_iter().for_each(|(path, stat)| self.files.begin(path, Some(stat), look));
        self.folders = found.folders;
        self.last = Some((Instant::now(), begun.elapsed()));
    }

    /// Returns the changes, once all files have settled.
    fn look(&mut self, found: BTreeMap<PathBuf, Stat>, look: u64, begun: Instant) -> Vec<Change> {
        self.changed.extend(self.files.look_at_all(found, look));
        let before = self.last.map_or(Duration::ZERO, |(_, took)| took);
        self.last = Some((Instant::now(), usual(begun.elapsed(), before)));
        if self.files.are_changing() && self.changing.get_or_insert(begun).elapsed() < LONGEST {
            return Vec::new();
        }
        self.changing = self.files.are_changing().then_some(begun);
        std::mem::take(&mut self.changed)
    }
}
