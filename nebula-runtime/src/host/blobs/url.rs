//! Which backend a URL stands for.

use std::{path::PathBuf, str::FromStr, sync::Arc};

use super::{contract::Blobs, object_blobs::ObjectBlobs};
use crate::{
    host::{node::Node, place::ServicePlace},
    store::{InvalidStoreUrl, StoreAccess, StoreUrl, bucket_objects},
};

/// Where the blobs of a container are: `memory:`, `folder:PATH`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or
/// `az://CONTAINER/PREFIX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobsUrl(Location);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Location {
    Memory,
    Folder(PathBuf),
    Bucket(StoreUrl),
}

/// Why a text is not a [`BlobsUrl`], or its backend cannot be set up. The message does not have the text, in which
/// somebody may have written a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBlobsUrl {
    /// It names a backend that no build has.
    #[error("unknown kind of URL {scheme:?}; expected {EXPECTED}")]
    UnknownScheme {
        /// What is written before the colon.
        scheme: String,
    },
    /// It names a backend that this build does not have.
    #[error("this build of Nebula has no {backend} backend; build it with the feature {feature}, or use another URL")]
    NotInThisBuild {
        /// The backend.
        backend: &'static str,
        /// The feature of `nebula-runtime` that brings it.
        feature: &'static str,
    },
    /// It names no folder.
    #[error("the URL names no folder; expected folder:PATH")]
    NoFolder,
    /// It names no bucket, or its prefix is no path.
    #[error(
        "the URL names no place in a bucket; expected {scheme}://BUCKET or {scheme}://BUCKET/PREFIX; credentials and the \
         address of the service are environment variables"
    )]
    NoBucket {
        /// What is written before the colon.
        scheme: String,
    },
    /// The client of the service lacks something.
    #[error("the client of the service cannot be set up: {reason}")]
    Client {
        /// What it lacks.
        reason: String,
    },
}

const EXPECTED: &str = "memory:, folder:PATH, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX";

impl BlobsUrl {
    /// Blobs in the memory of the process.
    pub const MEMORY: Self = Self(Location::Memory);

    /// Blobs that are files of a folder.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self(Location::Folder(path.into()))
    }

    /// What the backend uses of the node.
    pub(in crate::host) fn place(&self, node: &Node) -> ServicePlace {
        match &self.0 {
            Location::Memory => ServicePlace::Memory,
            Location::Folder(path) => ServicePlace::Folder(node.folder.join(path)),
            Location::Bucket(_) => ServicePlace::Cloud,
        }
    }
}

impl FromStr for BlobsUrl {
    type Err = InvalidBlobsUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBlobsUrl> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        match scheme {
            "memory" => Ok(Self::MEMORY),
            "folder" if rest.is_empty() => Err(InvalidBlobsUrl::NoFolder),
            "folder" => Ok(Self::folder(rest)),
            "s3" | "gs" | "az" => bucket(scheme, text),
            scheme => Err(InvalidBlobsUrl::UnknownScheme { scheme: scheme.to_owned() }),
        }
    }
}

fn bucket(scheme: &str, text: &str) -> Result<BlobsUrl, InvalidBlobsUrl> {
    match text.parse::<StoreUrl>() {
        // `s3:a` is the path of a folder for a store.
        Ok(url) if url.is_shared() => Ok(BlobsUrl(Location::Bucket(url))),
        Err(InvalidStoreUrl::NotInThisBuild { service, feature, .. }) => {
            Err(InvalidBlobsUrl::NotInThisBuild { backend: service, feature })
        }
        _ => Err(InvalidBlobsUrl::NoBucket { scheme: scheme.to_owned() }),
    }
}

/// Opens the backend of a URL. It connects at its first operation.
///
/// # Errors
/// The backend cannot be set up, or this build does not have it.
pub fn open(url: &BlobsUrl, node: &Node) -> Result<Arc<dyn Blobs>, InvalidBlobsUrl> {
    match &url.0 {
        Location::Memory => Ok(Arc::new(ObjectBlobs::memory())),
        Location::Folder(path) => folder(node.folder.join(path)),
        Location::Bucket(url) => {
            let access = StoreAccess::of(node.variables.iter().map(|(name, value)| (name.into(), value.into())));
            let objects = bucket_objects(url, &access);
            let objects = objects.map_err(|error| InvalidBlobsUrl::Client { reason: error.to_string() })?;
            Ok(Arc::new(ObjectBlobs::shared(objects)))
        }
    }
}

#[cfg(feature = "folder")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
fn folder(path: PathBuf) -> Result<Arc<dyn Blobs>, InvalidBlobsUrl> {
    Ok(Arc::new(ObjectBlobs::folder(path)))
}

#[cfg(not(feature = "folder"))]
fn folder(_: PathBuf) -> Result<Arc<dyn Blobs>, InvalidBlobsUrl> {
    Err(InvalidBlobsUrl::NotInThisBuild { backend: "folder", feature: "folder" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_none_says_what_is_expected_and_does_not_repeat_a_password() {
        let cases = [
            ("", "unknown kind of URL \"\"; expected memory:, folder:PATH, s3://"),
            ("redb:a", "unknown kind of URL \"redb\""),
            ("folder:", "expected folder:PATH"),
            #[cfg(feature = "s3")]
            ("s3:bucket", "expected s3://BUCKET or s3://BUCKET/PREFIX"),
            #[cfg(feature = "s3")]
            ("s3://user:secret@bucket", "expected s3://BUCKET or s3://BUCKET/PREFIX"),
            #[cfg(not(feature = "s3"))]
            ("s3://bucket", "no S3 backend; build it with the feature s3"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<BlobsUrl>().unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{text:?}: {error}");
        }
    }
}
