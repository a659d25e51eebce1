//! The processes in which a server's modules are compiled.
//!
//! They are this program with other arguments, which are not for people and hence no command of the command line.

use std::{env, io, os::unix::process::CommandExt as _, path::PathBuf, process::Command};

use nebula_runtime::CompilerProcess;
use tokio::signal::unix::{SignalKind, signal};

use crate::{print, sandbox::Sandbox, start};

const ARGUMENT: &str = "compile-for-server";
const LAUNCHER: &str = "launcher";
const COMPILER: &str = "compiler";

/// Starts to compile in other processes. Called before the server enters its sandbox, in which it starts no programs.
pub(crate) fn start() -> Option<CompilerProcess> {
    let started = command(LAUNCHER).and_then(CompilerProcess::start);
    let warn = |error: &io::Error| {
        let reason = print::chain(error);
        tracing::warn!("modules are compiled in the server's own process, which has no limits: {reason}");
    };
    started.inspect_err(warn).ok()
}

/// Does the work of such a process, if this is one.
pub(crate) fn run() -> Option<io::Result<()>> {
    let mut arguments = env::args_os().skip(1);
    arguments.next().filter(|argument| argument == ARGUMENT)?;
    let is_launcher = arguments.next().is_some_and(|argument| argument == LAUNCHER);
    let compiled = outlive_termination().and_then(|()| match is_launcher {
        true => CompilerProcess::launch(|| command(COMPILER)),
        false => CompilerProcess::compile(fence),
    });
    Some(compiled)
}

/// systemd sends its signal to all processes of a service at once, and the server's last calls may need a compiler. These
/// processes end after the server.
fn outlive_termination() -> io::Result<()> {
    start::tokio_of_one_thread().block_on(async { signal(SignalKind::terminate()) }).map(drop)
}

/// A compiler uses no files and no ports. Older kernels leave it only its limits.
fn fence() {
    drop(Sandbox::default().enter());
}

fn command(role: &str) -> io::Result<Command> {
    let mut command = Command::new(program()?);
    command.arg0("nebula").args([ARGUMENT, role]).env_clear();
    Ok(command)
}

/// The file of this program. On Linux it is found also after an update has replaced it.
fn program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { env::current_exe() }
}
