//! The `nebula` command, as a shell runs it.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use crate::project::Project;

/// The `nebula` command that was built with these tests.
#[derive(Debug, Clone)]
pub struct Nebula {
    binary: PathBuf,
    cache: PathBuf,
}

/// What became of a `nebula` process.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; of one that a signal ended, the signal's number below zero.
    pub exit_code: i32,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Nebula {
    /// The command, beside the folder of tests or beside another program. Its compiled code is kept with what Cargo
    /// builds: compiling it takes most of a test's time.
    pub fn built() -> Self {
        let program = std::env::current_exe().unwrap();
        // A test is in target/PROFILE/deps.
        let folder = program.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).unwrap();
        let binary = folder.join(format!("nebula{}", std::env::consts::EXE_SUFFIX));
        assert!(binary.exists(), "{} is not there: `cargo build --package nebula-cli` builds it", binary.display());
        Self { cache: folder.join("nebula-code-cache"), binary }
    }

    /// Another program that was built with these tests.
    pub fn beside(&self, name: &str) -> PathBuf {
        let program = self.binary.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        assert!(program.exists(), "{} is not there: `cargo build --workspace` builds it", program.display());
        program
    }

    /// The folder for compiled code.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The same command with another folder for compiled code.
    #[must_use]
    pub fn with_cache(self, cache: PathBuf) -> Self {
        Self { cache, ..self }
    }

    /// A `nebula` that works in `project`, whose store is in there too. Nothing of the environment of these tests is
    /// meant for it.
    pub fn command(&self, project: &Project, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(project.path()).env_clear();
        command.env("NEBULA_STORE", project.join("store")).env("NEBULA_CACHE", &self.cache);
        command
    }

    /// Runs `nebula` to its end.
    pub fn run(&self, project: &Project, arguments: &[&str], stdin: &[u8]) -> Ran {
        let mut command = self.command(project, arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = thread::scope(|scope| {
            // A process that has what it needs may end without reading all of it.
            scope.spawn(move || drop(input.write_all(stdin)));
            child.wait_with_output().unwrap()
        });
        output.into()
    }

    /// Runs `nebula` by a script of a shell, in which `"$0" "$@"` stands for it.
    pub fn run_by(&self, script: &str, project: &Project, arguments: &[&str]) -> Ran {
        self.shell(script, project, arguments).output().unwrap().into()
    }

    /// A shell that runs a script, in which `"$0" "$@"` stands for `nebula`.
    pub fn shell(&self, script: &str, project: &Project, arguments: &[&str]) -> Command {
        let nebula = self.command(project, arguments);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).arg(nebula.get_program()).args(nebula.get_args()).stdin(Stdio::null());
        shell.current_dir(project.path()).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        shell.envs(nebula.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
    }

    /// Publishes a file.
    pub fn publish(&self, project: &Project, name: &str, file: &Path, options: &[&str]) -> Ran {
        let arguments = ["publish", name, file.to_str().unwrap()];
        self.run(project, &[&arguments, options].concat(), b"")
    }
}

impl Ran {
    /// The same, after a look at whether it succeeded.
    #[must_use]
    pub fn successful(self) -> Self {
        assert_eq!(self.exit_code, 0, "{self:#?}");
        self
    }

    /// Stdout as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl From<Output> for Ran {
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
