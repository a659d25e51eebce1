//! Values of settings and of environment variables.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The value of a setting or of an environment variable: a text, or where the node that runs the function finds the
/// text. The text of a reference is known to the process only, and is never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigValue {
    /// The text itself. It is stored with the version.
    Text(String),
    /// An environment variable of the node: `{ env = "API_KEY" }`.
    Env(String),
    /// A file of the node: `{ file = "/run/secrets/key" }`. A line end at its end does not count. The file is read again
    /// when it changes.
    File(PathBuf),
}

impl ConfigValue {
    /// The text, unless the node has it.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Env(_) | Self::File(_) => None,
        }
    }
}

impl<T: Into<String>> From<T> for ConfigValue {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

/// [`ConfigValue`] where it is a reference.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reference {
    Env(String),
    File(PathBuf),
}

impl Serialize for ConfigValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Env(name) => Reference::Env(name.clone()).serialize(serializer),
            Self::File(path) => Reference::File(path.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ConfigValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// Reads a [`ConfigValue`].
struct Written;

impl<'de> de::Visitor<'de> for Written {
    type Value = ConfigValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, { env = \"NAME\" } or { file = \"PATH\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ConfigValue, E> {
        Ok(text.into())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ConfigValue, A::Error> {
        Ok(match Reference::deserialize(de::value::MapAccessDeserializer::new(map))? {
            Reference::Env(name) => ConfigValue::Env(name),
            Reference::File(path) => ConfigValue::File(path),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_text_or_says_where_the_node_has_it() {
        let cases = [
            (ConfigValue::from("hi"), r#""hi""#),
            (ConfigValue::Env("KEY".into()), r#"{"env":"KEY"}"#),
            (ConfigValue::File("/run/key".into()), r#"{"file":"/run/key"}"#),
        ];
        for (value, written) in cases {
            assert_eq!(serde_json::to_string(&value).unwrap(), written);
            assert_eq!(serde_json::from_str::<ConfigValue>(written).unwrap(), value);
        }
        assert!(serde_json::from_str::<ConfigValue>(r#"{"vault":"x"}"#).is_err());
    }
}
