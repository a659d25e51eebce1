//! Notices that the reader of stdout has gone.

use std::{
    future,
    io::{self, IsTerminal as _},
    os::fd::{AsFd, OwnedFd},
    thread,
};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::oneshot;

/// Waits until the reader of stdout has closed its end, as `head -1` does. It never ends where the system does not show
/// that.
///
/// A write would fail as well, but nothing is written while no event comes.
pub(super) async fn output_closed() {
    let closed = async { watch().ok()?.await.ok() };
    if closed.await.is_none() {
        future::pending().await
    }
}

fn watch() -> io::Result<oneshot::Receiver<()>> {
    let (sender, closed) = oneshot::channel();
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        let stdout = stdout.as_fd().try_clone_to_owned()?;
        // Nothing can interrupt `poll`. The thread ends with the process, like the thread that reads stdin.
        thread::Builder::new().name("hangup".to_owned()).spawn(move || {
            if wait_for_hangup(&stdout).is_ok() {
                // The receiver is gone when the work is done.
                let _ = sender.send(());
            }
        })?;
    }
    Ok(closed)
}

/// Without a flag, `poll` waits for errors and hang-ups only.
fn wait_for_hangup(stdout: &OwnedFd) -> io::Result<()> {
    let mut watched = [PollFd::new(stdout, PollFlags::empty())];
    loop {
        match poll(&mut watched, None) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
