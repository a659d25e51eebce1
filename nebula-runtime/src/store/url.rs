//! Where a store is.

use std::{
    ffi::OsStr,
    fmt, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use object_store::path::Path as ObjectPath;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

use super::{
    layout::SERVICES,
    shared::{Bucket, Service},
};

/// Where a store is: `memory://`, `file:///absolute/path`, or just a path; `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`
/// or `az://CONTAINER/PREFIX`, each with the feature of its service.
///
/// - A folder's path is absolute: it still means the same after a change of the working directory.
/// - Printing and parsing are each other's inverse.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreUrl(Location);

/// The kinds of stores that a URL can name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Location {
    /// This process's memory: gone with the last handle.
    Memory,
    /// A folder of this machine, by its absolute path.
    Folder(PathBuf),
    /// A folder of a bucket, for any number of machines.
    Shared(Bucket),
}

/// Why a text is not the URL or the path of a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStoreUrl {
    /// It is empty.
    #[error("invalid store \"\": expected {EXPECTED}")]
    Empty,
    /// It names a service that this build does not have.
    #[error(
        "invalid store {url:?}: this build of Nebula has no {service} backend; build it with the feature {feature}, or \
         use another store"
    )]
    NotInThisBuild {
        /// The text.
        url: String,
        /// The service that the URL stands for.
        service: &'static str,
        /// The feature of `nebula-runtime` that brings it.
        feature: &'static str,
    },
    /// There is no bucket in the URL of a shared store.
    #[error("invalid store {url:?}: it names no bucket; expected {scheme}://BUCKET or {scheme}://BUCKET/PREFIX")]
    NoBucket {
        /// The text.
        url: String,
        /// The scheme of the service.
        scheme: &'static str,
    },
    /// The bucket's name has a character that no bucket's name has.
    #[error(
        "invalid store {url:?}: {bucket:?} is no name of a bucket, which has letters, digits and -._ only; credentials \
         and the address of the service are environment variables, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL"
    )]
    InvalidBucket {
        /// The text.
        url: String,
        /// The part of it that should be the bucket's name.
        bucket: String,
    },
    /// The prefix cannot be the beginning of an object's name.
    #[error("invalid store {url:?}: the prefix {prefix:?} is no path of names with a slash between two of them")]
    InvalidPrefix {
        /// The text.
        url: String,
        /// The prefix.
        prefix: String,
    },
    /// It names a backend that no build has.
    #[error("invalid store {0:?}: unknown kind of URL; expected {EXPECTED}")]
    UnknownScheme(String),
    /// There is something after `memory://`.
    #[error("invalid store {0:?}: a store in memory has no path; expected memory://")]
    MemoryWithPath(String),
    /// The path of a `file:` URL does not start at the root.
    #[error("invalid store {0:?}: the path is not absolute; expected file:///absolute/path, or the path alone")]
    NotAbsolute(String),
    /// A relative path is relative to a folder that is gone.
    #[error("failed to make the path {} absolute", path.display())]
    NoWorkingFolder {
        /// The path.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

const EXPECTED: &str = "a path, file:///absolute/path, memory://, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, or \
                        az://CONTAINER/PREFIX";

/// What would end or change the path of a URL (RFC 3986, section 3.3).
const NOT_IN_A_PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

impl StoreUrl {
    /// A store in this process's memory.
    pub const MEMORY: Self = Self(Location::Memory);

    /// A store in a folder. A relative path starts at the working directory.
    ///
    /// # Errors
    /// The path is empty, or relative to a working directory that is gone.
    pub fn folder(path: &Path) -> Result<Self, InvalidStoreUrl> {
        if path.as_os_str().is_empty() {
            return Err(InvalidStoreUrl::Empty);
        }
        match std::path::absolute(path) {
            Ok(path) => Ok(Self(Location::Folder(path))),
            Err(source) => Err(InvalidStoreUrl::NoWorkingFolder { path: path.to_owned(), source }),
        }
    }

    /// The folder of the store, if it is in a folder of this machine.
    pub fn local_folder(&self) -> Option<&Path> {
        match &self.0 {
            Location::Folder(path) => Some(path),
            Location::Memory | Location::Shared(_) => None,
        }
    }

    /// The folder in which services may keep values of functions, if the store is in a folder of this machine.
    pub fn services_folder(&self) -> Option<PathBuf> {
        Some(self.local_folder()?.join(SERVICES))
    }

    /// Whether machines share the store.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.0, Location::Shared(_))
    }

    pub(super) fn location(&self) -> &Location {
        &self.0
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        match text.split_once("://") {
            None => Self::folder(Path::new(text)),
            Some(("memory", "")) => Ok(Self::MEMORY),
            Some(("memory", _)) => Err(InvalidStoreUrl::MemoryWithPath(text.to_owned())),
            Some(("file", path)) if path.starts_with('/') => {
                let path: Vec<u8> = percent_decode_str(path).collect();
                Self::folder(Path::new(OsStr::from_bytes(&path)))
            }
            Some(("file", _)) => Err(InvalidStoreUrl::NotAbsolute(text.to_owned())),
            Some((scheme, place)) => match Service::of_scheme(scheme) {
                Some(service) => bucket(text, service, place).map(|bucket| Self(Location::Shared(bucket))),
                None => Err(InvalidStoreUrl::UnknownScheme(text.to_owned())),
            },
        }
    }
}

