//! How often something may happen.

use std::{cmp::Ordering, fmt, num::NonZeroU32, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::text::quoted;

/// How often something may happen: `100/s`, `600/min` or `10000/h`.
///
/// - The number is at least 1.
/// - The lower of two rates is the one that allows less in the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    count: NonZeroU32,
    period: Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Second,
    Minute,
    Hour,
}

/// A text that is not a [`Rate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid rate {0}: expected a rate such as \"100/s\", \"600/min\" or \"10000/h\"")]
pub struct InvalidRate(String);

impl Rate {
    /// How many times in each [`Rate::period`].
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// A second, a minute or an hour.
    pub fn period(self) -> Duration {
        self.period.duration()
    }

    /// The time between two events, if they come evenly.
    pub fn interval(self) -> Duration {
        self.period() / self.count.get()
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> Ordering {
        let in_the_same_time = |rate: &Self, other: &Self| u64::from(rate.count.get()) * other.period.seconds();
        let order = in_the_same_time(self, other).cmp(&in_the_same_time(other, self));
        order.then_with(|| self.period.seconds().cmp(&other.period.seconds()))
    }
}

impl Period {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    fn duration(self) -> Duration {
        Duration::from_secs(self.seconds())
    }

    fn name(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
        }
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let parsed = text.split_once('/').and_then(|(count, period)| {
            let period = Period::ALL.into_iter().find(|known| known.name() == period.trim())?;
            Some(Self { count: count.trim().parse().ok()?, period })
        });
        parsed.ok_or_else(|| InvalidRate(quoted(text)))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.period.name())
    }
}

impl TryFrom<String> for Rate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, InvalidRate> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_reads_back_as_it_was_written() {
        for text in ["1/s", "100/s", "600/min", "4294967295/h"] {
            assert_eq!(rate(text).to_string(), text);
        }
        assert_eq!(rate(" 5 / min "), rate("5/min"));
        for text in ["", "5", "/s", "0/s", "-1/s", "1.5/s", "5/d", "5/", "4294967296/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_lower_rate_allows_less_in_the_same_time() {
        let rising = ["1/h", "1/min", "119/min", "2/s", "7201/h", "4294967295/min"].map(rate);
        assert!(rising.is_sorted_by(|one, next| one < next));
    }
}
