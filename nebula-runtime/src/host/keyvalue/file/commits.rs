//! The thread that writes: it commits the changes of many callers together.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use redb::{Database, Error, TransactionError, WriteTransaction};

use super::{
    compaction::Compaction,
    failure::{Failure, is_damage},
    job::Job,
    open,
    queue::{Next, Queue},
    shared_file::Turns,
    values::Values,
    waiting::wait_until,
};

/// The thread that writes. Changes that arrive while a transaction is committed share the next one, because a commit
/// costs some milliseconds however many changes it has.
pub(super) struct Commits {
    path: Arc<Path>,
    queue: Arc<Queue>,
    open: Option<(Database, Turns)>,
    may_be_damaged: bool,
    compaction: Compaction,
}

/// The most changes of one transaction.
const TOGETHER: usize = 256;

impl Commits {
    pub(super) fn new(path: Arc<Path>, queue: Arc<Queue>) -> Self {
        Self { path, queue, open: None, may_be_damaged: false, compaction: Compaction::default() }
    }

    /// Takes jobs until the queue is closed.
    pub(super) fn run(mut self) {
        while let Some(job) = self.next() {
            let mut jobs = vec![job];
            let committed = self.open().and_then(|()| self.guarded("write", |commits| commits.commit(&mut jobs)));
            for job in jobs {
                job.answer(committed.clone());
            }
        }
    }

    /// Opens the file. If it seems to be damaged, it is checked at once, because this process may ask for nothing else.
    fn open(&mut self) -> Result<(), Failure> {
        let is_checked = self.may_be_damaged;
        let opened = self.guarded("open", Self::require_open);
        if opened.is_err() && self.may_be_damaged && !is_checked {
            return self.guarded("open", Self::require_open);
        }
        opened
    }

    fn require_open(&mut self) -> Result<(), Error> {
        if self.open.is_none() {
            self.open = Some(open::to_write(&self.path, &self.queue, self.may_be_damaged)?);
            self.may_be_damaged = false;
        }
        Ok(())
    }

    /// The next job. The file may be compacted while there is none.
    fn next(&mut self) -> Option<Box<dyn Job>> {
        loop {
            match self.queue.next(self.compaction.is_due_in()) {
                Next::Job(job) => return Some(job),
                Next::Quiet => self.compact(),
                Next::Closed => return None,
            }
        }
    }

    fn compact(&mut self) {
        // A failure says itself at the next change.
        let _ = self.guarded("compact", |Self { open, compaction, .. }| {
            open.as_mut().map_or(Ok(()), |(database, turns)| compaction.run(database, turns))
        });
    }

    /// Does something with the file, and closes it if that fails: redb wants that, and opens it again with the next job.
    fn guarded(
        &mut self,
        action: &'static str,
        act: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        // redb panics at some damages.
        let acted = catch_unwind(AssertUnwindSafe(|| act(self)));
        let acted = acted.unwrap_or_else(|_| Err(Error::Corrupted("redb panicked".to_owned())));
        acted.map_err(|error| {
            self.close();
            self.may_be_damaged |= is_damage(&error);
            Failure::new(action, &self.path, error)
        })
    }

    fn close(&mut self) {
        self.compaction = Compaction::default();
        let open = self.open.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(open)));
    }

    /// Commits the changes of the jobs, and of those that wait behind them, to the file that is open.
    fn commit(&mut self, jobs: &mut Vec<Box<dyn Job>>) -> Result<(), Error> {
        let Some((database, turns)) = &self.open else { return Ok(()) };
        let Some(transaction) = begin(database, turns, &self.queue)? else { return Ok(()) };
        jobs.extend(self.queue.take(TOGETHER));
        let mut values = Values::open(&transaction)?;
        for job in jobs.iter_mut().filter(|job| job.is_wanted()) {
            job.apply(&mut values)?;
        }
        match values.finish()? {
            None => transaction.abort()?,
            Some(bytes) => {
                transaction.commit()?;
                self.compaction.note(bytes, turns.file_len()?);
            }
        }
        Ok(())
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        self.close();
        self.queue.end_thread();
    }
}

/// Begins a transaction, when no other process is in one. Nothing if all callers have gone meanwhile.
fn begin(database: &Database, turns: &Turns, queue: &Queue) -> Result<Option<WriteTransaction>, Error> {
    let mut begun = None;
    let attempt = || match database.try_begin_write() {
        Ok(transaction) => {
            begun = Some(transaction);
            Ok(true)
        }
        Err(TransactionError::WouldBlock) => Ok(false),
        Err(error) => Err(Error::from(error)),
    };
    turns.take(|| wait_until(attempt, || queue.has_callers())).map_err(Error::from)??;
    Ok(begun)
}
