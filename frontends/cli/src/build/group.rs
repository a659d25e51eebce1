//! A command and all processes that it starts, which are ended together.

use std::{
    io,
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Waits until stdin is closed, then sends SIGTERM to a process group, and SIGKILL a second later.
const GUARD: &str = "read -r _; kill -s TERM -- \"-$1\" 2>/dev/null && sleep 1 && kill -s KILL -- \"-$1\" 2>/dev/null";

/// A process in a process group of its own, together with all processes that it starts. Dropping the value ends the
/// group.
///
/// A second process, the guard, ends the group. The guard also notices when Nebula is killed by a signal.
pub(super) struct Group {
    child: Child,
    /// The stdin of the guard, which ends the group when this is closed.
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
                    // The group may have ended already.
                    let _ = kill_process_group(group, Signal::KILL);
                }
                Err(error)
            }
        }
    }

    /// The command's stdout. It can be taken once.
    pub(super) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until the command ends. Other processes of the group may still run.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

fn guard(child: &Child) -> io::Result<ChildStdin> {
    let ended = || io::Error::other("the command has no process");
    let group = child.id().ok_or_else(ended)?.to_string();
    let mut guard = Command::new("sh");
    // In a group of its own, so that neither a terminal's Ctrl-C nor the guard itself ends the guard.
    guard.args(["-c", GUARD, "sh", &group]).process_group(0).current_dir("/");
    let mut guard = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    guard.stdin.take().ok_or_else(ended)
}
