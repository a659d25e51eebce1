//! A key-value store in a file of this machine, which processes share.
//!
//! The file is a redb database. Reads happen where they are asked for, and take microseconds. Changes go to one thread,
//! which commits those of many callers together:
//!
//! | file | what it has |
//! |---|---|
//! | `reader` | reads |
//! | `writer`, `queue`, `job` | changes, until the thread takes them |
//! | `commits`, `compaction` | the thread |
//! | `open`, `shared_file`, `waiting` | the file, and the locks that processes share it by |
//! | `values` | the tables |
//! | `failure` | what errors say |

mod commits;
mod compaction;
mod failure;
mod job;
mod open;
mod queue;
mod reader;
mod shared_file;
mod values;
mod waiting;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use redb::Error;
use tokio::{task, time};

use self::{
    failure::Failure,
    reader::{Found, Reader, Unread},
    writer::Writer,
};
use super::contract::{KeyValue, MAX_PAGE, Page, add};
use crate::host::failure::ServiceError;

/// A key-value store in a file of this machine. Any number of processes may share it.
///
/// - A change is on the disk before it returns.
/// - The file and its folder are made at the first change. Only the file's owner may read it.
/// - The file system must have byte-range locks.
pub struct FileKeyValue {
    path: Arc<Path>,
    reader: Reader,
    writer: Writer,
}

/// How many values are read before other futures have their turn.
const READ_AT_ONCE: usize = 256;

/// How often a read looks at a file that another process has locked for a moment, before it begins to pause.
const LOOKS: u32 = 3;

/// How often a read opens a file for writing that was not closed.
const OPENINGS: u32 = 3;

impl FileKeyValue {
    /// The store in the file `path`. Nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path: Arc<Path> = path.into().into();
        Self { reader: Reader::new(Arc::clone(&path)), writer: Writer::new(Arc::clone(&path)), path }
    }

    /// Why the file could never be written, as far as that can be said without touching anything.
    pub(super) fn obstacle(path: &Path) -> Option<&'static str> {
        let there = path.ancestors().find(|path| path.exists())?;
        let is_writable = rustix::fs::access(there, rustix::fs::Access::WRITE_OK);
        (is_writable == Err(rustix::io::Errno::ROFS)).then_some(failure::READ_ONLY)
    }

    /// Reads from what was committed last. Nothing if nothing was ever written.
    async fn read<T>(&self, read: impl Fn(&Found) -> Result<T, Error>) -> Result<Option<T>, ServiceError> {
        let (mut looks, mut openings) = (0, 0);
        loop {
            match self.reader.read(&read) {
                Ok(value) => return Ok(value),
                Err(Unread::Failed(failure)) => return Err(failure.into_service_error()),
                Err(Unread::Locked) => pause(&mut looks).await,
                Err(Unread::Unclosed) if openings < OPENINGS => {
                    openings += 1;
                    self.writer.open().await?;
                }
                Err(Unread::Unclosed) => {
                    let another = io::Error::other(
                        "the file was replaced while it was in use, or processes end while they write",
                    );
                    return Err(Failure::new("read", &self.path, another.into()).into_service_error());
                }
            }
        }
    }
}

/// Lets other futures have their turn, and later pauses up to 16 ms.
async fn pause(looks: &mut u32) {
    match looks.checked_sub(LOOKS) {
        None => task::yield_now().await,
        Some(pauses) => time::sleep(Duration::from_millis(1 << pauses.min(4))).await,
    }
    *looks += 1;
}

#[async_trait]
impl KeyValue for FileKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ServiceError> {
        Ok(self.read(|table| get(table, key)).await?.flatten())
    }

    async fn exists(&self, key: &str) -> Result<bool, ServiceError> {
        Ok(self.read(|table| Ok(table.get(key)?.is_some())).await?.unwrap_or(false))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, ServiceError> {
        let mut values = Vec::with_capacity(keys.len());
        for keys in keys.chunks(READ_AT_ONCE) {
            let found =
                self.read(|table| keys.iter().map(|key| get(table, key)).collect::<Result<Vec<_>, _>>()).await?;
            values.extend(found.unwrap_or_else(|| vec![None; keys.len()]));
            task::yield_now().await;
        }
        Ok(values)
    }

    /// The cursor is the last key of its page.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, ServiceError> {
        Ok(self.read(|table| list(table, prefix, cursor)).await?.unwrap_or_default())
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), ServiceError> {
        let key = key.to_owned();
        self.writer.write(move |values| values.set(&key, &value).map(Ok)).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), ServiceError> {
        self.writer
            .write(move |values| entries.iter().try_for_each(|(key, value)| values.set(key, value)).map(Ok))
            .await
    }

    async fn delete(&self, key: &str) -> Result<(), ServiceError> {
        let key = key.to_owned();
        self.writer.write(move |values| values.remove(&key).map(Ok)).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), ServiceError> {
        let keys = keys.to_owned();
        self.writer.write(move |values| keys.iter().try_for_each(|key| values.remove(key)).map(Ok)).await
    }

    async fn swap(&self, key: &str, expected: Option<&[u8]>, value: Bytes) -> Result<bool, ServiceError> {
        let (key, expected) = (key.to_owned(), expected.map(<[u8]>::to_vec));
        let change = move |values: &mut values::Values<'_>| {
            let is_expected = values.get(&key)?.as_deref() == expected.as_deref();
            if is_expected {
                values.set(&key, &value)?;
            }
            Ok(Ok(is_expected))
        };
        self.writer.write(change).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, ServiceError> {
        let key = key.to_owned();
        let change = move |values: &mut values::Values<'_>| {
            let sum = match add(values.get(&key)?.as_deref(), delta) {
                Ok(sum) => sum,
                Err(error) => return Ok(Err(error)),
            };
            values.set(&key, sum.to_string().as_bytes())?;
            Ok(Ok(sum))
        };
        self.writer.write(change).await
    }
}

fn get(table: &Found, key: &str) -> Result<Option<Bytes>, Error> {
    Ok(table.get(key)?.map(|value| Bytes::copy_from_slice(value.value())))
}

fn list(table: &Found, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
    let start = match cursor {
        Some(last) if last >= prefix => Bound::Excluded(last),
        _ => Bound::Included(prefix),
    };
    let mut page = Page::default();
    for entry in table.range::<&str>((start, Bound::Unbounded))? {
        let (key, _) = entry?;
        if !key.value().starts_with(prefix) {
            break;
        }
        if page.keys.len() == MAX_PAGE {
            page.cursor = page.keys.last().cloned();
            break;
        }
        page.keys.push(key.value().to_owned());
    }
    Ok(page)
}
