//! Processes that end together.

use std::{
    io,
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Waits until its stdin is closed, then ends a process group: kindly, and a second later for certain.
const GUARD: &str = "read -r _; kill -s TERM -- \"-$1\" 2>/dev/null && sleep 1 && kill -s KILL -- \"-$1\" 2>/dev/null";

/// A process, and a process group of its own for it and all that it starts. Dropping it ends them.
///
/// A second process, the guard, does that: it sees that this process has ended, also where a signal killed it.
pub(super) struct Group {
    child: Child,
    /// Open for as long as the group may run. The guard reads it.
    _guard: ChildStdin,
}

impl Group {
    /// Starts a command.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        match guard(&child) {
            Ok(guard) => Ok(Self { child, _guard: guard }),
            Err(error) => {
                if let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
                    // It may have ended already.
                    let _ = kill_process_group(group, Signal::KILL);
                }
                Err(error)
            }
        }
    }

    /// What the command writes to stdout, once.
    pub(super) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for the command's end. Others of the group may still run.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

fn guard(child: &Child) -> io::Result<ChildStdin> {
    let ended = || io::Error::other("the command has no process");
    let group = child.id().ok_or_else(ended)?.to_string();
    let mut guard = Command::new("sh");
    // In a group of its own, so that it outlives both: what a terminal's Ctrl-C ends, and what it ends itself.
    guard.args(["-c", GUARD, "sh", &group]).process_group(0).current_dir("/");
    let mut guard = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    guard.stdin.take().ok_or_else(ended)
}
