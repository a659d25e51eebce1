//! What happened to a function.

use serde::{Deserialize, Serialize};

use super::lookup::Registry;
use crate::{
    function::{AliasName, AliasTarget, FunctionName, RegistryError, Timestamp},
    store::{FunctionRecord, VersionEntry},
};

/// One change of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// When it was made. `None` for a version from a record of format 1, which did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who made it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What was changed.
    #[serde(flatten)]
    pub change: HistoryChange,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[non_exhaustive]
pub enum HistoryChange {
    /// A version was published.
    Published {
        /// Its number.
        version: u64,
    },
    /// An alias was made, moved or removed.
    Alias {
        /// The alias.
        alias: AliasName,
        /// What it pointed to before. `None` where there was no such alias.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<AliasTarget>,
        /// What it points to since. `None` where it was removed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<AliasTarget>,
    },
    /// A version was removed.
    Removed {
        /// Its number.
        version: u64,
    },
}

impl Registry {
    /// All changes of a function, the newest first. Also of one whose versions are all removed.
    pub(crate) async fn history(&self, name: &FunctionName) -> Result<Vec<HistoryEntry>, RegistryError> {
        let mut entries = entries(&self.record(name).await?);
        // Changes of the same second stay in this order: versions are published, then aliases point to them.
        entries.sort_by_key(|entry| entry.at);
        entries.reverse();
        Ok(entries)
    }
}

fn entries(record: &FunctionRecord) -> Vec<HistoryEntry> {
    let published = |number, entry: &VersionEntry| HistoryEntry {
        at: entry.published_at,
        by: entry.published_by.clone(),
        change: HistoryChange::Published { version: number },
    };
    let gone = record.removed().map(|(number, removed)| (number, &removed.version));
    let mut versions: Vec<_> = record.versions().chain(gone).collect();
    versions.sort_by_key(|(number, _)| *number);
    let versions = versions.into_iter().map(|(number, entry)| published(number, entry));
    let moves = record.aliases().flat_map(|(alias, known)| {
        known.history.iter().map(|moved| HistoryEntry {
            at: Some(moved.at),
            by: moved.by.clone(),
            change: HistoryChange::Alias { alias: alias.clone(), from: moved.from.clone(), to: moved.to.clone() },
        })
    });
    let removals = record.removed().map(|(number, removed)| HistoryEntry {
        at: Some(removed.at),
        by: removed.by.clone(),
        change: HistoryChange::Removed { version: number },
    });
    versions.chain(moves).chain(removals).collect()
}
