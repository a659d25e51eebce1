//! When to look at files, and what is seen then.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use tokio::time::sleep_until;

use super::{
    files::{Change, Files, QUIET, Stat},
    inputs::Inputs,
    notices::Notices,
    path_folders,
};

/// How often named files are looked at without a notice, and all others where there are no notices.
const OFTEN: Duration = Duration::from_secs(1);
/// How often files that are not named are looked at where there are notices, in case one was lost.
const SELDOM: Duration = Duration::from_secs(10);
/// Files that change all the time hold up the news of others for no longer than this.
const LONGEST: Duration = Duration::from_secs(1);

/// What to look at.
#[derive(Debug, Clone)]
pub(super) struct WatchTargets {
    /// The configuration's folder.
    pub(super) folder: PathBuf,
    /// The configuration, and the files that it names.
    pub(super) named: BTreeSet<PathBuf>,
    /// The files that builds may depend on, where there are builds.
    pub(super) inputs: Option<Inputs>,
    /// How often to look, whether there are notices or not.
    pub(super) poll: Option<Duration>,
}

/// What has come to rest with another content.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) named: BTreeSet<PathBuf>,
    pub(super) inputs: Vec<Change>,
}

/// Looks at files.
///
/// - A notice, or time, says when to look. Only content says what has changed.
/// - Named files are looked at each second, or as `[watch] poll` says: no link, no parent and no file system hides a change.
pub(super) struct FileWatcher {
    targets: WatchTargets,
    named: Files,
    inputs: InputFiles,
    notices: Notices,
    /// How many looks there have been.
    look: u64,
    /// When the last look ended, and how long it took.
    last: (Instant, Duration),
    heard: bool,
}

/// The files that builds may depend on.
#[derive(Default)]
struct InputFiles {
    files: Files,
    folders: BTreeSet<PathBuf>,
    /// When they were looked at last, and how long that took.
    last: Option<(Instant, Duration)>,
    /// Since when files have been changing, and those that have come to rest.
    changing: Option<Instant>,
    changed: Vec<Change>,
}

impl FileWatcher {
    /// Begins with what is there: it has not changed.
    pub(super) fn of(targets: WatchTargets) -> Self {
        let notices = Notices::new();
        let last = (Instant::now(), Duration::ZERO);
        let (named, inputs) = (Files::default(), InputFiles::default());
        let mut watcher = Self { targets: targets.clone(), named, inputs, notices, look: 0, last, heard: false };
        watcher.follow(targets);
        // What changes while files are read for the first time is told.
        watcher.listen(&BTreeSet::new());
        watcher
    }

    /// Looks at other files from now on.
    pub(super) fn follow(&mut self, targets: WatchTargets) {
        self.named.follow(&targets.named, self.look);
        match &targets.inputs {
            None => self.inputs = InputFiles::default(),
            Some(inputs) if self.targets.inputs.is_none() || self.look == 0 => self.inputs.begin(inputs, self.look),
            Some(_) => self.inputs.last = None,
        }
        self.targets = targets;
        self.heard = true;
    }

    /// The number of the last look.
    pub(super) fn last_look(&self) -> u64 {
        self.look
    }

    /// Waits until a look is due, or until `deadline`; where it is `urgent`, only until the last one is not too near. Nothing
    /// is lost where the future is dropped.
    pub(super) async fn due(&mut self, deadline: Option<Instant>, urgent: bool) {
        let soonest = self.last.0 + 10 * self.last.1;
        if urgent {
            return sleep_until(soonest.into()).await;
        }
        let soonest = soonest.max(self.last.0 + QUIET);
        let due = self.next_without_notice(soonest).min(deadline.unwrap_or(soonest + SELDOM)).max(soonest);
        if !self.heard {
            tokio::select! {
                () = sleep_until(due.into()) => return,
                () = self.notices.heard() => self.heard = true,
            }
        }
        sleep_until(soonest.into()).await;
    }

    fn next_without_notice(&self, soonest: Instant) -> Instant {
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
            None if self.notices.are_incomplete() => OFTEN.max(20 * took),
            None => SELDOM.max(100 * took),
        };
        Some(last + pause)
    }

    /// Looks, at all files where a notice came or `all` are asked for.
    pub(super) fn look(&mut self, all: bool) -> Changes {
        let begun = Instant::now();
        self.look += 1;
        let heard = std::mem::take(&mut self.heard);
        let inputs_due =
            all || heard || self.inputs.changing.is_some() || self.inputs_due().is_none_or(|due| due <= begun);
        let found = self.targets.inputs.as_ref().filter(|_| inputs_due).map(Inputs::find);
        let mut again = BTreeSet::new();
        if let Some(found) = &found {
            self.inputs.folders.clone_from(&found.folders);
            again.extend(found.linked.iter().chain(found.folders.iter().filter(|_| !heard)).cloned());
        }
        if !heard {
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

    /// Asks for notices of all folders that matter.
    fn listen(&mut self, again: &BTreeSet<PathBuf>) {
        let mut folders = self.folders_of_named();
        folders.extend(self.inputs.folders.iter().cloned());
        // What came into a new folder before it was asked about is found by one more look.
        self.heard |= self.notices.follow(folders, again);
    }

    /// Takes what a named file holds now for known: whoever asked for this reads it next.
    pub(super) fn know(&mut self, file: &Path) {
        self.named.know(file, self.look);
    }

    /// The files that builds may depend on and that were written after this look and until then, whatever they hold.
    pub(super) fn written(&self, look: u64, until: SystemTime) -> BTreeSet<PathBuf> {
        self.inputs.files.written(look, until)
    }

    /// Those of these changes that a build of these patterns depends on.
    pub(super) fn matching<'a>(&self, patterns: &[String], changes: &'a [Change]) -> Vec<&'a Change> {
        let Some(inputs) = &self.targets.inputs else { return Vec::new() };
        let matching: BTreeSet<_> =
            inputs.matching(patterns, changes.iter().map(|change| change.path.as_path())).into_iter().collect();
        changes.iter().filter(|change| matching.contains(change.path.as_path())).collect()
    }
}

/// How long looks take, after one that took so long. The machine may just have been busy: one alone says little.
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

    /// Returns what changed, once all of it has come to rest.
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