/// The folder of a bucket that the rest of a URL names.
fn bucket(url: &str, service: Service, place: &str) -> Result<Bucket, InvalidStoreUrl> {
    let url = || url.to_owned();
    let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
    if !service.is_in_this_build() {
        let (service, feature) = (service.name(), service.feature());
        return Err(InvalidStoreUrl::NotInThisBuild { url: url(), service, feature });
    }
    if name.is_empty() {
        return Err(InvalidStoreUrl::NoBucket { url: url(), scheme: service.scheme() });
    }
    if !name.chars().all(|char| char.is_ascii_alphanumeric() || "-._".contains(char)) {
        return Err(InvalidStoreUrl::InvalidBucket { url: url(), bucket: name.to_owned() });
    }
    let prefix = prefix.trim_end_matches('/').to_owned();
    // What would be the query or the fragment of a URL is never meant as the name of an object.
    if prefix.contains(['?', '#']) || ObjectPath::parse(&prefix).is_err() {
        return Err(InvalidStoreUrl::InvalidPrefix { url: url(), prefix });
    }
    Ok(Bucket { service, name: name.to_owned(), prefix })
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::Memory => f.write_str("memory://"),
            Location::Shared(bucket) => bucket.fmt(f),
            Location::Folder(path) => {
                write!(f, "file://{}", percent_encode(path.as_os_str().as_bytes(), NOT_IN_A_PATH))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn understands_urls_and_paths() {
        let here = std::env::current_dir().unwrap();
        let cases = [
            ("memory://", Location::Memory),
            ("file:///srv/nebula", Location::Folder("/srv/nebula".into())),
            ("file:///srv/my%20store", Location::Folder("/srv/my store".into())),
            ("/srv/my%20store", Location::Folder("/srv/my%20store".into())),
            (".nebula/store", Location::Folder(here.join(".nebula/store"))),
            ("./store", Location::Folder(here.join("store"))),
        ];
        for (text, location) in cases {
            assert_eq!(text.parse::<StoreUrl>().unwrap(), StoreUrl(location), "{text}");
        }
    }

    #[test]
    fn refuses_what_this_build_cannot_open_and_says_what_it_can() {
        let cases = [
            ("", "invalid store \"\": expected a path, file:///absolute/path, memory://, s3://"),
            ("ftp://host", "unknown kind of URL; expected a path"),
            ("S3://bucket", "unknown kind of URL; expected a path"),
            ("memory://a", "a store in memory has no path"),
            ("file://relative/path", "the path is not absolute"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[cfg(feature = "cloud")]
    #[test]
    fn understands_the_urls_of_shared_stores_and_prints_them() {
        let cases = [
            ("s3://bucket", Service::S3, "bucket", ""),
            ("s3://bucket/", Service::S3, "bucket", ""),
            ("s3://my.bucket-1/a/b_c", Service::S3, "my.bucket-1", "a/b_c"),
            ("gs://bucket/a/", Service::Gcs, "bucket", "a"),
            ("az://container/a", Service::Azure, "container", "a"),
        ];
        for (text, service, name, prefix) in cases {
            let url = text.parse::<StoreUrl>().unwrap();
            let expected = Bucket { service, name: name.to_owned(), prefix: prefix.to_owned() };
            assert_eq!(url, StoreUrl(Location::Shared(expected)), "{text}");
            assert_eq!(url.to_string(), text.trim_end_matches('/'));
        }
    }

    #[cfg(feature = "cloud")]
    #[test]
    fn refuses_urls_of_shared_stores_that_name_no_place() {
        let cases = [
            ("s3://", "it names no bucket; expected s3://BUCKET or s3://BUCKET/PREFIX"),
            ("s3:///prefix", "it names no bucket"),
            ("gs://", "expected gs://BUCKET or"),
            ("s3://key:secret@bucket/a", "\"key:secret@bucket\" is no name of a bucket"),
            ("s3://127.0.0.1:9000/bucket", "the address of the service are environment variables"),
            ("s3://bucket/a//b", "the prefix \"a//b\" is no path of names"),
            ("s3://bucket/a/../b", "the prefix"),
            ("s3://bucket/a?region=eu", "the prefix"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_service_that_is_not_in_this_build_is_named_with_its_feature() {
        let error = "s3://bucket".parse::<StoreUrl>().unwrap_err().to_string();
        assert!(error.contains("has no S3 backend; build it with the feature s3"), "{error}");
    }

    proptest! {
        #[test]
        fn prints_what_parses_to_the_same_folder(path in "/[^\0]{0,40}") {
            let url = StoreUrl::folder(Path::new(&path)).unwrap();
            prop_assert_eq!(url.to_string().parse::<StoreUrl>().unwrap(), url);
        }
    }
}
