//! What a function may use of the services of the node that runs it.

use std::{fmt, str::FromStr, sync::Arc};

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{reference::FunctionName, text::quoted};

/// The name of a service of a node, such as `state`. The node's configuration says what the service is.
///
/// - Written like a [`FunctionName`].
/// - Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(Arc<str>);

/// A text that is not a [`ServiceName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid service name {0}: expected 1 to 63 of a-z, 0-9 and -, starting with a letter")]
pub struct InvalidServiceName(String);

impl ServiceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServiceName {
    type Err = InvalidServiceName;

    fn from_str(text: &str) -> Result<Self, InvalidServiceName> {
        match text.parse::<FunctionName>() {
            Ok(name) => Ok(Self(name.as_str().into())),
            Err(_) => Err(InvalidServiceName(quoted(text))),
        }
    }
}

impl TryFrom<String> for ServiceName {
    type Error = InvalidServiceName;

    fn try_from(text: String) -> Result<Self, InvalidServiceName> {
        text.parse()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A service that a function may use, and how much of it.
///
/// - Without limits it is written as the service's name alone, and so it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceGrant {
    /// The service of the node.
    pub service: ServiceName,
    /// What each key begins with in the service. The guest does not see it, and reaches no other keys.
    pub prefix: String,
    /// Whether the guest may only read.
    pub readonly: bool,
    /// The largest value. The default is [`ServiceGrant::MAX_VALUE`] for a value of a key-value store, and nothing for a
    /// blob, which streams.
    pub max_value: Option<ByteSize>,
    /// The largest number of keys below the prefix.
    pub max_keys: Option<u64>,
    /// The largest size of all values below the prefix together.
    pub max_size: Option<ByteSize>,
}

impl ServiceGrant {
    /// The largest value of a key-value store, where the grant sets no limit.
    pub const MAX_VALUE: ByteSize = ByteSize::mib(1);

    /// The whole of a service, to read and to write.
    pub fn new(service: ServiceName) -> Self {
        Self { service, prefix: String::new(), readonly: false, max_value: None, max_keys: None, max_size: None }
    }
}

/// [`ServiceGrant`] as it is written where it has limits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limited {
    service: ServiceName,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    prefix: String,
    #[serde(default, skip_serializing_if = "is_false")]
    readonly: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_value: Option<ByteSize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_keys: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_size: Option<ByteSize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde's skip_serializing_if asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Serialize for ServiceGrant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::new(self.service.clone()) {
            return self.service.serialize(serializer);
        }
        let Self { service, prefix, readonly, max_value, max_keys, max_size } = self.clone();
        Limited { service, prefix, readonly, max_value, max_keys, max_size }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ServiceGrant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// Reads a [`ServiceGrant`]: a name, or a table with limits.
struct Written;

impl<'de> de::Visitor<'de> for Written {
    type Value = ServiceGrant;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a service, or a table such as { service = \"state\", readonly = true }")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<ServiceGrant, E> {
        name.parse().map(ServiceGrant::new).map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ServiceGrant, A::Error> {
        let limited = Limited::deserialize(de::value::MapAccessDeserializer::new(map))?;
        let Limited { service, prefix, readonly, max_value, max_keys, max_size } = limited;
        Ok(ServiceGrant { service, prefix, readonly, max_value, max_keys, max_size })
    }
}

impl fmt::Display for ServiceGrant {
    /// `state below "shop/", read, values up to 1.0 KiB, up to 9 keys, up to 2.0 MiB together`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.service)?;
        if !self.prefix.is_empty() {
            write!(f, " below {:?}", self.prefix)?;
        }
        f.write_str(if self.readonly { ", read" } else { ", read and write" })?;
        self.max_value.iter().try_for_each(|most| write!(f, ", values up to {most}"))?;
        self.max_keys.iter().try_for_each(|most| write!(f, ", up to {most} keys"))?;
        self.max_size.iter().try_for_each(|most| write!(f, ", up to {most} together"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_written_as_a_name_or_as_a_table_and_is_read_back() {
        let plain = ServiceGrant::new("state".parse().unwrap());
        let limited = ServiceGrant { prefix: "shop/".into(), max_keys: Some(3), ..plain.clone() };
        let cases = [(plain, r#""state""#), (limited, r#"{"service":"state","prefix":"shop/","max_keys":3}"#)];
        for (grant, written) in cases {
            assert_eq!(serde_json::to_string(&grant).unwrap(), written);
            assert_eq!(serde_json::from_str::<ServiceGrant>(written).unwrap(), grant);
        }
    }

    #[test]
    fn a_grant_is_shown_with_its_limits() {
        let plain = ServiceGrant::new("state".parse().unwrap());
        let limited = ServiceGrant {
            prefix: "shop/".into(),
            readonly: true,
            max_value: Some(ByteSize::kib(1)),
            max_keys: Some(9),
            max_size: Some(ByteSize::mib(2)),
            ..plain.clone()
        };
        let shown = "state below \"shop/\", read, values up to 1.0 KiB, up to 9 keys, up to 2.0 MiB together";
        assert_eq!([plain.to_string(), limited.to_string()], ["state, read and write", shown]);
    }
}
