//! What one invocation may use.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize, Serializer};

use super::rate::Rate;

/// What one invocation of a function may use, and how many there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Linear memory and the heap of the guest's garbage collector, in bytes.
    pub memory: ByteSize,
    /// Time from the instance's start to the end of its response, without the time for which the guest waits for its
    /// reader. `Duration::MAX` is no limit.
    pub timeout: Duration,
    /// Size of a request.
    pub max_request: ByteSize,
    /// Size of a response. A response that an HTTP handler streams is limited only where its function or the ceilings
    /// say so.
    pub max_response: ByteSize,
    /// Invocations of the function at once.
    pub concurrency: u32,
    /// How often the function may be called. `None` is no limit.
    pub rate: Option<Rate>,
}

/// Limits of which some are set. The others have their defaults, or those of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LimitSettings {
    /// See [`Limits::memory`].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_bytes")]
    pub memory: Option<ByteSize>,
    /// See [`Limits::timeout`].
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub timeout: Option<Duration>,
    /// See [`Limits::max_request`].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_bytes")]
    pub max_request: Option<ByteSize>,
    /// See [`Limits::max_response`].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_bytes")]
    pub max_response: Option<ByteSize>,
    /// See [`Limits::concurrency`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// See [`Limits::rate`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// As a number of bytes: `ByteSize` itself would write a rounded text, and a limit must read back as it was set.
fn as_bytes<S: Serializer>(size: &Option<ByteSize>, serializer: S) -> Result<S::Ok, S::Error> {
    size.map(|size| size.as_u64()).serialize(serializer)
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(128),
            timeout: Duration::from_secs(30),
            max_request: ByteSize::mib(6),
            max_response: ByteSize::mib(6),
            concurrency: 256,
            rate: None,
        }
    }
}

impl Limits {
    /// The limits that no function exceeds, unless the server sets others: the memory that 32 bits can address, and a
    /// quarter of an hour.
    pub const CEILINGS: Self = Self {
        memory: ByteSize::gib(4),
        timeout: Duration::from_secs(15 * 60),
        max_request: ByteSize::gib(1),
        max_response: ByteSize::gib(1),
        concurrency: u32::MAX,
        rate: None,
    };

    /// These limits, except where `settings` sets another one.
    #[must_use]
    pub fn with(self, settings: &LimitSettings) -> Self {
        Self {
            memory: settings.memory.unwrap_or(self.memory),
            timeout: settings.timeout.unwrap_or(self.timeout),
            max_request: settings.max_request.unwrap_or(self.max_request),
            max_response: settings.max_response.unwrap_or(self.max_response),
            concurrency: settings.concurrency.unwrap_or(self.concurrency),
            rate: settings.rate.or(self.rate),
        }
    }

    /// These limits, each at most as high as that of `ceilings`.
    #[must_use]
    pub fn at_most(self, ceilings: &Self) -> Self {
        Self {
            memory: self.memory.min(ceilings.memory),
            timeout: self.timeout.min(ceilings.timeout),
            max_request: self.max_request.min(ceilings.max_request),
            max_response: self.max_response.min(ceilings.max_response),
            concurrency: self.concurrency.min(ceilings.concurrency),
            rate: self.rate.into_iter().chain(ceilings.rate).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn settings_read_back_as_they_were_set(memory: Option<u64>, seconds in 0..1_000_000_u64, nanos in 0..1_000_000_000_u32) {
            let settings = LimitSettings {
                memory: memory.map(ByteSize::b),
                timeout: Some(Duration::new(seconds, nanos)),
                ..LimitSettings::default()
            };
            let json = serde_json::to_string(&settings).unwrap();
            prop_assert_eq!(serde_json::from_str::<LimitSettings>(&json).unwrap(), settings, "{}", json);
        }
    }

    #[test]
    fn the_longest_timeout_reads_back() {
        let settings = LimitSettings { timeout: Some(Duration::MAX), ..LimitSettings::default() };
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<LimitSettings>(&json).unwrap(), settings, "{json}");
    }
}
