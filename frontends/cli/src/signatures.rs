//! Which versions are signed by which keys, for people and programs.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use nebula_runtime::{Digest, FunctionName, Store, Trust};
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

/// How many functions are checked at once.
const AT_ONCE: usize = 8;

impl VersionSignatures {
    /// Checks the signatures of all versions of these functions, the newest first.
    pub(crate) async fn check(store: &Store, trust: &Trust, functions: &[FunctionName]) -> Result<Vec<Self>, Failure> {
        let checks = stream::iter(functions).map(|name| Self::of_function(store, trust, name)).buffered(AT_ONCE);
        let checked: Vec<Vec<_>> = checks.try_collect().await?;
        Ok(checked.into_iter().flatten().collect())
    }

    /// A function that was removed since it was listed has no versions.
    async fn of_function(store: &Store, trust: &Trust, name: &FunctionName) -> Result<Vec<Self>, Failure> {
        let (record, mut checked) = (store.record(name).await?.unwrap_or_default(), Vec::new());
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
        let version = std::iter::once((self.name.to_string(), self.version.to_string()));
        let versions = version.chain(std::iter::repeat(Default::default()));
        versions.zip(by).map(|((name, version), by)| [name, version, by]).collect()
    }
}
