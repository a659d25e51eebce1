//! What is published under one name.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    alias::{Alias, AliasMove},
    origin::Origin,
    stamp::Stamp,
};
use crate::function::{AliasName, AliasTarget, Digest, Timestamp, VersionRef};

/// What is published under one name: versions by their numbers, and aliases for some of them.
///
/// - Numbers start at 1. A number is never used twice, also after its version was removed. The highest is the latest.
/// - Every alias points to versions that exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionRecord {
    next: u64,
    pub(super) versions: BTreeMap<u64, VersionEntry>,
    aliases: BTreeMap<AliasName, Alias>,
    pub(super) removed: BTreeMap<u64, RemovedVersion>,
}

/// Which blobs a version is made of, and who published it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct VersionEntry {
    /// Its OCI image manifest, which names everything else.
    pub manifest: Digest,
    /// Its module, so that a version is found by it without reading manifests.
    pub module: Digest,
    /// When it was published. `None` for a version from a record of format 1, which did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// Who published it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_by: Option<String>,
    /// The registry that it was pulled from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The blobs of its signatures, in the order in which they were added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Digest>,
}

#[cfg(feature = "compiler")]
impl VersionEntry {
    /// The blobs of the version that name no other blobs.
    pub(super) fn leaves(&self) -> impl Iterator<Item = Digest> {
        std::iter::once(self.module).chain(self.signatures.iter().copied())
    }
}

/// A version that was removed. Its blobs stay in the store until garbage is collected after the retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RemovedVersion {
    /// The version as it was published.
    pub version: VersionEntry,
    /// When it was removed.
    pub at: Timestamp,
    /// Who removed it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What a publish did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) number: u64,
    pub(super) changed: bool,
}

/// Why a record contradicts itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidRecord {
    #[error("version number {0} is not between 1 and {MAX_NUMBER}")]
    Number(u64),
    #[error("the next version is {next}, and version {number} exists")]
    Next { next: u64, number: u64 },
    #[error("version {0} was removed, and exists or is still to come")]
    Removed(u64),
    #[error("alias {alias} points to version {number}, which does not exist")]
    Alias { alias: AliasName, number: u64 },
}

/// The highest integer that every reader of JSON takes for what it is (RFC 8259, section 6).
pub(super) const MAX_NUMBER: u64 = (1 << 53) - 1;

impl Default for FunctionRecord {
    fn default() -> Self {
        Self { next: 1, versions: BTreeMap::new(), aliases: BTreeMap::new(), removed: BTreeMap::new() }
    }
}

impl VersionEntry {
    /// A version of which nothing else is known.
    pub(super) fn new(manifest: Digest, module: Digest) -> Self {
        Self { manifest, module, published_at: None, published_by: None, origin: None, signatures: Vec::new() }
    }
}

impl FunctionRecord {
    /// A record of these parts. Without `next`, the next version follows the highest one.
    pub(super) fn of(
        next: Option<u64>,
        versions: BTreeMap<u64, VersionEntry>,
        aliases: BTreeMap<AliasName, Alias>,
        removed: BTreeMap<u64, RemovedVersion>,
    ) -> Result<Self, InvalidRecord> {
        if let Some(&number) = versions.keys().find(|number| !(1..=MAX_NUMBER).contains(*number)) {
            return Err(InvalidRecord::Number(number));
        }
        let highest = versions.last_key_value().map_or(0, |(&number, _)| number);
        let record = Self { next: next.unwrap_or(highest + 1), versions, aliases, removed };
        match record.next {
            next if next <= highest => Err(InvalidRecord::Next { next, number: highest }),
            next if next > MAX_NUMBER + 1 => Err(InvalidRecord::Number(next)),
            _ => Ok(()),
        }?;
        let is_past = |number: &u64| (1..record.next).contains(number) && !record.versions.contains_key(number);
        if let Some(&number) = record.removed.keys().find(|number| !is_past(number)) {
            return Err(InvalidRecord::Removed(number));
        }
        let mut missing =
            record.aliases().filter_map(|(name, alias)| Some((name, record.missing(alias.target.as_ref()?)?)));
        match missing.next() {
            Some((alias, number)) => Err(InvalidRecord::Alias { alias: alias.clone(), number }),
            None => Ok(()),
        }?;
        drop(missing);
        Ok(record)
    }

    /// A record without versions, whose first one comes after all numbers up to `used`.
    pub(super) fn after(used: u64) -> Self {
        Self { next: used + 1, ..Self::default() }
    }

    /// The version with the highest number.
    pub fn latest(&self) -> Option<(u64, &VersionEntry)> {
        self.versions().next_back()
    }

