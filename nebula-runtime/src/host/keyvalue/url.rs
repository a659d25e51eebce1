//! Which backend a URL stands for.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use super::{contract::KeyValue, memory::MemoryKeyValue};
use crate::host::node::Node;

/// Where the values of a key-value store are: `memory:`, or `redb:PATH` with the feature `redb`.
///
/// - It may have a password, so that it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyValueUrl(Location);

#[derive(Clone, PartialEq, Eq)]
enum Location {
    Memory,
    /// A file of this machine. A relative path starts at the node's folder.
    File(PathBuf),
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
    /// It names a backend that this build does not have.
    #[error(
        "this build of Nebula has no {feature} backend; build it with the feature {feature}, or use a networked service (on \
         AWS Lambda, files are lost with the instance that wrote them)"
    )]
    NotInThisBuild {
        /// The feature of `nebula-runtime` that brings the backend.
        feature: &'static str,
    },
    /// The path of a file is missing, or written like a host.
    #[error("the path of the file is not understood; expected redb:PATH, such as redb:data/state.redb")]
    Path,
    /// The file cannot be written.
    #[error("{reason}")]
    Obstacle {
        /// Why, and what to do.
        reason: &'static str,
    },
}

const EXPECTED: &str = "memory: or redb:PATH";

impl FromStr for KeyValueUrl {
    type Err = InvalidKeyValueUrl;

    fn from_str(text: &str) -> Result<Self, InvalidKeyValueUrl> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match scheme {
            "memory" => Ok(Self(Location::Memory)),
            "redb" if rest.is_empty() || rest.starts_with("//") => Err(InvalidKeyValueUrl::Path),
            "redb" => Ok(Self(Location::File(rest.into()))),
            scheme => Err(InvalidKeyValueUrl::UnknownScheme { scheme: scheme.to_owned() }),
        }
    }
}

/// Opens the backend of a URL. It connects at its first operation.
///
/// # Errors
/// This build does not have the backend, or the backend cannot be set up.
pub fn open(url: &KeyValueUrl, node: &Node) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
    match &url.0 {
        Location::Memory => Ok(Arc::new(MemoryKeyValue::default())),
        Location::File(path) => open_file(&node.folder.join(path)),
    }
}

#[cfg(feature = "redb")]
fn open_file(path: &Path) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
    use super::file::FileKeyValue;

    // It still means the same after a change of the working directory.
    let path = std::path::absolute(path).map_err(|_| InvalidKeyValueUrl::Path)?;
    match FileKeyValue::obstacle(&path) {
        None => Ok(Arc::new(FileKeyValue::new(path))),
        Some(reason) => Err(InvalidKeyValueUrl::Obstacle { reason }),
    }
}

#[cfg(not(feature = "redb"))]
fn open_file(_path: &Path) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
    Err(InvalidKeyValueUrl::NotInThisBuild { feature: "redb" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
        open(&text.parse()?, &Node { folder: "/srv".into(), ..Node::default() })
    }

    #[test]
    fn refuses_what_is_no_url_without_printing_it() {
        let cases = [
            ("", "unknown kind of URL \"\"; expected memory: or"),
            ("state.redb", "unknown kind of URL"),
            ("redb:", "expected redb:PATH, such as redb:data/state.redb"),
            ("redb://user:secret@host/state", "expected redb:PATH"),
        ];
        for (text, expected) in cases {
            let error = opened(text).err().unwrap().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{text:?}: {error}");
        }
    }

    #[cfg(not(feature = "redb"))]
    #[test]
    fn a_backend_that_is_not_in_this_build_is_named_with_its_feature() {
        let error = opened("redb:state.redb").err().unwrap().to_string();
        assert!(error.contains("no redb backend; build it with the feature redb"), "{error}");
    }
}
