//! A key-value store as a function is granted it.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use super::{operations::Operations, prefixed::prefixed, usage::Usage};
use crate::{
    call::Caller,
    function::ServiceGrant,
    host::{
        failure::{ServiceError, ServiceErrorKind},
        keyvalue::{KeyValue, MAX_KEY, Page},
    },
};

/// A key-value store as a function is granted it. All instances share it.
pub(in crate::host) struct GrantedStore {
    store: Arc<dyn KeyValue>,
    grant: ServiceGrant,
    usage: Usage,
    operations: Operations,
}

/// The most keys of one call for several.
const MANY: usize = 10_000;

/// The most bytes that one call for several keys returns.
const MANY_BYTES: usize = 16 << 20;

/// The beginning of each cursor that guests get. So one that a guest makes up is the same error with each backend.
const CURSOR: &str = "after:";

impl GrantedStore {
    pub(in crate::host) fn new(store: Arc<dyn KeyValue>, grant: ServiceGrant) -> Self {
        let operations = Operations::of(&grant.service);
        Self { store, grant, usage: Usage::default(), operations }
    }
}

/// How many bytes values have together.
fn size(values: &[Option<Bytes>]) -> usize {
    values.iter().flatten().map(Bytes::len).sum()
}

/// Checks that values are no more than one call may return.
fn check_size(bytes: usize) -> Result<(), ServiceError> {
    if bytes <= MANY_BYTES {
        return Ok(());
    }
    let detail = "the values are more than 16 MiB together; get fewer of them at once";
    Err(ServiceError::new(ServiceErrorKind::LimitExceeded, detail))
}

/// A store that one instance has opened. It checks keys and limits, and notes each operation in the report of the
/// invocation that the instance serves.
#[derive(Clone)]
pub(in crate::host) struct Bucket {
    granted: Arc<GrantedStore>,
}

impl Bucket {
    pub(in crate::host) fn new(granted: Arc<GrantedStore>) -> Self {
        Self { granted }
    }

    pub(in crate::host) async fn get(&self, caller: &Caller, key: &str) -> Result<Option<Bytes>, ServiceError> {
        let key = self.key(key)?;
        self.operation(caller, "get", self.store().get(&key)).await
    }

    pub(in crate::host) async fn exists(&self, caller: &Caller, key: &str) -> Result<bool, ServiceError> {
        let key = self.key(key)?;
        self.operation(caller, "exists", self.store().exists(&key)).await
    }

    pub(in crate::host) async fn set(&self, caller: &Caller, key: &str, value: Vec<u8>) -> Result<(), ServiceError> {
        let key = self.key(key)?;
        self.check_write(&[&value])?;
        let size = value.len();
        self.write(caller, "set", &[(&key, size)], self.store().set(&key, value.into())).await
    }

    pub(in crate::host) async fn delete(&self, caller: &Caller, key: &str) -> Result<(), ServiceError> {
        let key = self.key(key)?;
        self.check_write(&[])?;
        self.operation(caller, "delete", self.store().delete(&key)).await?;
        self.granted.usage.forget(&self.granted.grant).await;
        Ok(())
    }

    pub(in crate::host) async fn increment(&self, caller: &Caller, key: &str, delta: i64) -> Result<i64, ServiceError> {
        /// The longest number in decimal.
        const LONGEST: usize = 20;
        let key = self.key(key)?;
        self.check_write(&[])?;
        self.write(caller, "increment", &[(&key, LONGEST)], self.store().increment(&key, delta)).await
    }

    pub(in crate::host) async fn swap(
        &self,
        caller: &Caller,
        key: &str,
        expected: Option<&[u8]>,
        value: Vec<u8>,
    ) -> Result<bool, ServiceError> {
        let key = self.key(key)?;
        self.check_write(&[&value])?;
        let size = value.len();
        self.write(caller, "swap", &[(&key, size)], self.store().swap(&key, expected, value.into())).await
    }

    /// A page of the keys, as the guest knows them.
    pub(in crate::host) async fn list(&self, caller: &Caller, cursor: Option<&str>) -> Result<Page, ServiceError> {
        let prefix = &self.granted.grant.prefix;
        let no_cursor = || ServiceError::new(ServiceErrorKind::Invalid, "the cursor is not one of this store");
        let cursor = cursor.map(|cursor| cursor.strip_prefix(CURSOR).ok_or_else(no_cursor)).transpose()?;
        let page = self.operation(caller, "list", self.store().list(prefix, cursor)).await?;
        let keys = page.keys.iter().filter_map(|key| key.strip_prefix(prefix.as_str())).map(str::to_owned).collect();
        Ok(Page { keys, cursor: page.cursor.map(|cursor| format!("{CURSOR}{cursor}")) })
    }