    /// All versions, by their numbers.
    pub fn versions(&self) -> impl DoubleEndedIterator<Item = (u64, &VersionEntry)> {
        self.versions.iter().map(|(&number, entry)| (number, entry))
    }

    /// The versions that were removed, by their numbers.
    pub fn removed(&self) -> impl Iterator<Item = (u64, &RemovedVersion)> {
        self.removed.iter().map(|(&number, removed)| (number, removed))
    }

    /// The number that the next new version gets.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The aliases in alphabetical order, also those that were removed.
    pub fn aliases(&self) -> impl Iterator<Item = (&AliasName, &Alias)> {
        self.aliases.iter()
    }

    /// What an alias points to, if there is such an alias.
    pub fn target(&self, alias: &AliasName) -> Option<&AliasTarget> {
        self.aliases.get(alias)?.target.as_ref()
    }

    /// What the aliases point to.
    pub fn targets(&self) -> BTreeMap<AliasName, AliasTarget> {
        self.aliases().filter_map(|(name, alias)| Some((name.clone(), alias.target.clone()?))).collect()
    }

    /// The version that a reference means. A digest means the newest version of that module. `choose` decides for an
    /// alias: [`AliasTarget::heaviest`] where nothing is called.
    pub fn resolve(
        &self,
        version: &VersionRef,
        choose: impl FnOnce(&AliasTarget) -> u64,
    ) -> Option<(u64, &VersionEntry)> {
        match version {
            VersionRef::Latest => self.latest(),
            VersionRef::Number(number) => self.version(number.get()),
            VersionRef::Alias(alias) => self.version(choose(self.target(alias)?)),
            VersionRef::Digest(module) => self.versions().rev().find(|(_, entry)| entry.module == *module),
        }
    }

    /// The aliases that point to a version, to it alone or to it among others, in alphabetical order.
    pub fn aliases_of(&self, number: u64) -> Vec<AliasName> {
        let points = |alias: &Alias| alias.target.iter().flat_map(AliasTarget::weights).any(|(to, _)| to == number);
        self.aliases().filter(|(_, alias)| points(alias)).map(|(name, _)| name.clone()).collect()
    }

    /// The version of this number.
    pub fn version(&self, number: u64) -> Option<(u64, &VersionEntry)> {
        self.versions.get(&number).map(|entry| (number, entry))
    }

    /// The record for a package: these versions, and the aliases as far as they point to them. When and by whom
    /// something was done is left out, so that the same versions always make the same package, and so are origins and
    /// signatures: a package is trusted as a whole.
    pub(super) fn only(self, versions: &BTreeSet<u64>) -> Self {
        let unsigned = |entry: VersionEntry| VersionEntry::new(entry.manifest, entry.module);
        let kept = self.versions.into_iter().filter(|(number, _)| versions.contains(number));
        let kept: BTreeMap<_, _> = kept.map(|(number, entry)| (number, unsigned(entry))).collect();
        let aliases = self.aliases.into_iter().filter_map(|(name, alias)| {
            let target = alias.target?.only(versions)?;
            Some((name, Alias { target: Some(target), ..Alias::default() }))
        });
        let next = kept.last_key_value().map_or(0, |(&number, _)| number) + 1;
        Self { next, aliases: aliases.collect(), versions: kept, removed: BTreeMap::new() }
    }

    /// Makes these blobs the latest version, if they are not yet, and points `alias` to it.
    pub(super) fn publish(
        &mut self,
        manifest: Digest,
        module: Digest,
        alias: Option<&AliasName>,
        origin: Option<&Origin>,
        stamp: &Stamp,
    ) -> Publication {
        let latest = self.latest().filter(|(_, latest)| (latest.manifest, latest.module) == (manifest, module));
        let latest = latest.map(|(number, _)| number);
        let number = latest.unwrap_or_else(|| self.add(manifest, module, origin, stamp));
        let moved = alias.is_some_and(|alias| {
            self.aliases.entry(alias.clone()).or_default().set(Some(AliasTarget::version(number)), stamp)
        });
        Publication { number, changed: latest.is_none() || moved }
    }

    fn add(&mut self, manifest: Digest, module: Digest, origin: Option<&Origin>, stamp: &Stamp) -> u64 {
        let number = self.next;
        let Stamp { at, by } = stamp.clone();
        let published =
            VersionEntry { published_at: Some(at), published_by: by, ..VersionEntry::new(manifest, module) };
        self.versions.insert(number, VersionEntry { origin: origin.cloned(), ..published });
        self.next += 1;
        number
    }

