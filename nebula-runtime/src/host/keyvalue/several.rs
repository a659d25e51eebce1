//! Several keys at once, where the service has no operation for that.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::contract::KeyValue;
use crate::host::failure::ServiceError;

/// So many operations of one call go on at once.
const AT_ONCE: usize = 32;

/// See [`KeyValue::get_many`].
pub(super) async fn get(store: &dyn KeyValue, keys: &[String]) -> Result<Vec<Option<Bytes>>, ServiceError> {
    let got: Vec<_> = keys.iter().map(|key| store.get(key)).collect();
    stream::iter(got).buffered(AT_ONCE).try_collect().await
}

/// See [`KeyValue::set_many`]. The last value of a key is set.
pub(super) async fn set(store: &dyn KeyValue, entries: Vec<(String, Bytes)>) -> Result<(), ServiceError> {
    let last: HashMap<_, _> = entries.into_iter().collect();
    let set: Vec<_> = last.iter().map(|(key, value)| store.set(key, value.clone())).collect();
    stream::iter(set).buffer_unordered(AT_ONCE).try_collect().await
}

/// See [`KeyValue::delete_many`].
pub(super) async fn delete(store: &dyn KeyValue, keys: &[String]) -> Result<(), ServiceError> {
    let deleted: Vec<_> = keys.iter().map(|key| store.delete(key)).collect();
    stream::iter(deleted).buffer_unordered(AT_ONCE).try_collect().await
}
