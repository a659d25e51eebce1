//! Writing to the file: a queue of changes, and the thread that takes them.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        mpsc::{SendError, Sender, channel},
    },
    thread,
};

use super::{
    commits::Commits,
    failure::Failure,
    job::{Applied, Job, job},
    values::Values,
    waiting::Pending,
};
use crate::{host::failure::ServiceError, sync::lock};

/// Writes to the file. The thread begins with the first change, and ends some time after the writer is dropped.
pub(super) struct Writer {
    path: Arc<Path>,
    pending: Arc<Pending>,
    jobs: Mutex<Option<Sender<Box<dyn Job>>>>,
}

impl Writer {
    pub(super) fn new(path: Arc<Path>) -> Self {
        Self { path, pending: Arc::default(), jobs: Mutex::default() }
    }

    /// Makes a change, and returns when it is on the disk. It may share its transaction with others. If the future is
    /// dropped, the change is made as a whole or not at all.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        change: impl FnMut(&mut Values<'_>) -> Applied<T> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let _entered = self.pending.enter();
        let (job, answer) = job(change);
        let failed = |error: io::Error| Failure::new("write", &self.path, error.into()).into_service_error();
        self.send(job).map_err(failed)?;
        answer.await.unwrap_or_else(|_| Err(failed(io::Error::other("the thread that writes has ended"))))
    }

    /// Opens the file for writing. That completes what a process left when it ended without closing the file.
    pub(super) async fn open(&self) -> Result<(), ServiceError> {
        self.write(|_| Ok(Ok(()))).await
    }

    fn send(&self, job: Box<dyn Job>) -> io::Result<()> {
        let mut jobs = lock(&self.jobs);
        let job = match &*jobs {
            Some(sender) => match sender.send(job) {
                Ok(()) => return Ok(()),
                Err(SendError(job)) => job,
            },
            None => job,
        };
        let (sender, receiver) = channel();
        let commits = Commits::new(Arc::clone(&self.path), Arc::clone(&self.pending), receiver);
        thread::Builder::new().name("keyvalue-file".to_owned()).spawn(|| commits.run())?;
        // The thread takes jobs until this sender is dropped.
        let _ = sender.send(job);
        *jobs = Some(sender);
        Ok(())
    }
}
