//! Which versions are signed by which keys, for people and programs.

use std::collections::BTreeSet;

use nebula_runtime::{Digest, FunctionName, RegistryError, RegistryErrorKind, Store, Trust};
use serde::Serialize;

use crate::failure::Failure;

/// What the signatures of a version come to.
#[derive(Debug, Serialize)]
pub(crate) struct VersionSignatures {
    name: FunctionName,
    version: u64,
    manifest: Digest,
    /// The names of the keys that have signed it.
    signed_by: BTreeSet<String>,
    /// Why each signature does not count that does not.
    refused: Vec<String>,
}

/// The heading of the lines.
pub(crate) const HEADER: [&str; 3] = ["FUNCTION", "VERSION", "SIGNED BY"];

impl VersionSignatures {
    /// Checks the signatures of all versions of these functions, the newest first.
    pub(crate) async fn check(store: &Store, trust: &Trust, functions: &[FunctionName]) -> Result<Vec<Self>, Failure> {
        let mut checked = Vec::new();
        for name in functions {
            let missing = || RegistryError::new(RegistryErrorKind::NotFound, format!("there is no function {name}"));
            let record = store.record(name).await?.ok_or_else(missing)?;
            for (number, entry) in record.versions().rev() {
                let verdict = trust.verdict(store, name, number, entry).await?;
                checked.push(Self {
                    name: name.clone(),
                    version: number,
                    manifest: entry.manifest,
                    signed_by: verdict.signed_by().map(str::to_owned).collect(),
                    refused: verdict.refusals().map(ToString::to_string).collect(),
                });
            }
        }
        Ok(checked)
    }

    /// Whether one of the keys has signed it.
    pub(crate) fn is_signed(&self) -> bool {
        !self.signed_by.is_empty()
    }

    /// Its lines: the keys, or why there are none.
    pub(crate) fn rows(&self) -> Vec<[String; 3]> {
        let keys: Vec<_> = self.signed_by.iter().map(String::as_str).collect();
        let by = match (keys.as_slice(), self.refused.as_slice()) {
            ([], []) => vec!["nobody: it has no signature".to_owned()],
            ([], refused) => refused.iter().map(|why| format!("nobody: {why}")).collect(),
            (keys, _) => vec![keys.join(", ")],
        };
        let name =
            |index| if index == 0 { (self.name.to_string(), self.version.to_string()) } else { Default::default() };
        by.into_iter()
            .enumerate()
            .map(|(index, by)| (name(index), by))
            .map(|((name, version), by)| [name, version, by])
            .collect()
    }
}
