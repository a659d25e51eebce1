//! Decides which builds are due.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use tokio::task::AbortHandle;

use super::files::Change;
use crate::build::Build;

/// The pause before a build whose only reason is a file that was written during two, three, four, five or six runs of
/// one build in a row. A file that was written during more runs in a row is no reason for a build.
const PAUSES: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(32), Duration::from_secs(128)];

/// The builds of a configuration.
///
/// - A build is due when it is asked for, and when a file that it depends on has changed since it began.
/// - A file that a build writes cannot be told from one that a person saves during the build. So a file that was
///   written during two runs in a row is still a reason for a build, but after a pause that grows with each run. The
///   log says so once. In this way no change by a person is lost, and a build that is the reason for the next one comes
///   to an end.
#[derive(Debug, Default)]
pub(super) struct Builds {
    jobs: BTreeMap<Build, Job>,
    warned: BTreeSet<PathBuf>,
}

#[derive(Debug, Default)]
struct Job {
    stage: Stage,
    /// The numbers of the checks before and after the last run. Without the second number, the build still runs.
    run: Option<(u64, Option<u64>)>,
    wanted: bool,
    reasons: BTreeMap<PathBuf, Reason>,
    /// The files that were written during the last run, each with the number of runs in a row that have written it.
    writes: BTreeMap<PathBuf, usize>,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Running(AbortHandle),
    /// The command ended at this time. The files that it wrote last have not been checked yet.
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

    /// How many runs in a row have written this file, if it was written at this check and during the last run.
    fn runs_that_wrote(&self, path: &Path, look: u64) -> usize {
        let during = self.run.is_some_and(|(began, ended)| began < look && ended.is_none_or(|ended| look <= ended));
        self.writes.get(path).copied().filter(|_| during).unwrap_or_default()
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let reasons = self.reasons.values().map(|reason| reason.since + reason.pause);
        reasons.chain(self.wanted.then_some(now)).min().filter(|_| matches!(self.stage, Stage::Idle))
    }

