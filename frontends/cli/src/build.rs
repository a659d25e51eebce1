//! The command that makes a function's file from its source.

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use nebula_runtime::FunctionName;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

/// A command for the shell, and the folder that it is meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) command: String,
    pub(crate) folder: PathBuf,
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
}

impl Build {
    /// Runs the command to its end. What it writes is logged line by line, as it comes: a build can be long.
    pub(crate) async fn run(&self, function: &FunctionName) -> Result<(), BuildError> {
        tracing::info!(%function, "building: {}", self.command);
        let failed = |source| BuildError::Run { command: self.command.clone(), source };
        let status = self.logged(function).await.map_err(failed)?;
        match status.success() {
            true => Ok(()),
            false => Err(BuildError::Failed { command: self.command.clone(), status }),
        }
    }

    async fn logged(&self, function: &FunctionName) -> io::Result<ExitStatus> {
        let mut command = Command::new("sh");
        // One stream for both: compilers write what belongs together to either.
        command.arg("-c").arg(format!("exec 2>&1\n{}", self.command)).current_dir(self.folder());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        if let Some(output) = child.stdout.take() {
            let mut lines = BufReader::new(output).split(b'\n');
            while let Some(line) = lines.next_segment().await? {
                let line = String::from_utf8_lossy(&line);
                tracing::info!(target: "nebula::build", %function, "{}", line.trim_end());
            }
        }
        child.wait().await
    }

    fn folder(&self) -> &Path {
        // The folder of a bare `nebula.toml` is the empty path, which names no folder.
        if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(command: &str, folder: &Path) -> Result<(), String> {
        let build = Build { command: command.to_owned(), folder: folder.to_owned() };
        build.run(&"f".parse().unwrap()).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_command_runs_in_its_folder_by_the_shell() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run("echo '(module)' > f.wat && cp f.wat g.wat", folder.path()).await, Ok(()));
        assert_eq!(std::fs::read_to_string(folder.path().join("g.wat")).unwrap(), "(module)\n");
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
}
