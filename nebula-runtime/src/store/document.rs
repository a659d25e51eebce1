//! Records as they are written.
//!
//! ```text
//! {"format":2,"next":4,
//!  "versions":{"3":{"manifest":"sha256:…","module":"sha256:…","published_at":"2026-01-31T12:00:00Z","published_by":"ada@laptop","signatures":["sha256:…"]}},
//!  "aliases":{"prod":{"target":{"weights":{"2":95,"3":5},"sticky":"x-user"},"past":[…],"history":[{"at":"…","by":"…","from":…,"to":…}]}},
//!  "removed":{"1":{"version":{"manifest":"sha256:…","module":"sha256:…"},"at":"…","by":"…"}}}
//! ```
//!
//! Format 1 had neither `next` nor times nor names, and an alias was the number of its version. A record of format 1 is
//! read, and written in the new format when its function is next published.

use std::collections::BTreeMap;

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize, de::Error as _};

use super::{
    alias::Alias,
    backend::Backend,
    error::StoreError,
    format,
    record::{FunctionRecord, RemovedVersion, VersionEntry},
};
use crate::function::AliasName;

/// The format of records that this build writes, and the newest that it reads.
pub(super) const FORMAT: u64 = 2;

/// The format that a record names, whatever else is in it. The oldest records name none, and have format 1.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    format: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Format1 {
    #[serde(default, rename = "format")]
    _format: u64,
    versions: BTreeMap<u64, VersionEntry>,
    aliases: BTreeMap<AliasName, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Format2 {
    #[serde(rename = "format")]
    _format: u64,
    next: u64,
    versions: BTreeMap<u64, VersionEntry>,
    aliases: BTreeMap<AliasName, Alias>,
    #[serde(default)]
    removed: BTreeMap<u64, RemovedVersion>,
}

/// The current format, with borrowed parts.
#[derive(Serialize)]
struct Written<'a> {
    format: u64,
    next: u64,
    versions: BTreeMap<u64, &'a VersionEntry>,
    aliases: BTreeMap<&'a AliasName, &'a Alias>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    removed: BTreeMap<u64, &'a RemovedVersion>,
}

/// Reads a record of any format up to [`FORMAT`].
pub(super) fn read(backend: &Backend, path: &Path, bytes: &[u8]) -> Result<FunctionRecord, StoreError> {
    let Named { format } = backend.decode(path, bytes)?;
    format::refuse_newer(backend, path, format, FORMAT)?;
    let record = if format < 2 { read_1(bytes) } else { read_2(bytes) };
    record.map_err(|source| backend.malformed(path, source))
}

fn read_1(bytes: &[u8]) -> Result<FunctionRecord, serde_json::Error> {
    let Format1 { versions, aliases, .. } = serde_json::from_slice(bytes)?;
    let aliases = aliases.into_iter().map(|(name, version)| (name, Alias::without_history(version)));
    FunctionRecord::of(None, versions, aliases.collect(), BTreeMap::new()).map_err(serde_json::Error::custom)
}

fn read_2(bytes: &[u8]) -> Result<FunctionRecord, serde_json::Error> {
    let Format2 { next, versions, aliases, removed, .. } = serde_json::from_slice(bytes)?;
    FunctionRecord::of(Some(next), versions, aliases, removed).map_err(serde_json::Error::custom)
}

