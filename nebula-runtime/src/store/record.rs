//! What is published under one name.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::format::FORMAT;
use crate::function::{AliasName, Digest, VersionRef};

/// What is published under one name: versions by their numbers, and aliases for some of them.
///
/// - Numbers start at 1 and are never given twice; the highest is the latest.
/// - Every alias points to a version that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct FunctionRecord {
    versions: BTreeMap<u64, VersionEntry>,
    aliases: BTreeMap<AliasName, u64>,
}

/// Which blobs a version is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionEntry {
    /// Its OCI image manifest, which names everything else.
    pub manifest: Digest,
    /// Its module, so that a version is found by it without reading manifests.
    pub module: Digest,
}

/// What a publish did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) number: u64,
    pub(super) changed: bool,
}

impl FunctionRecord {
    /// The version with the highest number.
    pub fn latest(&self) -> Option<(u64, &VersionEntry)> {
        self.versions().next_back()
    }

    /// All versions, by their numbers.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = (u64, &VersionEntry)> {
        self.versions.iter().map(|(&number, entry)| (number, entry))
    }

    /// The version that a reference means. A digest means the newest version of that module.
    pub fn resolve(&self, version: &VersionRef) -> Option<(u64, &VersionEntry)> {
        match version {
            VersionRef::Latest => self.latest(),
            VersionRef::Number(number) => self.version(number.get()),
            VersionRef::Alias(alias) => self.version(*self.aliases.get(alias)?),
            VersionRef::Digest(module) => self.versions().rev().find(|(_, entry)| entry.module == *module),
        }
    }

    /// The aliases that point to a version, in alphabetical order.
    pub fn aliases_of(&self, number: u64) -> Vec<AliasName> {
        self.aliases.iter().filter(|(_, to)| **to == number).map(|(alias, _)| alias.clone()).collect()
    }

    /// The same record with these versions alone, and the aliases that point to one of them.
    pub(super) fn only(mut self, versions: &BTreeSet<u64>) -> Self {
        self.versions.retain(|number, _| versions.contains(number));
        self.aliases.retain(|_, number| versions.contains(number));
        self
    }

    fn version(&self, number: u64) -> Option<(u64, &VersionEntry)> {
        self.versions.get(&number).map(|entry| (number, entry))
    }

    /// Makes `entry` the latest version, if it is not yet, and points `alias` to it. Numbers up to `used` were given
    /// before this record began.
    pub(super) fn publish(&mut self, entry: VersionEntry, alias: Option<&AliasName>, used: u64) -> Publication {
        let (number, added) = match self.latest() {
            Some((number, latest)) if *latest == entry => (number, false),
            latest => (latest.map_or(used, |(number, _)| number) + 1, true),
        };
        self.versions.insert(number, entry);
        let moved = alias.is_some_and(|alias| self.aliases.insert(alias.clone(), number) != Some(number));
        Publication { number, changed: added || moved }
    }
}

/// A record as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u64,
    versions: BTreeMap<u64, VersionEntry>,
    aliases: BTreeMap<AliasName, u64>,
}

#[derive(Debug, thiserror::Error)]
enum InvalidRecord {
    #[error("version number {0} is not between 1 and {MAX_NUMBER}")]
    Number(u64),
    #[error("alias {alias} points to version {number}, which is not there")]
    Alias { alias: AliasName, number: u64 },
}

/// The highest integer that every reader of JSON takes for what it is (RFC 8259, section 6).
pub(super) const MAX_NUMBER: u64 = (1 << 53) - 1;

impl TryFrom<Document> for FunctionRecord {
    type Error = InvalidRecord;

    fn try_from(Document { versions, aliases, .. }: Document) -> Result<Self, InvalidRecord> {
        if let Some(&number) = versions.keys().find(|number| !(1..=MAX_NUMBER).contains(*number)) {
            return Err(InvalidRecord::Number(number));
        }
        match aliases.iter().find(|(_, number)| !versions.contains_key(number)) {
            Some((alias, &number)) => Err(InvalidRecord::Alias { alias: alias.clone(), number }),
            None => Ok(Self { versions, aliases }),
        }
    }
}

impl From<FunctionRecord> for Document {
    fn from(FunctionRecord { versions, aliases }: FunctionRecord) -> Self {
        Self { format: FORMAT, versions, aliases }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seed: &str) -> VersionEntry {
        let manifest = Digest::of(format!("manifest {seed}").as_bytes());
        VersionEntry { manifest, module: Digest::of(seed.as_bytes()) }
    }

