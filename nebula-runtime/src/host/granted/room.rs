//! How many blobs a function keeps in a container, and of which size, where its grant limits that.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::TryStreamExt as _;

use crate::{
    function::ServiceGrant,
    host::{
        blobs::Blobs,
        failure::{ServiceError, ServiceErrorKind},
    },
    sync::lock,
};

/// Counts the blobs below the prefix of a grant, and those that are being written.
///
/// The count is taken from the container, and then kept up to date with what this node writes. It is taken anew from
/// time to time, because other nodes write as well. So the limits of a grant hold exactly on one node, and with some
/// delay among several.
pub(super) struct Room {
    limits: Limits,
    totals: Arc<Mutex<Totals>>,
    counting: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy)]
struct Limits {
    blobs: Option<u64>,
    bytes: Option<u64>,
}

#[derive(Default)]
struct Totals {
    counted: Total,
    /// When they were counted. Nothing if they have changed since.
    at: Option<Instant>,
    /// What those blobs add that are being written.
    reserved: Total,
}

/// A number of blobs, and their size. Below zero where something gets smaller.
#[derive(Clone, Copy, Default)]
struct Total {
    blobs: i64,
    bytes: i64,
}

/// How long a count is used.
const FRESH: Duration = Duration::from_secs(10);

/// How long a count is used that says that a limit is reached.
const FRESH_AT_LIMIT: Duration = Duration::from_secs(1);

/// Room for a blob that is being written. It is free again when this is dropped before the blob is kept.
pub(super) struct Reservation {
    limits: Limits,
    totals: Arc<Mutex<Totals>>,
    reserved: Total,
}

impl Room {
    pub(super) fn of(grant: &ServiceGrant) -> Self {
        let limits = Limits { blobs: grant.max_keys, bytes: grant.max_size.map(|size| size.as_u64()) };
        Self { limits, totals: Arc::default(), counting: tokio::sync::Mutex::default() }
    }

    /// Room for the blob `name`, which may replace another one. `prefix` is that of the grant.
    ///
    /// # Errors
    /// [`ServiceErrorKind::LimitExceeded`] if there are as many blobs as there may be.
    pub(super) async fn reserve(
        &self,
        blobs: &dyn Blobs,
        prefix: &str,
        name: &str,
    ) -> Result<Reservation, ServiceError> {
        let mut reservation =
            Reservation { limits: self.limits, totals: Arc::clone(&self.totals), reserved: Total::default() };
        if self.limits.blobs.is_none() && self.limits.bytes.is_none() {
            return Ok(reservation);
        }
        let replaced = blobs.info(name).await?;
        let bytes = replaced.as_ref().map_or(0, |info| -as_i64(info.size));
        let added = Total { blobs: i64::from(replaced.is_none()), bytes };
        self.count(blobs, prefix, FRESH).await?;
        if reservation.add(added).is_err() {
            self.count(blobs, prefix, FRESH_AT_LIMIT).await?;
            reservation.check()?;
        }
        Ok(reservation)
    }

    /// Notes that blobs were removed.
    pub(super) fn forget(&self) {
        lock(&self.totals).at = None;
    }

    /// Counts the blobs, unless that was done within `fresh`.
    async fn count(&self, blobs: &dyn Blobs, prefix: &str, fresh: Duration) -> Result<(), ServiceError> {
        let _one_at_a_time = self.counting.lock().await;
        if lock(&self.totals).at.is_some_and(|at| at.elapsed() < fresh) {
            return Ok(());
        }
        let at = Instant::now();
        let add = async |total: Total, size: u64| Ok(total.plus(Total { blobs: 1, bytes: as_i64(size) }));
        let counted = blobs.list(prefix).map_ok(|info| info.size).try_fold(Total::default(), add).await?;
        let mut totals = lock(&self.totals);
        (totals.counted, totals.at) = (counted, Some(at));
        Ok(())
    }
}

impl Reservation {
    /// Takes room for more bytes of the blob.
    ///
    /// # Errors
    /// [`ServiceErrorKind::LimitExceeded`] if there is none.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), ServiceError> {
        self.add(Total { blobs: 0, bytes: as_i64(bytes) })
    }

    /// Notes that the blob was written.
    pub(super) fn keep(&mut self) {
        let kept = std::mem::take(&mut self.reserved);
        let mut totals = lock(&self.totals);
        totals.counted = totals.counted.plus(kept);
        totals.reserved = totals.reserved.minus(kept);
    }

    fn add(&mut self, added: Total) -> Result<(), ServiceError> {
        self.reserved = self.reserved.plus(added);
        let mut totals = lock(&self.totals);
        totals.reserved = totals.reserved.plus(added);
        drop(totals);
        self.check()
    }

    fn check(&self) -> Result<(), ServiceError> {
        let totals = lock(&self.totals);
        let all = totals.counted.plus(totals.reserved);
        drop(totals);
        let limit = |detail| Err(ServiceError::new(ServiceErrorKind::LimitExceeded, detail));
        match self.limits {
            Limits { blobs: Some(most), .. } if all.blobs > as_i64(most) => {
                limit(format!("the container would have more than {most} blobs, which is its max_keys"))
            }
            Limits { bytes: Some(most), .. } if all.bytes > as_i64(most) => {
                limit(format!("the blobs of the container would have more than {most} bytes, which is its max_size"))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut totals = lock(&self.totals);
        totals.reserved = totals.reserved.minus(self.reserved);
    }
}

impl Total {
    fn plus(self, other: Self) -> Self {
        Self { blobs: self.blobs.saturating_add(other.blobs), bytes: self.bytes.saturating_add(other.bytes) }
    }

    fn minus(self, other: Self) -> Self {
        Self { blobs: self.blobs.saturating_sub(other.blobs), bytes: self.bytes.saturating_sub(other.bytes) }
    }
}

fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
