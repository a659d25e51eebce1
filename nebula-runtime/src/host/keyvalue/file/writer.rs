//! Writing to the file: a queue of changes, and the thread that takes them.

use std::{io, path::Path, sync::Arc, thread};

use super::{
    commits::Commits,
    failure::Failure,
    job::{Applied, job},
    queue::Queue,
    values::Values,
};
use crate::host::failure::ServiceError;

/// Writes to the file. The thread begins with the first change, and ends some time after the writer is dropped.
pub(super) struct Writer {
    path: Arc<Path>,
    queue: Arc<Queue>,
}

impl Writer {
    pub(super) fn new(path: Arc<Path>) -> Self {
        Self { path, queue: Arc::default() }
    }

    /// Makes a change, and returns when it is on the disk. It may share its transaction with others. If the future is
    /// dropped, the change is made as a whole or not at all.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        change: impl FnMut(&mut Values<'_>) -> Applied<T> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let (job, answer) = job(change);
        let _entered = self.queue.enter(job);
        let failed = |error: io::Error| Failure::new("write", &self.path, error.into()).into_service_error();
        self.require_thread().map_err(failed)?;
        answer.await.unwrap_or_else(|_| Err(failed(io::Error::other("the thread that writes has ended"))))
    }

    /// Opens the file for writing. That completes what a process left when it ended without closing the file.
    pub(super) async fn open(&self) -> Result<(), ServiceError> {
        self.write(|_| Ok(Ok(()))).await
    }

    fn require_thread(&self) -> io::Result<()> {
        if self.queue.begin_thread() {
            let commits = Commits::new(Arc::clone(&self.path), Arc::clone(&self.queue));
            thread::Builder::new().name("keyvalue-file".to_owned()).spawn(|| commits.run())?;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
    }
}
