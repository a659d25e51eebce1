//! Removing versions from a record.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    alias::{AliasMove, REMEMBERED},
    record::{FunctionRecord, RemovedVersion},
    stamp::Stamp,
};
use crate::function::{AliasName, Timestamp};

/// How long a record keeps all of its removed versions, in seconds: 90 days, after which garbage collection by default does
/// not need them either. Of those that were removed before, it keeps the last 100 in all.
const LONG_AGO: u64 = 90 * 24 * 60 * 60;

/// What happens to the aliases that point to a version that is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfPointedTo {
    /// Nothing is removed.
    #[default]
    Refuse,
    /// Each alias points to the rest of its versions. An alias without another version is removed too.
    Release,
}

/// What a removal did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Removal {
    /// The numbers of the versions that were removed.
    pub versions: Vec<u64>,
    /// The aliases that pointed to one of them.
    pub aliases: Vec<AliasMove>,
    /// The version that is the latest now, if there is one left.
    pub latest: Option<u64>,
}

/// Why nothing was removed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unremovable {
    /// There is no such version; no version at all, where all are to be removed.
    NotThere,
    /// These aliases point to a version that is to be removed.
    PointedTo(Vec<AliasName>),
}

impl FunctionRecord {
    /// Removes one version, or all of them.
    pub(super) fn remove(
        &mut self,
        version: Option<u64>,
        if_pointed_to: IfPointedTo,
        stamp: &Stamp,
    ) -> Result<Removal, Unremovable> {
        let chosen = |number: &u64| version.is_none_or(|version| version == *number);
        let (gone, kept): (BTreeSet<_>, _) = self.versions().map(|(number, _)| number).partition(chosen);
        if gone.is_empty() {
            return Err(Unremovable::NotThere);
        }
        let pointing: BTreeSet<_> = gone.iter().flat_map(|number| self.aliases_of(*number)).collect();
        if if_pointed_to == IfPointedTo::Refuse && !pointing.is_empty() {
            return Err(Unremovable::PointedTo(pointing.into_iter().collect()));
        }
        let aliases = pointing.iter().map(|alias| self.release(alias, &kept, stamp)).collect();
        let latest = kept.last().copied();
        let (removed, left): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.versions).into_iter().partition(|(number, _)| gone.contains(number));
        self.versions = left;
        let Stamp { at, by } = stamp;
        let note = |(number, version)| (number, RemovedVersion { version, at: *at, by: by.clone() });
        self.removed.extend(removed.into_iter().map(note));
        self.forget_removed(*at);
        Ok(Removal { versions: gone.into_iter().collect(), aliases, latest })
    }

    /// Forgets versions that were removed long ago, but for the last ones: everyone who uses the function reads the
    /// record.
    fn forget_removed(&mut self, now: Timestamp) {
        let mut excess = self.removed.len().saturating_sub(REMEMBERED);
        self.removed.retain(|_, removed| {
            let is_forgotten = excess > 0 && now.as_unix().saturating_sub(removed.at.as_unix()) > LONG_AGO;
            excess -= usize::from(is_forgotten);
            !is_forgotten
        });
    }

    /// Points an alias to those of its versions that are kept.
    fn release(&mut self, alias: &AliasName, kept: &BTreeSet<u64>, stamp: &Stamp) -> AliasMove {
        let rest = self.target(alias).cloned().and_then(|target| target.only(kept));
        self.set_alias(alias, rest.as_ref(), stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::{AliasTarget, Digest};

    fn stamp(at: u64) -> Stamp {
        Stamp::new(Timestamp::from_unix(at), Some("ada"))
    }

    /// Three versions; `canary` points to the last two, and `prod` to the last one.
    fn record() -> FunctionRecord {
        let mut record = FunctionRecord::default();
        for module in ["a", "b", "c"] {
            let digest = Digest::of(module.as_bytes());
            record.publish(digest, digest, None, None, &stamp(1));
        }
        let weighted = AliasTarget::weighted([(2, 1), (3, 1)]).unwrap();
        record.set_alias(&"canary".parse().unwrap(), Some(&weighted), &stamp(2));
        record.set_alias(&"prod".parse().unwrap(), Some(&AliasTarget::version(3)), &stamp(2));
        record
    }

    fn numbers(record: &FunctionRecord) -> Vec<u64> {
        record.versions().map(|(number, _)| number).collect()
    }

    #[test]
    fn a_version_that_an_alias_points_to_is_kept_unless_the_alias_is_released() {
        let mut record = record();
        let (canary, prod): (AliasName, AliasName) = ("canary".parse().unwrap(), "prod".parse().unwrap());
        for version in [Some(3), None] {
            let refused = record.remove(version, IfPointedTo::Refuse, &stamp(3));
            assert_eq!(refused, Err(Unremovable::PointedTo(vec![canary.clone(), prod.clone()])));
        }
        assert_eq!(numbers(&record), [1, 2, 3]);
        let removal = record.remove(Some(3), IfPointedTo::Release, &stamp(3)).unwrap();
        let weighted = AliasTarget::weighted([(2, 1), (3, 1)]).unwrap();
        let moves = vec![
            AliasMove { alias: canary, from: Some(weighted), to: Some(AliasTarget::version(2)) },
            AliasMove { alias: prod, from: Some(AliasTarget::version(3)), to: None },
        ];
        assert_eq!(removal, Removal { versions: vec![3], aliases: moves, latest: Some(2) });
        assert_eq!((numbers(&record), record.next_number()), (vec![1, 2], 4));
    }

    #[test]
    fn what_is_removed_is_noted_and_cannot_be_removed_again() {
        let mut record = record();
        assert_eq!(record.remove(Some(1), IfPointedTo::Refuse, &stamp(3)).unwrap().versions, [1]);
        assert_eq!(record.remove(Some(1), IfPointedTo::Refuse, &stamp(4)), Err(Unremovable::NotThere));
        assert_eq!(record.remove(None, IfPointedTo::Release, &stamp(5)).unwrap().versions, [2, 3]);
        assert_eq!(record.remove(None, IfPointedTo::Release, &stamp(6)), Err(Unremovable::NotThere));
        let noted: Vec<_> = record.removed().map(|(number, removed)| (number, removed.at.as_unix())).collect();
        assert_eq!((noted, numbers(&record), record.latest()), (vec![(1, 3), (2, 5), (3, 5)], vec![], None));
    }
}
