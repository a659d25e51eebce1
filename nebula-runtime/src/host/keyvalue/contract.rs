//! The contract of a backend of key-value stores.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::host::failure::{ServiceError, ServiceErrorKind};

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;

/// The most keys of one page of [`KeyValue::list`].
pub const MAX_PAGE: usize = 1000;

/// A backend of key-value stores. Nodes configure one for each service.
///
/// # What an implementor owes
/// - A key is any text of 1 to [`MAX_KEY`] bytes. Where the service allows less in a name, the backend encodes it.
/// - When [`KeyValue::set`], [`KeyValue::delete`], [`KeyValue::swap`] or [`KeyValue::increment`] has returned, the
///   change is as durable as the service makes it, and each later read by any node sees it.
/// - [`KeyValue::swap`] and [`KeyValue::increment`] are atomic among all nodes and processes.
/// - Dropping a future gives the operation up: it then has happened as a whole or not at all. Nothing blocks a thread
///   that runs futures for longer than a read from a local file.
/// - A connection is made at the first operation, and made again after it was lost. A service that does not answer is
///   an error or a future that stays pending, and never blocks another operation.
/// - The message of an error has no address, no user and no password.
/// - `conformance::check` passes.
///
/// # What a caller may assume
/// - The host checks keys and the grant's limits before it calls a backend.
/// - Operations of different callers run at the same time, in any order.
#[async_trait]
pub trait KeyValue: Send + Sync + 'static {
    /// The value of a key, if it has one.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ServiceError>;

    /// Sets the value of a key.
    async fn set(&self, key: &str, value: Bytes) -> Result<(), ServiceError>;

    /// Removes a key. A key that is not there is no error.
    async fn delete(&self, key: &str) -> Result<(), ServiceError>;

    /// Sets the value of a key if its value is `expected`; nothing stands for a key that is not there. Returns whether
    /// it was.
    async fn swap(&self, key: &str, expected: Option<&[u8]>, value: Bytes) -> Result<bool, ServiceError>;

    /// A page of the keys that begin with `prefix`: the first one, or the one after the page whose cursor this is. A key
    /// that is there during the whole listing is on one of the pages. Keys have no order. A cursor that no page had may
    /// list any keys with the prefix, or none, or be an error.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, ServiceError>;

    /// Whether a key has a value.
    async fn exists(&self, key: &str) -> Result<bool, ServiceError> {
        Ok(self.get(key).await?.is_some())
    }

    /// The values of several keys, in their order.
    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, ServiceError> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.get(key).await?);
        }
        Ok(values)
    }

    /// Sets the values of several keys, in their order. After an error, some may be set.
    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), ServiceError> {
        for (key, value) in entries {
            self.set(&key, value).await?;
        }
        Ok(())
    }

    /// Removes several keys. After an error, some may be removed.
    async fn delete_many(&self, keys: &[String]) -> Result<(), ServiceError> {
        for key in keys {
            self.delete(key).await?;
        }
        Ok(())
    }

    /// Adds to the number that is the value of a key, written in decimal, and returns the sum. A key that is not there
    /// counts as 0.
    ///
    /// # Errors
    /// [`ServiceErrorKind::Invalid`] if the value is no number of 64 bits, or the sum would be none.
    async fn increment(&self, key: &str, delta: i64) -> Result<i64, ServiceError> {
        loop {
            let value = self.get(key).await?;
            let sum = add(value.as_deref(), delta)?;
            if self.swap(key, value.as_deref(), sum.to_string().into()).await? {
                return Ok(sum);
            }
        }
    }
}

/// A page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The keys. At most [`MAX_PAGE`]; a page before the last one may have none.
    pub keys: Vec<String>,
    /// Where the next page begins. Nothing on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The sum of a value, written in decimal, and `delta`.
///
/// # Errors
/// [`ServiceErrorKind::Invalid`] if the value is no number of 64 bits, or the sum would be none.
pub fn add(value: Option<&[u8]>, delta: i64) -> Result<i64, ServiceError> {
    let number = match value {
        None => Some(0),
        Some(value) => std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok()),
    };
    let invalid = |detail| ServiceError::new(ServiceErrorKind::Invalid, detail);
    let number =
        number.ok_or_else(|| invalid("the value is not a whole number of 64 bits, so it cannot be incremented"))?;
    number.checked_add(delta).ok_or_else(|| invalid("the sum would be more than a number of 64 bits can be"))
}