    /// Notes a signature of the version with this number and manifest, and returns whether it is new. `None` where there is
    /// no such version.
    #[cfg(feature = "compiler")]
    pub(super) fn add_signature(&mut self, number: u64, manifest: Digest, signature: Digest) -> Option<bool> {
        let entry = self.versions.get_mut(&number).filter(|entry| entry.manifest == manifest)?;
        let is_new = !entry.signatures.contains(&signature);
        if is_new {
            entry.signatures.push(signature);
        }
        Some(is_new)
    }

    /// Points an alias to `target`, whose versions exist, or removes it.
    pub(super) fn set_alias(&mut self, alias: &AliasName, target: Option<&AliasTarget>, stamp: &Stamp) -> AliasMove {
        let from = self.target(alias).cloned();
        if target.is_some() || from.is_some() {
            self.aliases.entry(alias.clone()).or_default().set(target.cloned(), stamp);
        }
        AliasMove { alias: alias.clone(), from, to: target.cloned() }
    }

    /// What a rollback of an alias goes back to, if there is an earlier target.
    #[cfg(feature = "compiler")]
    pub(crate) fn earlier_target(&self, alias: &AliasName) -> Option<AliasTarget> {
        let rolled_back = self.clone().roll_back(alias, &Stamp::new(Timestamp::from_unix(0), None))?;
        rolled_back.to.filter(|to| rolled_back.from.as_ref() != Some(to))
    }

    /// Takes back the last move of an alias, also its removal. `None` where there never was such an alias.
    pub(super) fn roll_back(&mut self, alias: &AliasName, stamp: &Stamp) -> Option<AliasMove> {
        let (rolled, versions) = (self.aliases.get_mut(alias)?, &self.versions);
        let from = rolled.target.clone();
        let exists = |target: &AliasTarget| target.weights().all(|(number, _)| versions.contains_key(&number));
        rolled.roll_back(exists, stamp);
        Some(AliasMove { alias: alias.clone(), from, to: rolled.target.clone() })
    }

