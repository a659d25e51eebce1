//! Which of an alias's versions serves an invocation.

use crate::{
    call::Invocation,
    function::{AliasTarget, Digest},
};

impl AliasTarget {
    /// The version that serves an invocation: chosen by the value of the sticky header where the event has that, else
    /// by the invocation's id.
    ///
    /// The same value gets the same version on every server. While the weight of the last version grows, those who have
    /// it keep it.
    pub(crate) fn choose(&self, invocation: &Invocation) -> u64 {
        if let Some(only) = self.only_version() {
            return only;
        }
        let value = self.sticky_header().and_then(|header| invocation.event.header(header));
        let point = match value {
            Some(value) => point(value.as_bytes()),
            None => point(invocation.id.to_string().as_bytes()),
        };
        self.at(point)
    }
}

/// A number that is evenly distributed over all values and always the same for the same value.
fn point(value: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Digest::of(value).as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use http::{HeaderName, HeaderValue, Request};

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
}
