//! Which builds are due, and why.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use tokio::task::AbortHandle;

use super::files::Change;
use crate::build::Build;

/// The pause before a build whose only reason is a file that was written during so many runs in a row of one build: two, three,
/// and so on. After that, such a file is no reason any more.
const PAUSES: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(32), Duration::from_secs(128)];

/// The builds of a configuration.
///
/// - A build is due when it is asked for, and when a file that it depends on has changed since it began.
/// - What a build itself writes looks the same as what a person saves meanwhile. So a file that was written during two runs in
///   a row is a reason still, but after a pause that grows from run to run, and the log says so once. A person's work is not
///   lost, and a build that is the cause of the next one comes to an end.
#[derive(Debug, Default)]
pub(super) struct Builds {
    jobs: BTreeMap<Build, Job>,
    said: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Job {
    stage: Stage,
    /// The looks between which the last run was. It goes on where there is no second one.
    run: Option<(u64, Option<u64>)>,
    wanted: bool,
    reasons: BTreeMap<PathBuf, Reason>,
    /// The files that were written during the last run, and in how many runs in a row before.
    writes: BTreeMap<PathBuf, usize>,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Running(AbortHandle),
    /// The command has ended then. What it wrote last has not been seen yet.
    Ended(SystemTime),
}

#[derive(Debug)]
struct Reason {
    look: u64,
    since: Instant,
    pause: Duration,
}

impl Job {
    fn began(&self) -> u64 {
        self.run.map_or(0, |(began, _)| began)
    }

    /// How many runs in a row have written a file that was written at this look, during the last of them.
    fn runs_that_wrote(&self, path: &Path, look: u64) -> usize {
        let during = self.run.is_some_and(|(began, ended)| began < look && ended.is_none_or(|ended| look <= ended));
        self.writes.get(path).copied().filter(|_| during).unwrap_or_default()
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let reasons = self.reasons.values().map(|reason| reason.since + reason.pause);
        reasons.chain(self.wanted.then_some(now)).min().filter(|_| matches!(self.stage, Stage::Idle))
    }

    /// The run is over, and these files were written during it.
    fn close(&mut self, look: u64, written: BTreeSet<PathBuf>) {
        let before = std::mem::take(&mut self.writes);
        let count = |path: PathBuf| {
            let runs = before.get(&path).copied().unwrap_or_default() + 1;
            (path, runs)
        };
        self.writes = written.into_iter().map(count).collect();
        self.run = Some((self.began(), Some(look)));
        self.stage = Stage::Idle;
    }
}

impl Builds {
    /// Has these builds and no others. One that runs and is not among them is ended.
    pub(super) fn follow<'a>(&mut self, builds: impl Iterator<Item = &'a Build>) {
        let mut before = std::mem::take(&mut self.jobs);
        self.jobs = builds.map(|build| (build.clone(), before.remove(build).unwrap_or_default())).collect();
        for job in before.values() {
            if let Stage::Running(handle) = &job.stage {
                handle.abort();
            }
        }
    }

    /// Asks for a build. One that runs will run again.
    pub(super) fn want(&mut self, build: &Build) {
        if let Some(job) = self.jobs.get_mut(build) {
            job.wanted = true;
        }
    }

    /// Takes in what changed. `matching` tells which of it a build of these patterns depends on.
    pub(super) fn changed<'a>(&mut self, matching: impl Fn(&[String]) -> Vec<&'a Change>) {
        for (build, job) in &mut self.jobs {
            let began = job.began();
            for change in matching(&build.watch).into_iter().filter(|change| change.look > began) {
                let reason = Reason { look: change.look, since: Instant::now(), pause: Duration::ZERO };
                job.reasons.insert(change.path.clone(), reason);
            }
        }
        self.weigh();
    }

    /// Pauses where builds may be their own reason.
    fn weigh(&mut self) {
        let jobs: Vec<_> = self.jobs.values().collect();
        let runs = |path: &Path, look| jobs.iter().map(|job| job.runs_that_wrote(path, look)).max().unwrap_or_default();
        let weighed: Vec<Vec<_>> =
            jobs.iter().map(|job| job.reasons.iter().map(|(path, reason)| runs(path, reason.look)).collect()).collect();
        for (job, runs) in self.jobs.values_mut().zip(weighed) {
            let mut runs = runs.into_iter();
            job.reasons.retain(|path, reason| match runs.next().unwrap_or_default().checked_sub(2) {
                None => true,
                Some(more) => {
                    if self.said.insert(path.clone()) {
                        say(path);
                    }
                    reason.pause = reason.pause.max(PAUSES.get(more).copied().unwrap_or_default());
                    more < PAUSES.len()
                }
            });
        }
    }

    /// The builds to start now.
    pub(super) fn due(&self, now: Instant) -> Vec<Build> {
        let due = self.jobs.iter().filter(|(_, job)| job.due(now).is_some_and(|due| due <= now));
        due.map(|(build, _)| build.clone()).collect()
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        self.jobs.values().filter_map(|job| job.due(now)).min()
    }

    /// A build has been started after this look.
    pub(super) fn started(&mut self, build: &Build, look: u64, handle: AbortHandle) {
        if let Some(job) = self.jobs.get_mut(build) {
            (job.stage, job.run, job.wanted) = (Stage::Running(handle), Some((look, None)), false);
            job.reasons.clear();
        }
    }

    /// The command of a build has ended.
    pub(super) fn ended(&mut self, build: &Build) {
        if let Some(job) = self.jobs.get_mut(build) {
            job.stage = Stage::Ended(SystemTime::now());
        }
    }

    /// Whether a build runs, or is about to.
    pub(super) fn is_under_way(&self, build: &Build) -> bool {
        let now = Instant::now();
        let is_due = |job: &Job| job.due(now).is_some_and(|due| due <= now);
        self.jobs.get(build).is_some_and(|job| matches!(job.stage, Stage::Running(_)) || is_due(job))
    }

    /// Whether any command runs.
    pub(super) fn are_running(&self) -> bool {
        self.jobs.values().any(|job| matches!(job.stage, Stage::Running(_)))
    }

    /// Whether what a build has written is to be looked at.
    pub(super) fn are_ending(&self) -> bool {
        self.jobs.values().any(|job| matches!(job.stage, Stage::Ended(_)))
    }

    /// Closes the runs that are over, after this look. `written` tells what was written after a look and before a time.
    pub(super) fn close(&mut self, look: u64, written: impl Fn(u64, SystemTime) -> BTreeSet<PathBuf>) {
        for job in self.jobs.values_mut() {
            if let Stage::Ended(at) = job.stage {
                job.close(look, written(job.began(), at));
            }
        }
        self.weigh();
    }
}

