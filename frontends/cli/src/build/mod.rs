//! The command that makes a function's file from its source.

mod group;
mod output;

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::{process::Command, sync::Semaphore, time::timeout};

use group::Group;
use output::Output;

/// A command that has run for this long gives its place to the next one. A command that hangs would keep it otherwise.
const PLACE: Duration = Duration::from_secs(1);
/// A process that the command has left behind may keep the output open; what the command itself wrote is there by then.
const REST: Duration = Duration::from_millis(200);

/// A command for the shell, and the folder that it is meant for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Build {
    /// The command.
    pub(crate) command: String,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    /// How long it may take.
    pub(crate) timeout: Duration,
    /// Patterns of the files that it depends on; where there are none, all of its folder. See `.gitignore` for their form.
    pub(crate) watch: Vec<String>,
}

/// Why there is no new file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The shell, or its output, cannot be had.
    #[error("failed to run `{command}`")]
    Run { command: String, source: io::Error },
    /// What the command itself says is in the log by then.
    #[error("`{command}` failed: {status}")]
    Failed { command: String, status: ExitStatus },
    /// It was ended.
    #[error("`{command}` was ended after {}: build_timeout says how long it may take", humantime::format_duration(*.limit))]
    TimedOut { command: String, limit: Duration },
}

/// BuildSlots for commands: as many start at once as there are cores.
#[derive(Debug, Clone)]
pub(crate) struct BuildSlots(Arc<Semaphore>);

impl BuildSlots {
    /// As many places as there are cores.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(thread::available_parallelism().map_or(1, Into::into))))
    }
}

impl Build {
    /// How long a command may take where its function does not say.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(600);

    /// Whether the same command makes the same file.
    pub(crate) fn makes_like(&self, other: &Self) -> bool {
        (&self.command, &self.folder) == (&other.command, &other.folder)
    }

    /// Runs the command to its end, once there is a place for it. What it writes is logged as it comes: a build can be long.
    ///
    /// - All processes that it starts end with it, unless they have left its process group.
    /// - They end too when the future is dropped, and when this process ends, however that happens.
    pub(crate) async fn run(&self, functions: &str, places: &BuildSlots) -> Result<(), BuildError> {
        // Nobody closes the semaphore.
        let place = places.0.acquire().await.ok();
        let mut running = Box::pin(self.run_now(functions));
        match timeout(PLACE, &mut running).await {
            Ok(ended) => ended,
            Err(_) => {
                drop(place);
                running.await
            }
        }
    }

    async fn run_now(&self, functions: &str) -> Result<(), BuildError> {
        tracing::info!(function = %functions, "building: {}", self.command);
        let command = self.command.clone();
        match timeout(self.timeout, self.logged(functions)).await {
            Err(_) => Err(BuildError::TimedOut { command, limit: self.timeout }),
            Ok(Err(source)) => Err(BuildError::Run { command, source }),
            Ok(Ok(status)) if !status.success() => Err(BuildError::Failed { command, status }),
            Ok(Ok(_)) => Ok(()),
        }
    }

    async fn logged(&self, functions: &str) -> io::Result<ExitStatus> {
        let mut command = Command::new("sh");
        // One stream for both: compilers write what belongs together to either.
        command.arg("-c").arg(format!("exec 2>&1\n{}", self.command)).current_dir(self.folder());
        let mut group = Group::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let log = |line: String| tracing::info!(target: "nebula::build", function = %functions, "{line}");
        let Some(mut output) = group.output().map(Output::of) else { return group.wait().await };
        let status = loop {
            tokio::select! {
                line = output.next() => match line? {
                    Some(line) => log(line),
                    None => break group.wait().await?,
                },
                status = group.wait() => break status?,
            }
        };
        drop(group);
        let rest = async {
            while let Ok(Some(line)) = output.next().await {
                log(line);
            }
        };
        // That there is more after this is said above.
        timeout(REST, rest).await.unwrap_or_default();
        Ok(status)
    }

    fn folder(&self) -> &Path {
        // The folder of a bare `nebula.toml` is the empty path, which names no folder.
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::task::JoinHandle;

    use super::*;

    fn build(command: &str, folder: &Path) -> Build {
        Build { command: command.to_owned(), folder: folder.to_owned(), timeout: Build::TIMEOUT, watch: Vec::new() }
    }

    async fn run(command: &str, folder: &Path) -> Result<(), String> {
        build(command, folder).run("f", &BuildSlots::new()).await.map_err(|error| error.to_string())
    }

    /// A pipe `held` in a folder, and what comes out of it: its end, once no process has it open any more.
    fn held(folder: &Path) -> JoinHandle<io::Result<Vec<u8>>> {
        let pipe = folder.join("held");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        tokio::task::spawn_blocking(move || fs::read(pipe))
    }

    #[tokio::test]
    async fn a_command_runs_in_its_folder_by_the_shell() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run("echo '(module)' > f.wat && cp f.wat g.wat", folder.path()).await, Ok(()));
        assert_eq!(fs::read_to_string(folder.path().join("g.wat")).unwrap(), "(module)\n");
    }

    #[tokio::test]
    async fn a_command_that_fails_is_named_with_its_status() {
        let failed = run("echo said; exit 3", Path::new("")).await;
        assert_eq!(failed, Err("`echo said; exit 3` failed: exit status: 3".to_owned()));
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_a_failure() {
        assert_eq!(run("true", Path::new("/nowhere")).await, Err("failed to run `true`".to_owned()));
    }

    #[tokio::test]
    async fn a_command_that_leaves_a_process_behind_has_ended_and_so_has_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let held = held(folder.path());
        assert_eq!(run("exec 9> held; sleep 86400 & echo up >&9", folder.path()).await, Ok(()));
        assert_eq!(held.await.unwrap().unwrap(), b"up\n");
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_ended_at_its_limit_with_its_processes() {
        let folder = tempfile::tempdir().unwrap();
        let held = held(folder.path());
        let command = "trap '' TERM; exec 9> held; echo up >&9; sleep 86400";
        let build = Build { timeout: Duration::from_millis(500), ..build(command, folder.path()) };
        let failed = build.run("f", &BuildSlots::new()).await.unwrap_err().to_string();
        assert_eq!(failed, format!("`{command}` was ended after 500ms: build_timeout says how long it may take"));
        assert_eq!(held.await.unwrap().unwrap(), b"up\n");
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_ends_with_its_processes() {
        let folder = tempfile::tempdir().unwrap();
        let held = held(folder.path());
        let build = build("exec 9> held; sleep 86400 & echo up >&9; echo > started; wait", folder.path());
        let started = async {
            while fs::metadata(folder.path().join("started")).is_err() {
                tokio::task::yield_now().await;
            }
        };
        let places = BuildSlots::new();
        tokio::select! {
            ended = build.run("f", &places) => panic!("{ended:?}"),
            () = started => {}
        }
        assert_eq!(held.await.unwrap().unwrap(), b"up\n");
    }

    #[tokio::test]
    async fn commands_that_hang_hold_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let places = BuildSlots(Arc::new(Semaphore::new(1)));
        let (hangs, quick) = (build("sleep 86400", folder.path()), build("true", folder.path()));
        let hanging = hangs.run("f", &places);
        let other = async {
            tokio::task::yield_now().await;
            quick.run("g", &places).await
        };
        tokio::select! {
            biased;
            ended = hanging => panic!("{ended:?}"),
            ended = other => ended.unwrap(),
        }
    }
}