    fn record_of(entries: &[&str]) -> FunctionRecord {
        let mut record = FunctionRecord::default();
        for seed in entries {
            record.publish(entry(seed), None, 0);
        }
        record
    }

    #[test]
    fn is_written_as_the_design_says() {
        let mut record = record_of(&["a"]);
        record.publish(entry("b"), Some(&"prod".parse().unwrap()), 0);
        let (a, b) = (entry("a"), entry("b"));
        let expected = format!(
            r#"{{"format":1,"versions":{{"1":{{"manifest":"{}","module":"{}"}},"2":{{"manifest":"{}","module":"{}"}}}},"aliases":{{"prod":2}}}}"#,
            a.manifest, a.module, b.manifest, b.module,
        );
        assert_eq!(serde_json::to_string(&record).unwrap(), expected);
        assert_eq!(serde_json::from_str::<FunctionRecord>(&expected).unwrap(), record);
    }

    #[test]
    fn versions_are_found_by_number_alias_and_module() {
        let mut record = record_of(&["a", "b", "a"]);
        let prod: AliasName = "prod".parse().unwrap();
        record.aliases.insert(prod.clone(), 1);
        let cases = [
            ("latest".to_owned(), Some((3, entry("a")))),
            ("1".to_owned(), Some((1, entry("a")))),
            ("prod".to_owned(), Some((1, entry("a")))),
            (entry("a").module.to_string(), Some((3, entry("a")))),
            (entry("b").module.to_string(), Some((2, entry("b")))),
            ("4".to_owned(), None),
            ("beta".to_owned(), None),
            (entry("c").module.to_string(), None),
        ];
        for (version, expected) in cases {
            let found = record.resolve(&version.parse().unwrap()).map(|(number, entry)| (number, *entry));
            assert_eq!(found, expected, "{version}");
        }
        assert_eq!(record.aliases_of(1), [prod]);
        assert_eq!(FunctionRecord::default().resolve(&VersionRef::Latest), None);
    }

    #[test]
    fn publishing_what_is_latest_changes_nothing_and_what_was_before_is_a_new_version() {
        let mut record = record_of(&["a"]);
        assert_eq!(record.publish(entry("a"), None, 0), Publication { number: 1, changed: false });
        assert_eq!(record.publish(entry("b"), None, 0), Publication { number: 2, changed: true });
        assert_eq!(record.publish(entry("a"), None, 0), Publication { number: 3, changed: true });
    }

    #[test]
    fn publishing_with_an_alias_changes_something_only_if_the_alias_moves() {
        let prod: AliasName = "prod".parse().unwrap();
        let mut record = record_of(&["a"]);
        assert_eq!(record.publish(entry("a"), Some(&prod), 0), Publication { number: 1, changed: true });
        assert_eq!(record.publish(entry("a"), Some(&prod), 0), Publication { number: 1, changed: false });
    }

    #[test]
    fn refuses_what_cannot_be_a_record() {
        let version = serde_json::to_string(&entry("a")).unwrap();
        let cases = [
            (String::new(), "EOF while parsing"),
            (format!(r#"{{"format":1,"versions":{{"1":{version}"#), "EOF while parsing"),
            (
                format!(r#"{{"format":1,"versions":{{"0":{version}}},"aliases":{{}}}}"#),
                "version number 0 is not between 1",
            ),
            (
                format!(r#"{{"format":1,"versions":{{"18446744073709551615":{version}}},"aliases":{{}}}}"#),
                "is not between 1",
            ),
            (format!(r#"{{"format":1,"versions":{{"one":{version}}},"aliases":{{}}}}"#), "expected key to be a number"),
            (
                format!(r#"{{"format":1,"versions":{{"1":{version}}},"aliases":{{"prod":2}}}}"#),
                "alias prod points to version 2",
            ),
            (format!(r#"{{"format":1,"versions":{{"1":{version}}},"aliases":{{"latest":1}}}}"#), "invalid alias"),
            (format!(r#"{{"format":1,"versions":{{"1":{version}}},"aliases":{{}},"more":1}}"#), "unknown field `more`"),
        ];
        for (text, expected) in cases {
            let error = serde_json::from_str::<FunctionRecord>(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
