//! Where a store is.

use std::{
    ffi::OsStr,
    fmt, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// Where a store is: `memory://`, `file:///absolute/path`, or just a path.
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
}

/// Why a text is not the URL or the path of a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStoreUrl {
    /// It is empty.
    #[error("invalid store \"\": expected {EXPECTED}")]
    Empty,
    /// It names a backend that this build does not have.
    #[error("invalid store {url:?}: this build of Nebula has no {service} backend; use {EXPECTED}")]
    NotInThisBuild {
        /// The text.
        url: String,
        /// The service that the URL stands for.
        service: &'static str,
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

const EXPECTED: &str = "memory://, file:///absolute/path, or a path";

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

    pub(super) fn location(&self) -> &Location {
        &self.0
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let not_in_this_build = |service| Err(InvalidStoreUrl::NotInThisBuild { url: text.to_owned(), service });
        match text.split_once("://") {
            None => Self::folder(Path::new(text)),
            Some(("memory", "")) => Ok(Self::MEMORY),
            Some(("memory", _)) => Err(InvalidStoreUrl::MemoryWithPath(text.to_owned())),
            Some(("file", path)) if path.starts_with('/') => {
                let path: Vec<u8> = percent_decode_str(path).collect();
                Self::folder(Path::new(OsStr::from_bytes(&path)))
            }
            Some(("file", _)) => Err(InvalidStoreUrl::NotAbsolute(text.to_owned())),
            Some(("s3" | "s3a", _)) => not_in_this_build("S3"),
            Some(("gs", _)) => not_in_this_build("Google Cloud Storage"),
            Some(("az" | "azure" | "abfs" | "abfss", _)) => not_in_this_build("Azure"),
            Some(_) => Err(InvalidStoreUrl::UnknownScheme(text.to_owned())),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::Memory => f.write_str("memory://"),
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
            ("", "invalid store \"\": expected memory://, file:///absolute/path, or a path"),
            ("s3://bucket/prefix", "this build of Nebula has no S3 backend; use memory://"),
            ("gs://bucket", "this build of Nebula has no Google Cloud Storage backend"),
            ("az://container", "this build of Nebula has no Azure backend"),
            ("ftp://host", "unknown kind of URL; expected memory://"),
            ("memory://a", "a store in memory has no path"),
            ("file://relative/path", "the path is not absolute"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn prints_what_parses_to_the_same_folder(path in "/[^\0]{0,40}") {
            let url = StoreUrl::folder(Path::new(&path)).unwrap();
            prop_assert_eq!(url.to_string().parse::<StoreUrl>().unwrap(), url);
        }
    }
}