/// Writes a record.
pub(super) fn write(backend: &Backend, path: &Path, record: &FunctionRecord) -> Result<Bytes, StoreError> {
    let (versions, aliases) = (record.versions().collect(), record.aliases().collect());
    let (next, removed) = (record.next_number(), record.removed().collect());
    let written = Written { format: FORMAT, next, versions, aliases, removed };
    serde_json::to_vec(&written).map(Bytes::from).map_err(|source| backend.malformed(path, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Digest;

    const MANIFEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn read(text: &str) -> Result<FunctionRecord, StoreError> {
        super::read(&Backend::memory(), &Path::from("functions/f.json"), text.as_bytes())
    }

    fn written(record: &FunctionRecord) -> String {
        let bytes = write(&Backend::memory(), &Path::from("functions/f.json"), record).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// A text with each `VERSION` replaced by the digests of one.
    fn filled(text: &str) -> String {
        text.replace("VERSION", &format!(r#""manifest":"{MANIFEST}","module":"{}""#, Digest::of(b"a")))
    }

    #[test]
    fn is_written_as_it_was_read() {
        let text = concat!(
            r#"{"format":2,"next":9,"versions":{"#,
            r#""1":{VERSION},"#,
            r#""3":{VERSION,"published_at":"2026-01-31T12:00:00Z","published_by":"ada@laptop"}},"aliases":{"#,
            r#""old":{"history":[{"at":"2026-01-31T12:00:00Z","from":{"weights":{"2":1}}}]},"#,
            r#""prod":{"target":{"weights":{"1":95,"3":5},"sticky":"x-user"},"past":[{"weights":{"1":1}}],"#,
            r#""history":[{"at":"2026-01-31T12:00:00Z","by":"ada","to":{"weights":{"1":1}}}]}},"#,
            r#""removed":{"2":{"version":{VERSION},"at":"2026-01-31T12:00:00Z","by":"ada"}}}"#,
        );
        let text = filled(text);
        assert_eq!(written(&read(&text).unwrap()), text);
    }

    #[test]
    fn a_record_of_format_1_is_written_in_the_new_format_whether_it_names_its_format_or_not() {
        let old = filled(r#""versions":{"1":{VERSION},"2":{VERSION}},"aliases":{"prod":2}}"#);
        let new = r#"{"format":2,"next":3,"versions":{"1":{VERSION},"2":{VERSION}},"aliases":{"prod":{"target":{"weights":{"2":1}}}}}"#;
        for text in [format!("{{{old}"), format!(r#"{{"format":1,{old}"#)] {
            assert_eq!(written(&read(&text).unwrap()), filled(new));
        }
    }

    #[test]
    fn refuses_what_cannot_be_a_record() {
        let cases = [
            ("", "EOF while parsing"),
            (r#"{"format":1,"versions":{"1":{VERSION}"#, "EOF while parsing"),
            (r#"{"format":1,"versions":{"0":{VERSION}},"aliases":{}}"#, "version number 0 is not between 1"),
            (r#"{"format":1,"versions":{"18446744073709551615":{VERSION}},"aliases":{}}"#, "is not between 1"),
            (r#"{"format":1,"versions":{"one":{VERSION}},"aliases":{}}"#, "expected key to be a number"),
            (r#"{"format":1,"versions":{"1":{VERSION}},"aliases":{"prod":2}}"#, "alias prod points to version 2"),
            (r#"{"format":1,"versions":{"1":{VERSION}},"aliases":{"latest":1}}"#, "invalid alias"),
            (r#"{"format":1,"versions":{"1":{VERSION}},"aliases":{},"more":1}"#, "unknown field `more`"),
            (r#"{"format":2,"versions":{},"aliases":{}}"#, "missing field `next`"),
            (
                r#"{"format":2,"next":1,"versions":{"1":{VERSION}},"aliases":{}}"#,
                "the next version is 1, and version 1 exists",
            ),
            (
                r#"{"format":2,"next":2,"versions":{"1":{VERSION}},"aliases":{},"removed":{"1":{"version":{VERSION},"at":"2026-01-31T12:00:00Z"}}}"#,
                "version 1 was removed, and exists",
            ),
            (r#"{"format":2,"next":18446744073709551615,"versions":{},"aliases":{}}"#, "is not between 1"),
            (
                r#"{"format":2,"next":2,"versions":{"1":{VERSION}},"aliases":{"prod":{"target":{"weights":{"1":1,"2":1}}}}}"#,
                "alias prod points to version 2",
            ),
            (
                r#"{"format":2,"next":2,"versions":{"1":{VERSION,"published_at":"now"}},"aliases":{}}"#,
                "invalid time \"now\"",
            ),
        ];
        for (text, expected) in cases {
            match read(&filled(text)) {
                Err(StoreError::Malformed { source, .. }) => {
                    assert!(source.to_string().contains(expected), "{text}: {source}")
                }
                read => panic!("{text}: {read:?}"),
            }
        }
    }
}
