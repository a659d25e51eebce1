//! Runs the command that builds a function's file.

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

use tokio::{
    process::Command,
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use group::Group;
use output::Output;

/// A command that has run for this long gives its slot to the next one, so that a command that hangs keeps no slot.
const SLOT: Duration = Duration::from_secs(1);
/// How long the output is read after the command has ended. A process that the command left behind may keep it open.
const REST: Duration = Duration::from_millis(200);

/// A command for the shell, and how it is run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Build {
    /// The command.
    pub(crate) command: String,
    /// The folder that it runs in.
    pub(crate) folder: PathBuf,
    /// How long it may take.
    pub(crate) timeout: Duration,
    /// Patterns of the files that it depends on, as in `.gitignore`. Without any, it depends on all files of its
    /// folder.
    pub(crate) watch: Vec<String>,
}

/// Why the file was not built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The shell could not be started, or its output could not be read.
    #[error("failed to run `{command}`")]
    Run { command: String, source: io::Error },
    /// The command exited with a failure. Its own output is in the log.
    #[error("`{command}` failed: {status}")]
    Failed { command: String, status: ExitStatus },
    /// The command took too long and was ended.
    #[error("`{command}` was ended after {}: build_timeout says how long it may take", humantime::format_duration(*.limit))]
    TimedOut { command: String, limit: Duration },
}

/// Slots for work of which no more is started at once than there are cores.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Semaphore>);

impl Slots {
    /// As many slots as there are cores.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(thread::available_parallelism().map_or(1, Into::into))))
    }

    /// Waits for a free slot, and keeps it until the value is dropped.
    pub(crate) async fn acquire(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.acquire().await.ok()
    }
}

impl Build {
    /// How long a command may take, unless its function says otherwise.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(600);

    /// Whether both run the same command in the same folder.
    pub(crate) fn runs_like(&self, other: &Self) -> bool {
        (&self.command, &self.folder) == (&other.command, &other.folder)
    }

    /// Runs the command to its end, once there is a slot for it. Its output is logged while it runs, as a build can be
    /// long.
    ///
    /// - All processes that the command starts end with it, unless they have left its process group.
    /// - They also end when the future is dropped, and when this process ends in any way.
    pub(crate) async fn run(&self, functions: &str, slots: &Slots) -> Result<(), BuildError> {
        let slot = slots.acquire().await;
        let mut running = Box::pin(self.run_now(functions));
        match timeout(SLOT, &mut running).await {
            Ok(ended) => ended,
            Err(_) => {
                drop(slot);
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
        // One stream for stdout and stderr: compilers write parts of one message to both.
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
        // REST says what is lost here.
        timeout(REST, rest).await.unwrap_or_default();
        Ok(status)
    }

    fn folder(&self) -> &Path {
        // The parent of the path `nebula.toml` is the empty path, which names no folder.
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
        build(command, folder).run("f", &Slots::new()).await.map_err(|error| error.to_string())
    }

    /// Makes a pipe `held` in a folder, and reads it until no process has it open any more.
    fn held(folder: &Path) -> JoinHandle<io::Result<Vec<u8>>> {
        let pipe = folder.join("held");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        tokio::task::spawn_blocking(move || fs::read(pipe))
    }

    #[tokio::test]
    async fn the_shell_runs_a_command_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run("echo '(module)' > f.wat && cp f.wat g.wat", folder.path()).await, Ok(()));
        assert_eq!(fs::read_to_string(folder.path().join("g.wat")).unwrap(), "(module)\n");
    }

    #[tokio::test]
    async fn the_error_names_the_command_and_its_status() {
        let failed = run("echo said; exit 3", Path::new("")).await;
        assert_eq!(failed, Err("`echo said; exit 3` failed: exit status: 3".to_owned()));
    }

    #[tokio::test]
    async fn a_folder_that_does_not_exist_is_a_failure() {
        assert_eq!(run("true", Path::new("/nowhere")).await, Err("failed to run `true`".to_owned()));
    }

    #[tokio::test]
    async fn a_process_that_a_command_leaves_behind_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let held = held(folder.path());
        assert_eq!(run("exec 9> held; sleep 86400 & echo up >&9", folder.path()).await, Ok(()));
        assert_eq!(held.await.unwrap().unwrap(), b"up\n");
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_ended_with_its_processes() {
        let folder = tempfile::tempdir().unwrap();
        let held = held(folder.path());
        let command = "trap '' TERM; exec 9> held; echo up >&9; sleep 86400";
        let build = Build { timeout: Duration::from_millis(500), ..build(command, folder.path()) };
        let failed = build.run("f", &Slots::new()).await.unwrap_err().to_string();
        assert_eq!(failed, format!("`{command}` was ended after 500ms: build_timeout says how long it may take"));
        assert_eq!(held.await.unwrap().unwrap(), b"up\n");
    }

    #[tokio::test]
    async fn dropping_a_run_ends_the_command_and_its_processes() {
        let folder = tempfile::tempdir().unwrap();
        let held = held(folder.path());
        let build = build("exec 9> held; sleep 86400 & echo up >&9; echo > started; wait", folder.path());
        let started = async {
            while fs::metadata(folder.path().join("started")).is_err() {
                tokio::task::yield_now().await;
            }
        };
        let places = Slots::new();
        tokio::select! {
            ended = build.run("f", &places) => panic!("{ended:?}"),
            () = started => {}
        }
        assert_eq!(held.await.unwrap().unwrap(), b"up\n");
    }

    #[tokio::test]
    async fn a_command_that_hangs_does_not_delay_others() {
        let folder = tempfile::tempdir().unwrap();
        let places = Slots(Arc::new(Semaphore::new(1)));
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
