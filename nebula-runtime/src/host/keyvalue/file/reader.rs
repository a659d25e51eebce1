//! Reading the file, on the threads that run futures.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex},
};

use redb::{Error, ReadOnlyDatabase, ReadOnlyTable, ReadableDatabase as _, TableError};

use super::{failure::Failure, open, shared_file::Locked, values::VALUES};
use crate::sync::lock;

/// Reads the file. It has the file open apart from the writer, so that it waits for nothing that the writer waits for.
pub(super) struct Reader {
    path: Arc<Path>,
    database: Mutex<Option<Arc<ReadOnlyDatabase>>>,
}

/// The table as a read finds it.
pub(super) type Found = ReadOnlyTable<&'static str, &'static [u8]>;

/// Why a read did not take place.
pub(super) enum Unread {
    /// Another process has locked the file for a moment.
    Locked,
    /// The file was not closed, and no process that writes has it open: a writer must open it first.
    Unclosed,
    Failed(Failure),
}

impl Reader {
    pub(super) fn new(path: Arc<Path>) -> Self {
        Self { path, database: Mutex::default() }
    }

    /// Reads from what was committed last, by any process. Nothing if nothing was ever written.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Found) -> Result<T, Error>) -> Result<Option<T>, Unread> {
        // redb panics at some damages.
        let done = catch_unwind(AssertUnwindSafe(|| self.attempt(read)));
        let done = done.unwrap_or_else(|_| Err(Error::Corrupted("redb panicked".to_owned())));
        done.map_err(|error| match error {
            Error::Backend(cause) if cause.is::<Locked>() => Unread::Locked,
            error => {
                *lock(&self.database) = None;
                match error {
                    Error::RepairAborted => Unread::Unclosed,
                    error => Unread::Failed(Failure::new("read", &self.path, error)),
                }
            }
        })
    }

    fn attempt<T>(&self, read: impl FnOnce(&Found) -> Result<T, Error>) -> Result<Option<T>, Error> {
        let Some(database) = self.database()? else { return Ok(None) };
        match database.begin_read()?.open_table(VALUES) {
            Ok(table) => read(&table).map(Some),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn database(&self) -> Result<Option<Arc<ReadOnlyDatabase>>, Error> {
        let mut database = lock(&self.database);
        if database.is_none() {
            *database = open::to_read(&self.path)?.map(Arc::new);
        }
        Ok(database.clone())
    }
}
