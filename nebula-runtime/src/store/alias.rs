//! Aliases: names for versions that can be moved, and what they pointed to before.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::stamp::Stamp;
use crate::{
    call::Invocation,
    function::{Digest, Timestamp},
};

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

/// An alias of a function: what it points to, and what it pointed to before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Alias {
    /// What it points to. `None` after the alias was removed: its history stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<AliasTarget>,
    /// The targets that rollbacks go back to, the next one last. Their versions may be removed by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<AliasTarget>,
    /// Every change, the oldest first. A record of format 1 kept none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<AliasChange>,
}

/// A change of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AliasChange {
    /// When it was changed.
    pub at: Timestamp,
    /// Who changed it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What it pointed to before. `None` where there was no such alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<AliasTarget>,
    /// What it points to since. `None` where the alias was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<AliasTarget>,
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

    /// The version that serves an invocation: chosen by the value of the sticky header where the event has that, else
    /// by the invocation's id.
    ///
    /// The same value gets the same version on every server. While the weight of the last version grows, those who have
    /// it keep it.
    pub(crate) fn choose(&self, invocation: &Invocation) -> u64 {
        if self.weights.len() == 1 {
            return self.heaviest();
        }
        let value = self.sticky.as_ref().and_then(|header| invocation.event.header(header));
        let point = match value {
            Some(value) => point(value.as_bytes()),
            None => point(invocation.id.to_string().as_bytes()),
        };
        self.at(point)
    }

    /// The version at a point of a line, from 0 to `u64::MAX`, of which each version has a part as long as its weight.
    fn at(&self, point: u64) -> u64 {
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
    pub(super) fn only(mut self, versions: &BTreeSet<u64>) -> Option<Self> {
        self.weights.retain(|number, _| versions.contains(number));
        (!self.weights.is_empty()).then_some(self)
    }
}

/// A number that is evenly distributed over all values and always the same for the same value.
fn point(value: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(value).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl Alias {
    /// An alias that a record of format 1 has: of its history nothing is known.
    pub(super) fn without_history(version: u64) -> Self {
        Self { target: Some(AliasTarget::version(version)), ..Self::default() }
    }

    /// Points it to `to`, or removes it, and notes that in its history. Returns whether that changes anything.
    pub(super) fn set(&mut self, to: Option<AliasTarget>, stamp: &Stamp) -> bool {
        if self.target == to {
            return false;
        }
        let from = std::mem::replace(&mut self.target, to.clone());
        self.past.extend(from.clone());
        self.history.push(AliasChange { at: stamp.at, by: stamp.by.clone(), from, to });
        true
    }
}

/// A target as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTarget {
    weights: BTreeMap<u64, u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sticky: Option<String>,
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
    use http::{HeaderValue, Request};

    use super::*;
    use crate::{
        call::{Body, Event, InvocationId},
        function::FunctionName,
    };

    fn invocation(id: &str, user: Option<&str>) -> Invocation {
        let mut request = Request::new(Body::empty());
        request.headers_mut().extend(user.map(|user| (HeaderName::from_static("x-user"), user.parse().unwrap())));
        let name: FunctionName = "f".parse().unwrap();
        Invocation::with_id(name, Event::http(request), InvocationId::given(id))
    }

    /// How many of 10,000 invocations each version gets.
    fn shares(target: &AliasTarget, invocation: impl Fn(&str) -> Invocation) -> BTreeMap<u64, u32> {
        let mut shares = BTreeMap::new();
        for index in 0..10_000 {
            *shares.entry(target.choose(&invocation(&index.to_string()))).or_default() += 1;
        }
        shares
    }

    #[test]
    fn versions_get_their_share_of_ids_and_of_the_values_of_the_sticky_header() {
        let target = AliasTarget::weighted([(3, 95), (4, 5)]).unwrap().sticky(HeaderName::from_static("x-user"));
        let by_id = shares(&target, |id| invocation(id, None));
        // The same values always make the same shares, so that these are no assertions about chance.
        assert!((9_400..9_600).contains(&by_id[&3]) && by_id[&3] + by_id[&4] == 10_000, "{by_id:?}");
        assert_eq!(shares(&target, |user| invocation("same", Some(user))), by_id);
        let one_user = shares(&target, |id| invocation(id, Some("ada")));
        assert_eq!(one_user.values().collect::<Vec<_>>(), [&10_000]);
    }

    #[test]
    fn a_payload_is_sticky_by_what_its_sender_says_of_it() {
        let target = AliasTarget::weighted([(1, 1), (2, 1)]).unwrap().sticky(HeaderName::from_static("x-user"));
        for user in ["a", "b", "c", "d", "e", "f"] {
            let mut payload = invocation("another", None);
            let fields = [(HeaderName::from_static("x-user"), HeaderValue::from_static(user))];
            payload.event = Event::json("1").with_fields(fields.into_iter().collect());
            assert_eq!(target.choose(&payload), target.choose(&invocation("id", Some(user))), "{user}");
        }
    }

    #[test]
    fn whoever_has_the_new_version_keeps_it_while_its_weight_grows() {
        let mut had_it = BTreeSet::new();
        for weight in [1, 5, 50, 100, 1_000_000] {
            let target = AliasTarget::weighted([(1, 100), (2, weight)]).unwrap();
            let has_it: BTreeSet<_> =
                (0..1_000).filter(|id| target.choose(&invocation(&id.to_string(), None)) == 2).collect();
            assert!(has_it.is_superset(&had_it) && has_it.len() > had_it.len(), "{weight}");
            had_it = has_it;
        }
    }

    #[test]
    fn the_ends_of_the_line_belong_to_the_first_and_the_last_version() {
        let target = AliasTarget::weighted([(1, u32::MAX), (2, u32::MAX), (9, u32::MAX)]).unwrap();
        assert_eq!([0, u64::MAX / 2, u64::MAX].map(|point| target.at(point)), [1, 2, 9]);
        assert_eq!((target.heaviest(), AliasTarget::version(7).at(u64::MAX)), (9, 7));
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
