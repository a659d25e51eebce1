//! The `nebula` command.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use crate::{project::Project, services::NODE};

/// The `nebula` command that was built with these tests.
#[derive(Debug, Clone)]
pub struct Nebula {
    binary: PathBuf,
    cache: PathBuf,
    environment: Vec<(&'static str, String)>,
}

/// The exit code and the output of a process that has ended.
#[derive(Debug)]
pub struct ProcessOutput {
    /// The exit code. If a signal ended the process, the negative number of the signal.
    pub exit_code: i32,
    /// All of stdout.
    pub stdout: Vec<u8>,
    /// All of stderr.
    pub stderr: String,
}

impl Nebula {
    /// Finds the command in Cargo's target folder. Its code cache is in that folder too, because compiling guests takes
    /// most of a test's time.
    pub fn built() -> Self {
        let program = std::env::current_exe().unwrap();
        // A test binary is in target/PROFILE/deps.
        let folder = program.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).unwrap();
        let binary = folder.join(format!("nebula{}", std::env::consts::EXE_SUFFIX));
        assert!(binary.exists(), "{} does not exist: `cargo build --package nebula-cli` builds it", binary.display());
        Self { cache: folder.join("nebula-code-cache"), binary, environment: Vec::new() }
    }

    /// The path of the command.
    pub fn program(&self) -> &Path {
        &self.binary
    }

    /// The path of another program that was built with these tests.
    pub fn sibling_program(&self, name: &str) -> PathBuf {
        let program = self.binary.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        assert!(program.exists(), "{} does not exist: `cargo build --workspace` builds it", program.display());
        program
    }

    /// The folder of the code cache.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The same command with another code cache.
    #[must_use]
    pub fn with_cache(self, cache: PathBuf) -> Self {
        Self { cache, ..self }
    }

    /// The same command with these variables.
    #[must_use]
    pub fn with_environment(self, variables: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self { environment: variables.into_iter().collect(), ..self }
    }

    /// A `nebula` command in the folder of `project`, which also holds its store. It inherits no environment variables.
    pub fn command(&self, project: &Project, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(project.path()).env_clear();
        command.env("NEBULA_STORE", project.join("store")).env("NEBULA_CACHE", &self.cache).envs(NODE);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `nebula` until it exits.
    pub fn run(&self, project: &Project, arguments: &[&str], stdin: &[u8]) -> ProcessOutput {
        let mut command = self.command(project, arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = thread::scope(|scope| {
            // A process may exit before it has read all of stdin.
            scope.spawn(move || drop(input.write_all(stdin)));
            child.wait_with_output().unwrap()
        });
        output.into()
    }

    /// Runs a shell script, in which `"$0" "$@"` runs `nebula`.
    pub fn run_in_shell(&self, script: &str, project: &Project, arguments: &[&str]) -> ProcessOutput {
        self.shell(script, project, arguments).output().unwrap().into()
    }

    /// A command that runs a shell script, in which `"$0" "$@"` runs `nebula`.
    pub fn shell(&self, script: &str, project: &Project, arguments: &[&str]) -> Command {
        let nebula = self.command(project, arguments);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).arg(nebula.get_program()).args(nebula.get_args()).stdin(Stdio::null());
        shell.current_dir(project.path()).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        shell.envs(nebula.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
    }

    /// Runs `nebula publish` with a file.
    pub fn publish(&self, project: &Project, name: &str, file: &Path, options: &[&str]) -> ProcessOutput {
        let arguments = ["publish", name, file.to_str().unwrap()];
        self.run(project, &[&arguments, options].concat(), b"")
    }
}

impl ProcessOutput {
    /// Fails the test unless the exit code is 0.
    #[must_use]
    pub fn expect_success(self) -> Self {
        assert_eq!(self.exit_code, 0, "{self:#?}");
        self
    }

    /// Stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl From<Output> for ProcessOutput {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;

        let signal = || -output.status.signal().unwrap_or_default();
        Self {
            exit_code: output.status.code().unwrap_or_else(signal),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            stdout: output.stdout,
        }
    }
}
