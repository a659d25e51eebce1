//! Which backend a URL stands for.

use std::{str::FromStr, sync::Arc};

use super::{contract::KeyValue, memory::MemoryKeyValue};
use crate::host::node::Node;

/// Where the values of a key-value store are: `memory:`.
///
/// - It may have a password, so that it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyValueUrl(Location);

#[derive(Clone, PartialEq, Eq)]
enum Location {
    Memory,
}

/// Why a text is not a [`KeyValueUrl`]. The message does not have the text, which may have a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeyValueUrl {
    /// It names a backend that no build has.
    #[error("unknown kind of URL {scheme:?}; expected {EXPECTED}")]
    UnknownScheme {
        /// What is written before the colon.
        scheme: String,
    },
}

const EXPECTED: &str = "memory:";

impl FromStr for KeyValueUrl {
    type Err = InvalidKeyValueUrl;

    fn from_str(text: &str) -> Result<Self, InvalidKeyValueUrl> {
        let (scheme, _rest) = text.split_once(':').unwrap_or((text, ""));
        match scheme {
            "memory" => Ok(Self(Location::Memory)),
            scheme => Err(InvalidKeyValueUrl::UnknownScheme { scheme: scheme.to_owned() }),
        }
    }
}

/// Opens the backend of a URL. It connects at its first operation.
///
/// # Errors
/// The backend cannot be set up.
pub fn open(url: &KeyValueUrl, _node: &Node) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
    match url.0 {
        Location::Memory => Ok(Arc::new(MemoryKeyValue::default())),
    }
}
