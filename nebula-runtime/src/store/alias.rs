//! Aliases: names for versions that can be moved, and what they pointed to before.

use serde::{Deserialize, Serialize};

use super::stamp::Stamp;
use crate::function::{AliasName, AliasTarget, Timestamp};

/// How many of its last moves an alias remembers, and how many targets a rollback can go back to. Each process that uses
/// the function reads its record, so a record must not grow with each release for ever.
pub(super) const REMEMBERED: usize = 100;

/// An alias of a function: what it points to, and what it pointed to before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Alias {
    /// What it points to. `None` after the alias was removed: its history stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<AliasTarget>,
    /// The targets that rollbacks go back to, the next one last: at most the last 100. Their versions may be removed by
    /// now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<AliasTarget>,
    /// The last 100 changes, the oldest first. A record of format 1 kept none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<AliasChange>,
}

/// A change of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AliasChange {
    /// When it was changed.
    pub at: Timestamp,
    /// Who changed it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What it pointed to before. `None` where there was no such alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<AliasTarget>,
    /// What it points to since. `None` where the alias was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<AliasTarget>,
}

/// What a change did to an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AliasMove {
    /// The alias.
    pub alias: AliasName,
    /// What it pointed to before. `None` where there was no such alias.
    pub from: Option<AliasTarget>,
    /// What it points to now. `None` where there is no such alias any more.
    pub to: Option<AliasTarget>,
}

impl AliasMove {
    /// Whether the alias points to something else than before.
    pub fn changed(&self) -> bool {
        self.from != self.to
    }
}

impl Alias {
    /// An alias that a record of format 1 has: of its history nothing is known.
    pub(super) fn without_history(version: u64) -> Self {
        Self { target: Some(AliasTarget::version(version)), ..Self::default() }
    }

    /// Points it to `to`, or removes it, and notes that in its history. Returns whether that changes anything.
    pub(super) fn set(&mut self, to: Option<AliasTarget>, stamp: &Stamp) -> bool {
        if self.target == to {
            return false;
        }
        self.past.extend(self.target.clone());
        keep_last(&mut self.past);
        self.point(to, stamp);
        true
    }

    /// Takes back the last move: points it to what it pointed to before, and forgets that target. Targets that cannot
    /// be gone back to, because one of their versions does not exist any more, are skipped. Nothing changes where there
    /// is no earlier target.
    pub(super) fn roll_back(&mut self, exists: impl Fn(&AliasTarget) -> bool, stamp: &Stamp) {
        let is_earlier = |target: &AliasTarget| exists(target) && self.target.as_ref() != Some(target);
        if let Some(last) = self.past.iter().rposition(is_earlier) {
            let to = self.past.drain(last..).next();
            self.point(to, stamp);
        }
    }

    fn point(&mut self, to: Option<AliasTarget>, stamp: &Stamp) {
        let from = std::mem::replace(&mut self.target, to.clone());
        self.history.push(AliasChange { at: stamp.at, by: stamp.by.clone(), from, to });
        keep_last(&mut self.history);
    }
}

fn keep_last<T>(entries: &mut Vec<T>) {
    entries.drain(..entries.len().saturating_sub(REMEMBERED));
}
