//! How much a function keeps in a store, where its grant limits that.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::{
    function::ServiceGrant,
    host::{
        failure::{ServiceError, ServiceErrorKind},
        keyvalue::KeyValue,
    },
};

/// Counts the keys and the bytes below the prefix of a grant.
///
/// The count is taken from the store, and then kept up to date with what this node writes. It is taken anew from time to
/// time, because other nodes write as well. So the limits of a grant hold exactly on one node, and with some delay among
/// several.
#[derive(Default)]
pub(super) struct Usage(Mutex<Option<Counted>>);

#[derive(Clone, Copy)]
struct Counted {
    keys: u64,
    bytes: u64,
    at: Instant,
}

/// How long a count is used.
const FRESH: Duration = Duration::from_secs(10);

/// How long a count is used that says that a limit is reached.
const FRESH_AT_LIMIT: Duration = Duration::from_secs(1);

impl Usage {
    /// Runs `write`, which sets values of `sizes` bytes, if the limits of the grant allow that. Writes of one function
    /// wait for each other where its grant has limits.
    pub(super) async fn within<T>(
        &self,
        store: &Arc<dyn KeyValue>,
        grant: &ServiceGrant,
        entries: &[(&str, usize)],
        write: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        if grant.max_keys.is_none() && grant.max_size.is_none() {
            return write.await;
        }
        let mut counted = self.0.lock().await;
        let before = self::counted(&mut counted, FRESH, store, grant).await?;
        let mut after = before.with(store, entries).await?;
        if after.exceeds(grant).is_some() {
            let again = self::counted(&mut counted, FRESH_AT_LIMIT, store, grant).await?;
            after = again.with(store, entries).await?;
        }
        if let Some(limit) = after.exceeds(grant) {
            return Err(ServiceError::new(ServiceErrorKind::LimitExceeded, limit));
        }
        // What a write that fails has done is not known, so the next one counts anew.
        *counted = None;
        let written = write.await?;
        *counted = Some(after);
        Ok(written)
    }

    /// Notes that values were removed.
    pub(super) async fn forget(&self, grant: &ServiceGrant) {
        if grant.max_keys.is_some() || grant.max_size.is_some() {
            *self.0.lock().await = None;
        }
    }
}

/// The count, taken anew if it is older than `fresh`.
async fn counted(
    known: &mut Option<Counted>,
    fresh: Duration,
    store: &Arc<dyn KeyValue>,
    grant: &ServiceGrant,
) -> Result<Counted, ServiceError> {
    match known {
        Some(counted) if counted.at.elapsed() < fresh => Ok(*counted),
        _ => Ok(*known.insert(Counted::take(store, grant).await?)),
    }
}

impl Counted {
    async fn take(store: &Arc<dyn KeyValue>, grant: &ServiceGrant) -> Result<Self, ServiceError> {
        let mut counted = Self { keys: 0, bytes: 0, at: Instant::now() };
        let mut cursor = None;
        loop {
            let page = store.list(&grant.prefix, cursor.as_deref()).await?;
            counted.keys += page.keys.len() as u64;
            if grant.max_size.is_some() {
                let values = store.get_many(&page.keys).await?;
                counted.bytes += values.iter().flatten().map(|value| value.len() as u64).sum::<u64>();
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(counted);
            }
        }
    }

    /// The count after these keys have values of these sizes.
    async fn with(mut self, store: &Arc<dyn KeyValue>, entries: &[(&str, usize)]) -> Result<Self, ServiceError> {
        for (key, size) in entries {
            let old = store.get(key).await?;
            self.keys += u64::from(old.is_none());
            let old = old.map_or(0, |old| old.len() as u64);
            self.bytes = (self.bytes + *size as u64).saturating_sub(old);
        }
        Ok(self)
    }

    /// The limit that is exceeded, in words.
    fn exceeds(&self, grant: &ServiceGrant) -> Option<String> {
        if let Some(most) = grant.max_keys.filter(|most| self.keys > *most) {
            return Some(format!("the store would have more than {most} keys, which is its max_keys"));
        }
        let most = grant.max_size.filter(|most| self.bytes > most.as_u64())?;
        Some(format!("the values of the store would have more than {most} together, which is its max_size"))
    }
}
