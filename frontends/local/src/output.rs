//! Writes stdout in a thread of its own.

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

/// Writes bytes in order from a thread of its own.
///
/// - Nothing piles up: a buffer waits until the one before it is being written.
/// - [`Written`] returns a failure. Bytes that come after a failure are dropped.
pub(crate) struct Writer(mpsc::Sender<Bytes>);

/// The end of the writing.
pub(crate) struct Written(oneshot::Receiver<io::Result<()>>);

/// Starts writing to `stdout`, until the [`Writer`] is dropped or a write fails.
pub(crate) fn write_in_thread(mut stdout: Box<dyn Write + Send>) -> Result<(Writer, Written), LocalError> {
    let (writer, mut buffers) = mpsc::channel::<Bytes>(1);
    let (end, written) = oneshot::channel();
    let write = move || {
        let mut write_all = || {
            while let Some(bytes) = buffers.blocking_recv() {
                stdout.write_all(&bytes)?;
                stdout.flush()?;
            }
            Ok(())
        };
        // The receiver is gone if the job was dropped.
        let _ = end.send(write_all());
    };
    thread::Builder::new().name("stdout".to_owned()).spawn(write).map_err(LocalError::Thread)?;
    Ok((Writer(writer), Written(written)))
}

impl Writer {
    /// Writes `bytes` after all earlier bytes.
    pub(crate) async fn write(&self, bytes: impl Into<Bytes>) {
        if self.0.send(bytes.into()).await.is_err() {
            // The failure is in `Written`. A closed channel never makes its sender wait: without this, a caller that
            // writes without end would never poll `Written`.
            task::yield_now().await;
        }
    }
}

impl Written {
    /// Waits for a failure. Without one it never ends.
    pub(crate) async fn failed(&mut self) -> io::Error {
        match (&mut self.0).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => future::pending().await,
        }
    }

    /// Waits until all bytes of `writer` are written. It must not be called after [`Written::failed`] has returned.
    pub(crate) async fn finish(self, writer: Writer) -> io::Result<()> {
        drop(writer);
        self.0.await.unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_that_writes_without_end_is_told_of_a_failure() {
        let no_room: &mut [u8] = &mut [];
        let (writer, mut written) = write_in_thread(Box::new(no_room)).unwrap();
        let endless = async {
            writer.write("y").await;
            // Until there is a failure, without polling `written` in between.
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
