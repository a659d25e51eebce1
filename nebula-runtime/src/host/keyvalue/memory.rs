//! A key-value store in the memory of the process.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::contract::{KeyValue, MAX_PAGE, Page, add};
use crate::{host::failure::ServiceError, sync::lock};

/// A key-value store in the memory of the process. It ends with the process.
#[derive(Debug, Default)]
pub struct MemoryKeyValue(Mutex<BTreeMap<String, Bytes>>);

impl MemoryKeyValue {
    fn values(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        lock(&self.0)
    }
}

#[async_trait]
impl KeyValue for MemoryKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ServiceError> {
        Ok(self.values().get(key).cloned())
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), ServiceError> {
        self.values().insert(key.to_owned(), value);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), ServiceError> {
        self.values().remove(key);
        Ok(())
    }

    async fn swap(&self, key: &str, expected: Option<&[u8]>, value: Bytes) -> Result<bool, ServiceError> {
        let mut values = self.values();
        let is_expected = values.get(key).map(|value| &**value) == expected;
        if is_expected {
            values.insert(key.to_owned(), value);
        }
        Ok(is_expected)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, ServiceError> {
        let mut values = self.values();
        let sum = add(values.get(key).map(|value| &**value), delta)?;
        values.insert(key.to_owned(), sum.to_string().into());
        Ok(sum)
    }

    /// The cursor is the last key of its page.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, ServiceError> {
        let values = self.values();
        let start = match cursor {
            Some(last) if last >= prefix => Bound::Excluded(last),
            _ => Bound::Included(prefix),
        };
        let after = values.range::<str, _>((start, Bound::Unbounded)).map(|(key, _)| key);
        let mut keys: Vec<_> = after.take_while(|key| key.starts_with(prefix)).take(MAX_PAGE + 1).cloned().collect();
        let is_more = keys.len() > MAX_PAGE;
        keys.truncate(MAX_PAGE);
        let cursor = keys.last().filter(|_| is_more).cloned();
        Ok(Page { keys, cursor })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::host::keyvalue::conformance;

    #[tokio::test]
    async fn a_store_in_memory_keeps_the_contract() {
        conformance::check(Arc::new(MemoryKeyValue::default())).await;
    }
}
