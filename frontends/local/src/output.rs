//! Stdout, which only a thread of its own can wait for.

use std::{
    future,
    io::{self, Write},
    thread,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::LocalError;

/// Writes bytes in their order from a thread of its own, each lot as soon as it comes.
///
/// - Nothing piles up: a lot waits until the one before it is being written.
/// - A failure is learned from [`Written`]; what is written after it goes nowhere.
pub(crate) struct Writer(mpsc::Sender<Bytes>);

/// How the writing ends.
pub(crate) struct Written(oneshot::Receiver<io::Result<()>>);

/// Starts writing to `stdout`, until the [`Writer`] is dropped or a write fails.
pub(crate) fn write_in_thread(mut stdout: Box<dyn Write + Send>) -> Result<(Writer, Written), LocalError> {
    let (writer, mut lots) = mpsc::channel::<Bytes>(1);
    let (end, written) = oneshot::channel();
    let write = move || {
        let mut write_all = || {
            while let Some(bytes) = lots.blocking_recv() {
                stdout.write_all(&bytes)?;
                stdout.flush()?;
            }
            Ok(())
        };
        // Nobody listens any more when the whole job was dropped.
        let _ = end.send(write_all());
    };
    thread::Builder::new().name("stdout".to_owned()).spawn(write).map_err(LocalError::Thread)?;
    Ok((Writer(writer), Written(written)))
}

impl Writer {
    /// Writes `bytes` after everything before.
    pub(crate) async fn write(&self, bytes: impl Into<Bytes>) {
        // The thread leaves its end only after a failure, which `Written` tells.
        let _ = self.0.send(bytes.into()).await;
    }
}

impl Written {
    /// Waits for a failure, for ever if need be.
    pub(crate) async fn failed(&mut self) -> io::Error {
        match (&mut self.0).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => future::pending().await,
        }
    }

    /// Waits until everything that went to `writer` is written. Not to be called after [`Written::failed`] has ended.
    pub(crate) async fn finish(self, writer: Writer) -> io::Result<()> {
        drop(writer);
        self.0.await.unwrap_or(Ok(()))
    }
}
