//! Which backend a URL stands for.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

#[cfg(not(feature = "nats"))]
use super::absent as nats;
#[cfg(not(feature = "redis"))]
use super::absent as redis;
#[cfg(not(feature = "s3"))]
use super::absent as s3;
#[cfg(feature = "nats")]
use super::nats;
#[cfg(feature = "redis")]
use super::redis;
#[cfg(feature = "s3")]
use super::s3;
use super::{contract::KeyValue, invalid_url::InvalidKeyValueUrl, memory::MemoryKeyValue};
use crate::host::{node::Node, place::ServicePlace};

/// Where the values of a key-value store are: `memory:`, `redb:PATH`, `redis://HOST:PORT/DATABASE`,
/// `nats://HOST:PORT/BUCKET`, or `s3://BUCKET/PREFIX`, each with the feature of its backend.
///
/// - It may have a password, so that it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyValueUrl(Location);

#[derive(Clone, PartialEq, Eq)]
enum Location {
    Memory,
    /// A file of this machine. A relative path starts at the node's folder.
    File(PathBuf),
    Redis(redis::Place),
    Nats(nats::Place),
    S3(s3::Place),
}

impl FromStr for KeyValueUrl {
    type Err = InvalidKeyValueUrl;

    fn from_str(text: &str) -> Result<Self, InvalidKeyValueUrl> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        let location = match scheme {
            "memory" => Location::Memory,
            "redb" if rest.is_empty() || rest.starts_with("//") => return Err(FILE),
            "redb" => Location::File(rest.into()),
            "redis" | "rediss" => Location::Redis(redis::Place::parse(text)?),
            "nats" | "tls" => Location::Nats(nats::Place::parse(text)?),
            "s3" => Location::S3(s3::Place::parse(text)?),
            scheme => return Err(InvalidKeyValueUrl::UnknownScheme { scheme: scheme.to_owned() }),
        };
        Ok(Self(location))
    }
}

impl KeyValueUrl {
    /// What the backend uses of the node.
    pub(in crate::host) fn place(&self, node: &Node) -> ServicePlace {
        match &self.0 {
            Location::Memory => ServicePlace::Memory,
            Location::File(path) => {
                let file = node.folder.join(path);
                ServicePlace::Folder(file.parent().map(Path::to_owned).unwrap_or_default())
            }
            Location::Redis(place) => place.place(),
            Location::Nats(place) => place.place(),
            Location::S3(place) => place.place(),
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
        Location::Redis(place) => place.open(node),
        Location::Nats(place) => place.open(node),
        Location::S3(place) => place.open(node),
    }
}

/// The path of a file is missing, or written like a host.
const FILE: InvalidKeyValueUrl = InvalidKeyValueUrl::Malformed { expected: "redb:PATH, such as redb:data/state.redb" };

#[cfg(feature = "redb")]
fn open_file(path: &Path) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
    use super::file::FileKeyValue;

    // It still means the same after a change of the working directory.
    let path = std::path::absolute(path).map_err(|_| FILE)?;
    match FileKeyValue::obstacle(&path) {
        None => Ok(Arc::new(FileKeyValue::new(path))),
        Some(reason) => Err(InvalidKeyValueUrl::Obstacle { reason }),
    }
}

#[cfg(not(feature = "redb"))]
fn open_file(_path: &Path) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
    Err(InvalidKeyValueUrl::NotInThisBuild { scheme: "redb".to_owned(), feature: "redb" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_other_urls_and_says_what_it_expects() {
        let cases = [
            ("mysql://host", "unknown kind of URL \"mysql\"; expected memory:, redb:PATH"),
            ("secret", "unknown kind of URL"),
            ("redb:", "expected redb:PATH, such as redb:data/state.redb"),
            ("redb://user:secret@host/state", "expected redb:PATH"),
            #[cfg(feature = "redis")]
            ("redis://", "expected redis://HOST:PORT/DATABASE"),
            #[cfg(feature = "redis")]
            ("redis://secret@host:port", "expected redis://HOST:PORT/DATABASE"),
            #[cfg(feature = "redis")]
            ("redis://host/secret", "expected redis://HOST:PORT/DATABASE"),
            #[cfg(feature = "redis")]
            ("rediss://host/0?secret=1", "expected redis://HOST:PORT/DATABASE"),
            #[cfg(feature = "redis")]
            ("rediss://host/0#secret", "expected redis://HOST:PORT/DATABASE"),
            #[cfg(feature = "nats")]
            ("nats://secret@host", "expected nats://HOST:PORT/BUCKET"),
            #[cfg(feature = "nats")]
            ("nats://host/secret.", "expected nats://HOST:PORT/BUCKET"),
            #[cfg(feature = "s3")]
            ("s3://", "expected s3://BUCKET or s3://BUCKET/PREFIX"),
            #[cfg(feature = "s3")]
            ("s3://key:secret@bucket/a", "AWS_ACCESS_KEY_ID"),
        ];
        for (text, expected) in cases {
            let Err(error) = text.parse::<KeyValueUrl>() else { panic!("{text} is understood") };
            let error = error.to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
            assert!(text == "secret" || !error.contains("secret"), "{text:?}: {error}");
        }
    }

    #[test]
    fn understands_the_urls_of_the_backends_of_this_build() {
        let cases = [
            "memory:",
            "redb:state.redb",
            #[cfg(feature = "redis")]
            "redis://host",
            #[cfg(feature = "redis")]
            "rediss://user:p%40ss@host:6380/3?prefix=shop%2F",
            #[cfg(feature = "redis")]
            "redis://:password@[::1]:6379",
            #[cfg(feature = "redis")]
            "redis://[::1]/1",
            #[cfg(feature = "nats")]
            "nats://token@host/bucket",
            #[cfg(feature = "nats")]
            "tls://user:password@host:4222/my_bucket-1",
            #[cfg(feature = "s3")]
            "s3://bucket/prefix",
        ];
        for text in cases {
            assert!(text.parse::<KeyValueUrl>().is_ok(), "{text}");
        }
    }

    #[cfg(not(feature = "redis"))]
    #[test]
    fn a_backend_that_is_not_in_this_build_is_named_with_its_feature() {
        let Err(error) = "rediss://host".parse::<KeyValueUrl>() else { panic!("it is understood") };
        assert!(error.to_string().contains("no rediss backend; build it with the feature redis"), "{error}");
    }
}
