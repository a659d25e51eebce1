//! A moment, as records and people read it.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// A moment in whole seconds, written in UTC as RFC 3339 does: `2026-01-31T12:00:00Z`.
///
/// - It is between the years 1970 and 9999, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

/// A text that is not a [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid time {0:?}: expected a time in UTC such as 2026-01-31T12:00:00Z")]
pub struct InvalidTimestamp(String);

impl Timestamp {
    /// The last second of the year 9999.
    const LAST: u64 = 253_402_300_799;

    /// The moment of the system's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The moment so many seconds after the beginning of 1970.
    pub fn from_unix(seconds: u64) -> Self {
        Self(seconds.min(Self::LAST))
    }

    /// Seconds since the beginning of 1970.
    pub fn as_unix(self) -> u64 {
        self.0
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::from_unix(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.0)).fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let time = humantime::parse_rfc3339(text).map_err(|_| InvalidTimestamp(text.chars().take(80).collect()))?;
        Ok(time.into())
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parses_what_it_prints(seconds in 0..=u64::MAX) {
            let time = Timestamp::from_unix(seconds);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn is_written_in_whole_seconds_of_utc() {
        assert_eq!(Timestamp::from_unix(1_769_860_800).to_string(), "2026-01-31T12:00:00Z");
        assert_eq!("2026-01-31T12:00:00.9Z".parse(), Ok(Timestamp::from_unix(1_769_860_800)));
        for text in ["", "2026-01-31", "2026-01-31T12:00:00+01:00", "2026-02-30T12:00:00Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
