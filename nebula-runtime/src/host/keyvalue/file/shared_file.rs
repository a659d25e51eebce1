//! The file as redb sees it: locks that another process holds are waited for as the thread allows.

use std::{
    fmt,
    fs::File,
    io,
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};

use redb::{BackendError, StorageBackend, backends::FileBackend};

use super::{queue::Queue, waiting::wait_until};

/// The file as redb sees it. redb would wait in the kernel for locks that other processes hold, and such a wait cannot be
/// given up.
pub(super) struct SharedFile {
    file: Arc<FileBackend>,
    patience: Patience,
}

/// How long locks of other processes are waited for.
pub(super) enum Patience {
    /// Not at all: the thread runs futures.
    None,
    /// While a caller waits for an operation.
    WhileNeeded(Arc<Queue>),
}

/// Another process holds the lock.
#[derive(Debug, thiserror::Error)]
#[error("another process has locked the file")]
pub(super) struct Locked;

/// How long the lock of the header is waited for. A process holds it for microseconds, unless it is stopped there or
/// compacts the file, and other processes cannot commit meanwhile.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// How long a process waits for its turn, before it tries to write out of turn: a process that is stopped must not keep a
/// turn for ever.
const TURN_PATIENCE: Duration = Duration::from_millis(100);

/// The byte whose lock is the turn to write next. redb leaves 128 bytes to backends, and its own backend uses two of them.
const TURN: (Bound<u64>, Bound<u64>) = (Bound::Included((1 << 62) + 1023), Bound::Excluded((1 << 62) + 1024));

impl SharedFile {
    pub(super) fn new(file: File, patience: Patience) -> Result<Self, redb::Error> {
        Ok(Self { file: Arc::new(FileBackend::new(file)?), patience })
    }

    /// The turns of processes that write to this file.
    pub(super) fn turns(&self) -> Turns {
        Turns(Arc::clone(&self.file))
    }

    fn wait(&self, start: Bound<u64>, lock: impl FnMut() -> Result<bool, BackendError>) -> Result<(), BackendError> {
        let is_header = start == Bound::Included(0);
        let since = Instant::now();
        let go_on = || match &self.patience {
            Patience::None => false,
            Patience::WhileNeeded(_) if is_header => since.elapsed() < HEADER_PATIENCE,
            Patience::WhileNeeded(queue) => queue.has_callers(),
        };
        if wait_until(lock, go_on)? { Ok(()) } else { Err(BackendError::Other(Box::new(Locked))) }
    }
}

/// The turns of processes that write to a file. Without them, a process that writes all the time would take the lock of
/// writers again before a process that waits for it looks at it.
pub(super) struct Turns(Arc<FileBackend>);

impl Turns {
    /// Calls `write` when it is this process's turn, or after some time without one.
    pub(super) fn take<T>(&self, write: impl FnOnce() -> T) -> Result<T, BackendError> {
        let since = Instant::now();
        let lock = || self.0.try_lock_range(TURN.0, TURN.1);
        let is_locked = wait_until(lock, || since.elapsed() < TURN_PATIENCE)?;
        let written = write();
        if is_locked {
            self.0.unlock_range(TURN.0, TURN.1)?;
        }
        Ok(written)
    }

    /// The length of the file, in bytes.
    pub(super) fn file_len(&self) -> io::Result<u64> {
        self.0.len()
    }
}

impl fmt::Debug for SharedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

impl StorageBackend for SharedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.wait(start, || self.file.try_lock_range(start, end))
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.wait(start, || self.file.try_lock_shared_range(start, end))
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