fn say(path: &Path) {
    tracing::warn!(
        "{} was written during two builds in a row: if they write it, [watch] ignore in nebula.toml leaves it out. Until then, \
         builds for it come after longer and longer pauses",
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two builds, which run for as long as a look takes.
    struct Site {
        builds: Builds,
        look: u64,
    }

    fn build(command: &str) -> Build {
        Build { command: command.to_owned(), folder: "/".into(), timeout: Build::TIMEOUT, watch: Vec::new() }
    }

    impl Site {
        fn new() -> Self {
            let mut builds = Builds::default();
            builds.follow([build("a"), build("b")].iter());
            Self { builds, look: 0 }
        }

        /// A look that sees a change of these files.
        fn see(&mut self, paths: &[&str]) {
            self.look += 1;
            let change = |path: &&str| Change { path: path.into(), look: self.look };
            let changes: Vec<_> = paths.iter().map(change).collect();
            self.builds.changed(|_| changes.iter().collect());
        }

        fn start(&mut self, command: &str) {
            let handle = tokio::spawn(async {}).abort_handle();
            self.builds.started(&build(command), self.look, handle);
        }

        fn end(&mut self, command: &str, written: &[&str]) {
            self.builds.ended(&build(command));
            self.look += 1;
            self.builds.close(self.look, |_, _| written.iter().map(PathBuf::from).collect());
        }

        /// A run during which these files are written.
        fn run(&mut self, command: &str, written: &[&str]) {
            self.start(command);
            self.see(written);
            self.end(command, written);
        }

        /// The builds that are due now, or will be when all pauses are over.
        fn due(&self, later: bool) -> Vec<String> {
            let now = Instant::now() + if later { Duration::from_secs(3600) } else { Duration::ZERO };
            self.builds.due(now).into_iter().map(|build| build.command).collect()
        }
    }

    #[tokio::test]
    async fn a_change_is_built_once_and_one_that_comes_meanwhile_is_built_after_that() {
        let mut site = Site::new();
        assert!(site.due(true).is_empty());
        site.see(&["f"]);
        assert_eq!(site.due(false), ["a", "b"]);
        site.run("a", &[]);
        assert_eq!(site.due(false), ["b"]);
        site.start("b");
        site.see(&["g"]);
        assert_eq!(site.due(false), ["a"]);
        site.end("b", &["g"]);
        assert_eq!(site.due(false), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_build_that_writes_its_own_reason_pauses_and_then_stops() {
        let mut site = Site::new();
        site.run("a", &["stamp"]);
        site.run("a", &["stamp"]);
        assert_eq!(site.due(false), ["a", "b"]);
        assert_eq!(site.builds.said, [PathBuf::from("stamp")].into());
        for _ in 0..4 {
            site.run("a", &["stamp"]);
            assert!(!site.due(false).contains(&"a".to_owned()));
            assert!(site.due(true).contains(&"a".to_owned()));
        }
        site.run("a", &["stamp"]);
        assert!(!site.due(true).contains(&"a".to_owned()));
    }

    #[tokio::test]
    async fn a_change_between_runs_is_a_reason_again_whatever_was_written_during_them() {
        let mut site = Site::new();
        (0..9).for_each(|_| site.run("a", &["stamp"]));
        site.see(&["stamp"]);
        assert!(site.due(false).contains(&"a".to_owned()));
        site.run("a", &[]);
        site.run("a", &["stamp"]);
        assert!(site.due(false).contains(&"a".to_owned()));
    }

    #[tokio::test]
    async fn builds_that_write_reasons_for_each_other_stop_too() {
        let mut site = Site::new();
        for _ in 0..9 {
            site.run("a", &["of-a"]);
            site.run("b", &["of-b"]);
        }
        assert!(site.due(true).is_empty());
    }
}
