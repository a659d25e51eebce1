//! Objects of JSON whose members are computed.

use serde_json::{Map, Value};

/// An object with these members.
pub(super) fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
