//! Swaps and increments where the service replaces a value only if that still has the version that was read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::{Mutex as Turn, OwnedMutexGuard},
    time::sleep,
};

use super::contract::add;
use crate::{host::failure::ServiceError, sync::lock};

/// A service that replaces a value only if that still has the version that was read.
#[async_trait]
pub(super) trait Versioned: Send + Sync {
    type Version: Send;

    /// How long a writer waits at first after another one was faster. Later it waits longer.
    const PAUSE: Duration;

    /// The turns of the writers of this process.
    fn turns(&self) -> &Turns;

    async fn read(&self, key: &str) -> Result<Found<Self::Version>, ServiceError>;

    /// Writes a value if that still has this version. Returns whether it was written.
    async fn write_if(&self, key: &str, version: Self::Version, value: Bytes) -> Result<bool, ServiceError>;
}

/// A value as it was read. A key without a value has a version too.
pub(super) struct Found<V> {
    pub(super) value: Option<Bytes>,
    pub(super) version: V,
}

/// See [`KeyValue::swap`](super::KeyValue::swap).
pub(super) async fn swap<S: Versioned>(
    store: &S,
    key: &str,
    expected: Option<&[u8]>,
    value: Bytes,
) -> Result<bool, ServiceError> {
    let _turn = store.turns().take(key).await;
    for attempt in 0.. {
        let Found { value: found, version } = store.read(key).await?;
        if found.as_deref() != expected {
            return Ok(false);
        }
        if store.write_if(key, version, value.clone()).await? {
            break;
        }
        sleep(pause::<S>(attempt)).await;
    }
    Ok(true)
}

/// See [`KeyValue::increment`](super::KeyValue::increment).
pub(super) async fn increment<S: Versioned>(store: &S, key: &str, delta: i64) -> Result<i64, ServiceError> {
    let _turn = store.turns().take(key).await;
    let mut attempt = 0;
    loop {
        let Found { value, version } = store.read(key).await?;
        let sum = add(value.as_deref(), delta)?;
        if store.write_if(key, version, sum.to_string().into()).await? {
            return Ok(sum);
        }
        sleep(pause::<S>(attempt)).await;
        attempt += 1;
    }
}

/// A random time, so that two writers do not meet again.
fn pause<S: Versioned>(attempt: u32) -> Duration {
    /// The pause grows to so many times the first one.
    const LONGEST: u32 = 16;
    S::PAUSE.mul_f64(fastrand::f64()) * 2_u32.saturating_pow(attempt).min(LONGEST)
}

/// The turns of the writers of one process: those of one key wait for each other. Otherwise all but one of them would
/// have read and written in vain.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<Turn<()>>>>);

impl Turns {
    async fn take(&self, key: &str) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(self.turns(key).entry(key.to_owned()).or_default());
        turn.lock_owned().await
    }

    /// The turns, without those that nobody has or waits for.
    fn turns(&self, key: &str) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Turn<()>>>> {
        /// So many turns are kept before those are removed that nobody needs.
        const KEPT: usize = 256;
        let mut turns = lock(&self.0);
        if turns.len() >= KEPT && !turns.contains_key(key) {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        turns
    }
}
