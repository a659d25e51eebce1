//! Stdout, which only a thread of its own can wait for.

use std::{
    future,
    io::{self, Write},
    thread,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task,
};

use crate::outcome::LocalError;

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
        if self.0.send(bytes.into()).await.is_err() {
            // The thread has left its failure for `Written`. A closed channel never makes its sender wait: without this,
            // whoever writes without end would not come to look there.
            task::yield_now().await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_writes_without_end_learns_of_a_failure() {
        let no_room: &mut [u8] = &mut [];
        let (writer, mut written) = write_in_thread(Box::new(no_room)).unwrap();
        let endless = async {
            writer.write("y").await;
            // Until the failure is there, without a look at it in between.
            while !writer.0.is_closed() {
                thread::yield_now();
            }
            loop {
                writer.write("y").await;
            }
        };
        let failure = tokio::select! {
            biased;
            failure = written.failed() => failure,
            () = endless => unreachable!(),
        };
        assert_eq!(failure.kind(), io::ErrorKind::WriteZero);
    }
}
