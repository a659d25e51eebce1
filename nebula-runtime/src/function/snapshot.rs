//! Snapshots: commands that are initialised once, when they are published.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use super::digest::Digest;

/// Whether a command is initialised once, when it is published, and by which of its exports. It is written as `true`,
/// `false` or the export's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Snapshot {
    /// Each invocation initialises its own instance.
    #[default]
    Off,
    /// The export `wizer-initialize` initialises the command, or else `wizer.initialize`.
    On,
    /// This export initialises the command.
    By(String),
}

/// The image of a command that is initialised: a module of its own, which invocations start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SnapshotImage {
    /// Its digest.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
}

impl Snapshot {
    /// Whether each invocation initialises its own instance.
    pub fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

impl SnapshotImage {
    pub(crate) fn new(digest: Digest, size: u64) -> Self {
        Self { digest, size }
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On => serializer.serialize_bool(true),
            Self::By(export) => serializer.serialize_str(export),
        }
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SnapshotVisitor)
    }
}

struct SnapshotVisitor;

impl Visitor<'_> for SnapshotVisitor {
    type Value = Snapshot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or the name of an export")
    }

    fn visit_bool<E: de::Error>(self, is_on: bool) -> Result<Snapshot, E> {
        Ok(if is_on { Snapshot::On } else { Snapshot::Off })
    }

    fn visit_str<E: de::Error>(self, export: &str) -> Result<Snapshot, E> {
        Ok(Snapshot::By(export.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_a_switch_or_the_name_of_an_export() {
        let written =
            [("false", Snapshot::Off), ("true", Snapshot::On), (r#""warm""#, Snapshot::By("warm".to_owned()))];
        for (json, snapshot) in written {
            assert_eq!(serde_json::from_str::<Snapshot>(json).unwrap(), snapshot);
            assert_eq!(serde_json::to_string(&snapshot).unwrap(), json);
        }
        let refused = serde_json::from_str::<Snapshot>("1").unwrap_err().to_string();
        assert!(refused.contains("expected true, false or the name of an export"), "{refused}");
    }
}