    /// A version of `target` that does not exist, if there is one.
    pub(super) fn missing(&self, target: &AliasTarget) -> Option<u64> {
        target.weights().map(|(number, _)| number).find(|number| !self.versions.contains_key(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::alias::AliasChange;

    /// What is done at the second `at` is done by ada.
    fn stamp(at: u64) -> Stamp {
        Stamp::new(Timestamp::from_unix(at), Some("ada"))
    }

    fn entry(seed: &str, at: u64) -> VersionEntry {
        let (manifest, module) = digests(seed);
        let Stamp { at, by } = stamp(at);
        VersionEntry { published_at: Some(at), published_by: by, ..VersionEntry::new(manifest, module) }
    }

    fn digests(seed: &str) -> (Digest, Digest) {
        (Digest::of(format!("manifest {seed}").as_bytes()), Digest::of(seed.as_bytes()))
    }

    fn publish(record: &mut FunctionRecord, seed: &str, alias: Option<&AliasName>, at: u64) -> (u64, bool) {
        let (manifest, module) = digests(seed);
        let Publication { number, changed } = record.publish(manifest, module, alias, None, &stamp(at));
        (number, changed)
    }

    /// A record of versions that were published in these seconds, from 1 on.
    fn record_of(seeds: &[&str]) -> FunctionRecord {
        let mut record = FunctionRecord::default();
        for (seed, at) in seeds.iter().zip(1..) {
            publish(&mut record, seed, None, at);
        }
        record
    }

    fn record_with(next: u64, versions: BTreeMap<u64, VersionEntry>) -> FunctionRecord {
        FunctionRecord::of(Some(next), versions, BTreeMap::new(), BTreeMap::new()).unwrap()
    }

    #[test]
    fn versions_are_found_by_number_alias_and_module() {
        let mut record = record_of(&["a", "b", "a"]);
        let (prod, canary): (AliasName, AliasName) = ("prod".parse().unwrap(), "canary".parse().unwrap());
        record.set_alias(&prod, Some(&AliasTarget::version(1)), &stamp(4));
        record.set_alias(&canary, Some(&AliasTarget::weighted([(1, 1), (2, 5)]).unwrap()), &stamp(4));
        let cases = [
            ("latest".to_owned(), Some((3, entry("a", 3)))),
            ("1".to_owned(), Some((1, entry("a", 1)))),
            ("prod".to_owned(), Some((1, entry("a", 1)))),
            ("canary".to_owned(), Some((2, entry("b", 2)))),
            (digests("a").1.to_string(), Some((3, entry("a", 3)))),
            (digests("b").1.to_string(), Some((2, entry("b", 2)))),
            ("4".to_owned(), None),
            ("beta".to_owned(), None),
            (digests("c").1.to_string(), None),
        ];
        for (version, expected) in cases {
            let found = record.resolve(&version.parse().unwrap(), AliasTarget::heaviest);
            assert_eq!(found, expected.as_ref().map(|(number, entry)| (*number, entry)), "{version}");
        }
        assert_eq!(record.aliases_of(1), [canary, prod]);
        assert_eq!(FunctionRecord::default().resolve(&VersionRef::Latest, AliasTarget::heaviest), None);
    }

    #[test]
    fn publishing_what_is_latest_changes_nothing_and_what_was_before_is_a_new_version() {
        let mut record = record_of(&["a"]);
        assert_eq!(publish(&mut record, "a", None, 9), (1, false));
        assert_eq!(record, record_of(&["a"]));
        assert_eq!(publish(&mut record, "b", None, 2), (2, true));
        assert_eq!(publish(&mut record, "a", None, 3), (3, true));
        assert_eq!(record, record_of(&["a", "b", "a"]));
    }

    #[test]
    fn a_number_is_not_used_again_after_its_version_was_removed() {
        let version = |number, seed: &str| (number, entry(seed, number));
        let mut record = record_with(4, [version(1, "a")].into());
        assert_eq!(publish(&mut record, "b", None, 4), (4, true));
        assert_eq!(record, record_with(5, [version(1, "a"), version(4, "b")].into()));
        let mut empty = FunctionRecord::after(7);
        assert_eq!(publish(&mut empty, "a", None, 1), (8, true));
    }

    #[test]
    fn every_move_of_an_alias_is_in_its_history_and_no_move_changes_nothing() {
        let prod: AliasName = "prod".parse().unwrap();
        let mut record = record_of(&["a"]);
        let weighted = AliasTarget::weighted([(1, 95), (2, 5)]).unwrap();
        assert_eq!(publish(&mut record, "a", Some(&prod), 2), (1, true));
        assert_eq!(publish(&mut record, "a", Some(&prod), 3), (1, false));
        assert_eq!(publish(&mut record, "b", None, 4), (2, true));
        for (target, at, changed) in
            [(Some(&weighted), 5, true), (Some(&weighted), 6, false), (None, 7, true), (None, 8, false)]
        {
            assert_eq!(record.set_alias(&prod, target, &stamp(at)).changed(), changed, "{at}");
        }
        assert!(!record.set_alias(&"beta".parse().unwrap(), None, &stamp(9)).changed());

        let (one, by) = (AliasTarget::version(1), Some("ada".to_owned()));
        let change = |at, from: Option<&AliasTarget>, to: Option<&AliasTarget>| AliasChange {
            at: Timestamp::from_unix(at),
            by: by.clone(),
            from: from.cloned(),
            to: to.cloned(),
        };
        let history =
            vec![change(2, None, Some(&one)), change(5, Some(&one), Some(&weighted)), change(7, Some(&weighted), None)];
        let expected = Alias { target: None, past: vec![one, weighted], history };
        assert_eq!(record.aliases().collect::<Vec<_>>(), [(&prod, &expected)]);
        assert_eq!((record.aliases_of(1), record.target(&prod)), (vec![], None));
    }

    #[test]
    fn each_rollback_takes_back_one_move_and_the_last_one_changes_nothing() {
        let prod: AliasName = "prod".parse().unwrap();
        let mut record = record_of(&["a", "b", "c"]);
        assert_eq!(record.roll_back(&prod, &stamp(4)), None);
        let targets = [Some(1), Some(2), None, Some(2), Some(3)].map(|number| number.map(AliasTarget::version));
        for target in &targets {
            record.set_alias(&prod, target.as_ref(), &stamp(4));
        }
        let mut rolled = Vec::new();
        for at in 5..9 {
            let moved = record.roll_back(&prod, &stamp(at)).unwrap();
            rolled.push((moved.to.map(|to| to.heaviest()), moved.from != record.target(&prod).cloned()));
        }
        assert_eq!(rolled, [(Some(2), true), (Some(1), true), (Some(1), false), (Some(1), false)]);
        let (_, alias) = record.aliases().next().unwrap();
        assert_eq!((alias.history.len(), alias.past.len()), (targets.len() + 2, 0));
    }

    #[test]
    fn a_rollback_skips_versions_that_were_removed_and_brings_a_removed_alias_back() {
        let prod: AliasName = "prod".parse().unwrap();
        let mut record = record_of(&["a", "b", "c"]);
        for number in 1..=3 {
            record.set_alias(&prod, Some(&AliasTarget::version(number)), &stamp(4));
        }
        record.remove(Some(2), Default::default(), &stamp(5)).unwrap();
        assert_eq!(record.roll_back(&prod, &stamp(6)).unwrap().to, Some(AliasTarget::version(1)));
        record.set_alias(&prod, None, &stamp(7));
        assert_eq!(record.roll_back(&prod, &stamp(8)).unwrap().to, Some(AliasTarget::version(1)));
    }
}
