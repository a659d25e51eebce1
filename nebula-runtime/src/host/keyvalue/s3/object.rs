//! The object of a key.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use object_store::{Attribute, Attributes, path::Path};

use crate::{function::Digest, host::keyvalue::names};

/// The object of a key.
pub(super) struct Object {
    pub(super) path: Path,
    pub(super) attributes: Attributes,
}

/// The metadata that has the key of an object whose name is cut. Names of metadata have letters and digits only.
const KEY: Attribute = Attribute::Metadata(Cow::Borrowed("nebulakey"));

/// The longest name that is not cut. S3 allows 1,024 bytes with the prefix.
const LONGEST: usize = 800;

/// How much is kept of a name that is cut.
const KEPT: usize = 700;

/// What stands in a name after it was cut. It is in no other name.
const CUT: &str = "=.";

impl Object {
    pub(super) fn of(key: &str) -> Self {
        let name = names::name(key);
        if name.len() <= LONGEST {
            return Self { path: Path::from(format!("{name}=")), attributes: Attributes::new() };
        }
        let (beginning, digest) = (kept(&name), Digest::of(key.as_bytes()).hex());
        let attributes = Attributes::from_iter([(KEY, BASE64_URL_SAFE_NO_PAD.encode(key))]);
        Self { path: Path::from(format!("{beginning}{CUT}{digest}=")), attributes }
    }
}

/// What the names of the objects of all keys with a prefix begin with.
pub(super) fn beginning(prefix: &str) -> String {
    kept(&names::name(prefix)).to_owned()
}

/// What a listed object says about its key.
pub(super) enum Listed {
    Key(String),
    /// The key is in the metadata.
    Cut,
    /// The object is not one of a key.
    Other,
}

pub(super) fn listed(path: &Path) -> Listed {
    match path.as_ref().strip_suffix('=') {
        Some(name) if name.contains(CUT) => Listed::Cut,
        Some(name) => names::key(name).map_or(Listed::Other, Listed::Key),
        None => Listed::Other,
    }
}

/// The key in the metadata of an object whose name is cut.
pub(super) fn key_of(attributes: &Attributes) -> Option<String> {
    let key = BASE64_URL_SAFE_NO_PAD.decode(attributes.get(&KEY)?.as_bytes()).ok()?;
    String::from_utf8(key).ok()
}

fn kept(name: &str) -> &str {
    name.get(..KEPT).unwrap_or(name)
}
