//! One writer at a time, where the backend cannot compare and swap.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::{runtime::Handle, sync::Mutex, task};

use super::error::StoreError;

/// A lock on a folder: of all processes on this machine, one writer at a time changes it.
///
/// - The lock is the system's, on a file that is always there: it ends with the process, however that ends, and
///   leaves nothing to clean up.
/// - Readers never take it.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: PathBuf,
    /// One waiter of this process at a time: the system's lock is waited for on a thread of the blocking pool, and a
    /// pool full of waiters would leave the writer that has the lock no thread to write with.
    turn: Arc<Mutex<()>>,
}

impl FolderLock {
    /// A lock on `file`, which must exist whenever the lock is taken.
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, turn: Arc::default() }
    }

    /// Runs `work` to its end while no other writer works.
    ///
    /// Cancellation: once the lock is held, `work` goes on even when the returned future is dropped. It has to, because
    /// writes to a folder go on in the background: a lock that was released before them would protect nothing.
    pub(super) async fn hold<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let file = self.file.clone();
        let held = task::spawn_blocking(move || {
            let _turn = turn;
            let _lock = SystemLock::acquire(&file)?;
            Handle::current().block_on(work)
        });
        held.await.map_err(|stopped| self.failure(stopped.into()))?
    }

    fn failure(&self, source: std::io::Error) -> StoreError {
        StoreError::Folder { action: "lock", path: self.file.clone(), source }
    }
}

struct SystemLock(File);

impl SystemLock {
    fn acquire(path: &Path) -> Result<Self, StoreError> {
        let failure = |source| StoreError::Folder { action: "lock", path: path.to_owned(), source };
        // Opened for writing, though nothing is written: NFS gives no exclusive lock on a file that is only read.
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failure)?;
        file.lock().map_err(failure)?;
        Ok(Self(file))
    }
}

impl Drop for SystemLock {
    fn drop(&mut self) {
        // Closing the file would do, but for a child process that is being started right now and still has it open.
        let _ = self.0.unlock();
    }
}
