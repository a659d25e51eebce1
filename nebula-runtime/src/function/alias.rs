//! What an alias points to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::{NonZeroU32, ParseIntError},
};

use http::HeaderName;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// What an alias points to: one version, or several with weights.
///
/// - It names at least one version.
/// - A version of weight 95 beside one of weight 5 gets 95 of 100 calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenTarget", into = "WrittenTarget")]
pub struct AliasTarget {
    weights: BTreeMap<u64, NonZeroU32>,
    sticky: Option<HeaderName>,
}

/// Why some weights are not a target of an alias.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAliasTarget {
    /// No version is named.
    #[error("an alias points to one version at least")]
    Empty,
    /// The weight of a version is 0.
    #[error("version {0} has the weight 0; leave it out, or give it a weight of 1 or more")]
    NoWeight(u64),
    /// The text for `sticky` is not the name of a header field.
    #[error("sticky: {0:?} is not the name of a header field")]
    Sticky(String),
}

impl AliasTarget {
    /// One version.
    pub fn version(number: u64) -> Self {
        Self { weights: [(number, NonZeroU32::MIN)].into(), sticky: None }
    }

    /// Several versions, each with its weight.
    ///
    /// # Errors
    /// There is no version, or one has the weight 0.
    pub fn weighted(weights: impl IntoIterator<Item = (u64, u32)>) -> Result<Self, InvalidAliasTarget> {
        let weight = |(number, weight)| match NonZeroU32::new(weight) {
            Some(weight) => Ok((number, weight)),
            None => Err(InvalidAliasTarget::NoWeight(number)),
        };
        let weights = weights.into_iter().map(weight).collect::<Result<BTreeMap<_, _>, _>>()?;
        if weights.is_empty() { Err(InvalidAliasTarget::Empty) } else { Ok(Self { weights, sticky: None }) }
    }

    /// The same target, where requests with the same value of this header field get the same version.
    #[must_use]
    pub fn sticky(mut self, header: HeaderName) -> Self {
        self.sticky = Some(header);
        self
    }

    /// The versions and their weights, by number.
    pub fn weights(&self) -> impl Iterator<Item = (u64, u32)> {
        self.weights.iter().map(|(&number, weight)| (number, weight.get()))
    }

    /// The header field whose value decides on the version, if there is one.
    pub fn sticky_header(&self) -> Option<&HeaderName> {
        self.sticky.as_ref()
    }

    /// The version with the greatest weight; the newest of those with the same weight. It stands for the alias where
    /// nothing is called.
    pub fn heaviest(&self) -> u64 {
        self.weights().max_by_key(|&(number, weight)| (weight, number)).map_or(0, |(number, _)| number)
    }

    /// The version, where there is only one.
    pub(crate) fn only_version(&self) -> Option<u64> {
        let mut numbers = self.weights.keys();
        numbers.next().copied().filter(|_| numbers.next().is_none())
    }

    /// The version at a point of a line, from 0 to `u64::MAX`, of which each version has a part as long as its weight.
    pub(crate) fn at(&self, point: u64) -> u64 {
        let total: u128 = self.weights().map(|(_, weight)| u128::from(weight)).sum();
        let mut left = (u128::from(point) * total) >> u64::BITS;
        for (number, weight) in self.weights() {
            match left.checked_sub(weight.into()) {
                Some(rest) => left = rest,
                None => return number,
            }
        }
        self.heaviest()
    }

    /// The same target without the versions that are not in `versions`; `None` if no version is left.
    pub(crate) fn only(mut self, versions: &BTreeSet<u64>) -> Option<Self> {
        self.weights.retain(|number, _| versions.contains(number));
        (!self.weights.is_empty()).then_some(self)
    }
}

/// `3`, or `3=95 4=5`, and the sticky header.
impl fmt::Display for AliasTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weights.iter().collect::<Vec<_>>().as_slice() {
            [(number, _)] => number.fmt(f)?,
            several => {
                let parts: Vec<_> = several.iter().map(|(number, weight)| format!("{number}={weight}")).collect();
                f.write_str(&parts.join(" "))?;
            }
        }
        self.sticky.iter().try_for_each(|header| write!(f, " by {header}"))
    }
}

/// A target as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTarget {
    #[serde(deserialize_with = "read_weights")]
    weights: BTreeMap<u64, u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sticky: Option<String>,
}

/// The weights by the numbers of their versions. Where `serde` reads an object in two steps, as it does for fields that are
/// written among those of another object, it finds numbers that are keys as texts.
fn read_weights<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u64, u32>, D::Error> {
    let written = BTreeMap::<String, u32>::deserialize(deserializer)?;
    let numbered = written.into_iter().map(|(number, weight)| Ok((number.parse()?, weight)));
    numbered.collect::<Result<_, ParseIntError>>().map_err(D::Error::custom)
}

impl TryFrom<WrittenTarget> for AliasTarget {
    type Error = InvalidAliasTarget;

    fn try_from(WrittenTarget { weights, sticky }: WrittenTarget) -> Result<Self, InvalidAliasTarget> {
        let parse = |header: String| header.parse().map_err(|_| InvalidAliasTarget::Sticky(header));
        Ok(Self { sticky: sticky.map(parse).transpose()?, ..Self::weighted(weights)? })
    }
}

impl From<AliasTarget> for WrittenTarget {
    fn from(target: AliasTarget) -> Self {
        Self { weights: target.weights().collect(), sticky: target.sticky.map(|header| header.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_line_belong_to_the_first_and_the_last_version() {
        let target = AliasTarget::weighted([(1, u32::MAX), (2, u32::MAX), (9, u32::MAX)]).unwrap();
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(|point| target.at(point)), [1, 2, 9]);
        assert_eq!((target.heaviest(), AliasTarget::version(7).at(u64::MAX)), (9, 7));
    }

    #[test]
    fn is_written_in_few_words() {
        let weighted = AliasTarget::weighted([(3, 95), (4, 5)]).unwrap();
        assert_eq!(AliasTarget::version(3).to_string(), "3");
        assert_eq!(weighted.to_string(), "3=95 4=5");
        assert_eq!(weighted.sticky(HeaderName::from_static("x-user")).to_string(), "3=95 4=5 by x-user");
    }

    #[test]
    fn refuses_weights_that_mean_nothing() {
        let cases = [
            (r#"{"weights":{}}"#, "an alias points to one version at least"),
            (r#"{"weights":{"3":0}}"#, "version 3 has the weight 0"),
            (r#"{"weights":{"3":1},"sticky":"x user"}"#, r#"sticky: "x user" is not the name of a header field"#),
        ];
        for (text, expected) in cases {
            let error = serde_json::from_str::<AliasTarget>(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