    pub(in crate::host) async fn get_many(
        &self,
        caller: &Caller,
        keys: &[String],
    ) -> Result<Vec<Option<Bytes>>, ServiceError> {
        let keys = self.keys(keys)?;
        let mut distinct = keys.clone();
        distinct.sort_unstable();
        distinct.dedup();
        // So many keys at a time that a hostile guest cannot make the host hold much more than it will be given.
        let step = (MANY_BYTES / self.max_value()).clamp(1, MANY);
        let (mut values, mut bytes) = (HashMap::with_capacity(distinct.len()), 0);
        for keys in distinct.chunks(step) {
            let got = self.operation(caller, "get_many", self.store().get_many(keys)).await?;
            bytes += size(&got);
            check_size(bytes)?;
            values.extend(keys.iter().zip(got));
        }
        let values = keys.iter().map(|key| values.get(key).cloned().flatten()).collect::<Vec<_>>();
        check_size(size(&values))?;
        Ok(values)
    }

    pub(in crate::host) async fn set_many(
        &self,
        caller: &Caller,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Result<(), ServiceError> {
        let values: Vec<_> = entries.iter().map(|(_, value)| value.as_slice()).collect();
        self.check_write(&values)?;
        self.check_count(entries.len())?;
        let entries: Result<Vec<_>, _> =
            entries.into_iter().map(|(key, value)| Ok((self.key(&key)?, Bytes::from(value)))).collect();
        let entries = entries?;
        let sizes: Vec<_> = entries.iter().map(|(key, value)| (key.as_str(), value.len())).collect();
        self.write(caller, "set_many", &sizes, self.store().set_many(entries.clone())).await
    }

    pub(in crate::host) async fn delete_many(&self, caller: &Caller, keys: &[String]) -> Result<(), ServiceError> {
        let keys = self.keys(keys)?;
        self.check_write(&[])?;
        self.operation(caller, "delete_many", self.store().delete_many(&keys)).await?;
        self.granted.usage.forget(&self.granted.grant).await;
        Ok(())
    }

    fn store(&self) -> &dyn KeyValue {
        &*self.granted.store
    }

    /// Runs an operation that sets values of these sizes, within the limits of the grant.
    async fn write<T>(
        &self,
        caller: &Caller,
        name: &'static str,
        sizes: &[(&str, usize)],
        write: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let GrantedStore { store, grant, usage, .. } = &*self.granted;
        self.operation(caller, name, usage.within(store, grant, sizes, write)).await
    }

    /// Runs an operation, and notes it in the report.
    async fn operation<T>(
        &self,
        caller: &Caller,
        name: &'static str,
        operation: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        self.granted.operations.run(caller, name, operation).await
    }

    /// The key as the service knows it.
    fn key(&self, key: &str) -> Result<String, ServiceError> {
        prefixed(&self.granted.grant.prefix, key, "a key", MAX_KEY)
    }

    fn keys(&self, keys: &[String]) -> Result<Vec<String>, ServiceError> {
        self.check_count(keys.len())?;
        keys.iter().map(|key| self.key(key)).collect()
    }

    fn check_count(&self, count: usize) -> Result<(), ServiceError> {
        if count <= MANY {
            return Ok(());
        }
        let detail = format!("one call may name {MANY} keys, and this one names {count}");
        Err(ServiceError::new(ServiceErrorKind::LimitExceeded, detail))
    }

    fn max_value(&self) -> usize {
        let most = self.granted.grant.max_value.unwrap_or(ServiceGrant::MAX_VALUE).as_u64();
        usize::try_from(most).unwrap_or(usize::MAX).max(1)
    }

    /// Checks that the guest may write these values.
    fn check_write(&self, values: &[&[u8]]) -> Result<(), ServiceError> {
        if self.granted.grant.readonly {
            return Err(ServiceError::new(ServiceErrorKind::Denied, "the store is granted for reading only"));
        }
        let most = self.max_value();
        match values.iter().find(|value| value.len() > most) {
            None => Ok(()),
            Some(value) => {
                let detail = format!("a value may have {most} bytes, and this one has {}", value.len());
                Err(ServiceError::new(ServiceErrorKind::LimitExceeded, detail))
            }
        }
    }
}
