//! Whether anyone still reads stdout.

use std::{
    future,
    io::{self, IsTerminal as _},
    os::fd::{AsFd, OwnedFd},
    thread,
};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::oneshot;

/// Ends when nobody can read what is written to stdout any more, as after `| head -1`; for ever not, where that does not
/// show.
///
/// A write would find out as well, but there is none while no event comes.
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
        // Nothing can interrupt its `poll`: it ends with the process, as the thread that reads stdin does.
        thread::Builder::new().name("hangup".to_owned()).spawn(move || {
            if wait_for_hangup(&stdout).is_ok() {
                // Nobody listens any more when the work is done.
                let _ = sender.send(());
            }
        })?;
    }
    Ok(closed)
}

/// Asked for nothing, `poll` waits for errors and hang-ups alone.
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
