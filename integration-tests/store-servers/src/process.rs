//! The process of a server.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

/// A process that serves on loopback. It ends with its stdin: when this is dropped, or when this process ends.
pub(crate) struct Process {
    process: Child,
    port: u16,
    /// A process whose output nobody reads any more may end.
    _output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a server: a command that prints its port. `None` where the server is not installed. In CI it has to be.
    pub(crate) fn start(service: &str, installer: &str, command: &mut Command) -> Option<Self> {
        let started = Self::spawn(command);
        if started.is_none() {
            note_missing(service, installer);
        }
        started
    }

    fn spawn(command: &mut Command) -> Option<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().ok()?;
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("its output is a pipe"));
        output.read_line(&mut line).expect("its output can be read");
        let Ok(port) = line.trim().parse() else {
            let _ = process.wait();
            return None;
        };
        Some(Self { process, port, _output: output })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Notes that nothing is tested on a service, whose server is not installed. In CI it has to be.
pub(crate) fn note_missing(service: &str, installer: &str) {
    assert!(env::var_os("CI").is_none(), "no server of {service} here: {installer} installs it");
    eprintln!("not tested on {service}: there is no server of it here; {installer} installs it");
}

/// Python, about to run a script of this crate that finds a tool of `target/tools`.
pub(crate) fn python(script: &str, tool: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(here("servers").join(script)).env("PYTHONPATH", here("../../target/tools").join(tool));
    command
}

/// Node, about to run a script of this crate that finds a tool of `target/tools`.
pub(crate) fn node(script: &str, tool: &str) -> Command {
    let mut command = Command::new("node");
    let modules = here("../../target/tools").join(tool).join("node_modules");
    command.arg(here("servers").join(script)).env("NODE_PATH", modules);
    command
}

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