    /// Ends the run, during which these files were written.
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
    /// Replaces the builds by these. A build that runs and is not among them is ended.
    pub(super) fn follow<'a>(&mut self, builds: impl Iterator<Item = &'a Build>) {
        let mut before = std::mem::take(&mut self.jobs);
        self.jobs = builds.map(|build| (build.clone(), before.remove(build).unwrap_or_default())).collect();
        for job in before.values() {
            if let Stage::Running(handle) = &job.stage {
                handle.abort();
            }
        }
    }

    /// Requests a build. If it is running, it will run again.
    pub(super) fn want(&mut self, build: &Build) {
        if let Some(job) = self.jobs.get_mut(build) {
            job.wanted = true;
        }
    }

    /// Adds changes as reasons for builds. `matching` returns those that a build with these patterns depends on.
    pub(super) fn changed<'a>(&mut self, matching: impl Fn(&[String]) -> Vec<&'a Change>) {
        for (build, job) in &mut self.jobs {
            let began = job.began();
            for change in matching(&build.watch).into_iter().filter(|change| change.look > began) {
                let reason = Reason { look: change.look, since: Instant::now(), pause: Duration::ZERO };
                job.reasons.insert(change.path.clone(), reason);
            }
        }
        self.set_pauses();
    }

    /// Sets the pauses of builds that may be their own reason.
    fn set_pauses(&mut self) {
        let jobs: Vec<_> = self.jobs.values().collect();
        let runs = |path: &Path, look| jobs.iter().map(|job| job.runs_that_wrote(path, look)).max().unwrap_or_default();
        let weighed: Vec<Vec<_>> =
            jobs.iter().map(|job| job.reasons.iter().map(|(path, reason)| runs(path, reason.look)).collect()).collect();
        for (job, runs) in self.jobs.values_mut().zip(weighed) {
            let mut runs = runs.into_iter();
            job.reasons.retain(|path, reason| match runs.next().unwrap_or_default().checked_sub(2) {
                None => true,
                Some(more) => {
                    if self.warned.insert(path.clone()) {
                        warn(path);
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

    /// When the next build is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        self.jobs.values().filter_map(|job| job.due(now)).min()
    }

    /// A build was started after this check.
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

    /// Whether a build is running or due.
    pub(super) fn is_under_way(&self, build: &Build) -> bool {
        let now = Instant::now();
        let is_due = |job: &Job| job.due(now).is_some_and(|due| due <= now);
        self.jobs.get(build).is_some_and(|job| matches!(job.stage, Stage::Running(_)) || is_due(job))
    }

    /// Whether any command is running.
    pub(super) fn are_running(&self) -> bool {
        self.jobs.values().any(|job| matches!(job.stage, Stage::Running(_)))
    }

    /// Whether a command has ended whose files have not been checked yet.
    pub(super) fn are_ending(&self) -> bool {
        self.jobs.values().any(|job| matches!(job.stage, Stage::Ended(_)))
    }

    /// Ends the runs whose commands have ended, after this check. `written` returns the files that were written after a
    /// check and before a time.
    pub(super) fn close(&mut self, look: u64, written: impl Fn(u64, SystemTime) -> BTreeSet<PathBuf>) {
        for job in self.jobs.values_mut() {
            if let Stage::Ended(at) = job.stage {
                job.close(look, written(job.began(), at));
            }
        }
        self.set_pauses();
    }
}

fn warn(path: &Path) {
    tracing::warn!(
        "{} was written during two builds in a row: if they write it, [watch] ignore in nebula.toml leaves it out. Until then, \
         builds for it come after longer and longer pauses",
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two builds.
    struct Project {
        builds: Builds,
        look: u64,
    }

    fn build(command: &str) -> Build {
        Build { command: command.to_owned(), folder: "/".into(), timeout: Build::TIMEOUT, watch: Vec::new() }
    }

    impl Project {
        fn new() -> Self {
            let mut builds = Builds::default();
            builds.follow([build("a"), build("b")].iter());
            Self { builds, look: 0 }
        }

        /// Checks the files, and finds that these have changed.
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

        /// Runs a build that writes these files.
        fn run(&mut self, command: &str, written: &[&str]) {
            self.start(command);
            self.see(written);
            self.end(command, written);
        }

        /// The builds that are due now, or after all pauses.
        fn due(&self, later: bool) -> Vec<String> {
            let now = Instant::now() + if later { Duration::from_secs(3600) } else { Duration::ZERO };
            self.builds.due(now).into_iter().map(|build| build.command).collect()
        }
    }

    #[tokio::test]
    async fn a_change_is_built_once_and_a_change_during_a_build_is_built_after_it() {
        let mut project = Project::new();
        assert!(project.due(true).is_empty());
        project.see(&["f"]);
        assert_eq!(project.due(false), ["a", "b"]);
        project.run("a", &[]);
        assert_eq!(project.due(false), ["b"]);
        project.start("b");
        project.see(&["g"]);
        assert_eq!(project.due(false), ["a"]);
        project.end("b", &["g"]);
        assert_eq!(project.due(false), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_build_that_is_its_own_reason_pauses_and_then_stops() {
        let mut project = Project::new();
        project.run("a", &["stamp"]);
        project.run("a", &["stamp"]);
        assert_eq!(project.due(false), ["a", "b"]);
        assert_eq!(project.builds.warned, [PathBuf::from("stamp")].into());
        for _ in 0..4 {
            project.run("a", &["stamp"]);
            assert!(!project.due(false).contains(&"a".to_owned()));
            assert!(project.due(true).contains(&"a".to_owned()));
        }
        project.run("a", &["stamp"]);
        assert!(!project.due(true).contains(&"a".to_owned()));
    }

    #[tokio::test]
    async fn a_change_between_runs_is_a_reason_again() {
        let mut project = Project::new();
        (0..9).for_each(|_| project.run("a", &["stamp"]));
        project.see(&["stamp"]);
        assert!(project.due(false).contains(&"a".to_owned()));
        project.run("a", &[]);
        project.run("a", &["stamp"]);
        assert!(project.due(false).contains(&"a".to_owned()));
    }

    #[tokio::test]
    async fn builds_that_are_reasons_for_each_other_stop_too() {
        let mut project = Project::new();
        for _ in 0..9 {
            project.run("a", &["of-a"]);
            project.run("b", &["of-b"]);
        }
        assert!(project.due(true).is_empty());
    }
}
