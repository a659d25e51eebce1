//! Times of OTLP: nanoseconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time before 1970 is 0, which means that it is not known.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
