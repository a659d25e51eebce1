//! Which versions this process trusts.

use std::collections::BTreeMap;

use super::{
    Candidate,
    claim::Claim,
    key::TrustedKey,
    refusal::Refusal,
    signature::Signature,
    verdict::{Checked, Verdict},
};
use crate::{
    function::{Digest, FunctionName, RegistryError, RegistryErrorKind},
    store::{Store, StoreError, VersionEntry},
};

/// Which versions this process trusts. The default trusts every version.
///
/// - [`Trust::required`] trusts a version only if one of the keys has signed the function's name and the digest of the
///   version's manifest. Who writes to the store can then choose among signed versions of a name, and nothing else.
/// - It is checked before each use of a version that was not used before. A version that runs goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    keys: Vec<TrustedKey>,
    is_required: bool,
    lowest: BTreeMap<FunctionName, u64>,
}

/// Why versions cannot be trusted in this way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTrust {
    /// Signatures are required, and there is no key.
    #[error("signatures are required, and there is no key to check them with: no version could run")]
    NoKeys,
}

impl Trust {
    /// Trusts every version, and says by which of these keys one is signed.
    pub fn optional(keys: Vec<TrustedKey>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Trusts the versions that one of these keys has signed. `lowest` has the lowest version that is trusted, for
    /// functions whose earlier versions must not come back.
    ///
    /// # Errors
    /// There is no key.
    pub fn required(keys: Vec<TrustedKey>, lowest: BTreeMap<FunctionName, u64>) -> Result<Self, InvalidTrust> {
        if keys.is_empty() {
            return Err(InvalidTrust::NoKeys);
        }
        Ok(Self { keys, is_required: true, lowest })
    }

    /// The keys.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// Whether a version has to be signed.
    pub fn is_required(&self) -> bool {
        self.is_required
    }

    /// Checks the signatures of a version.
    ///
    /// # Errors
    /// The store is out of reach.
    pub async fn verdict(
        &self,
        store: &Store,
        name: &FunctionName,
        number: u64,
        entry: &VersionEntry,
    ) -> Result<Verdict, StoreError> {
        self.verify(store, &Candidate::of(name, number, entry)).await
    }

    /// Whether it has a key.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Refuses a version that is not trusted.
    pub(crate) async fn check(&self, store: &Store, candidate: &Candidate) -> Result<(), RegistryError> {
        if !self.is_required {
            return Ok(());
        }
        let verdict = self.verify(store, candidate).await?;
        if verdict.is_signed() { Ok(()) } else { Err(refused(candidate, &verdict)) }
    }

    async fn verify(&self, store: &Store, candidate: &Candidate) -> Result<Verdict, StoreError> {
        let mut signatures = Vec::new();
        for blob in &candidate.signatures {
            let outcome = match store.signature(blob).await {
                Ok(signature) => self.judge(&signature, candidate),
                Err(error @ (StoreError::Unavailable { .. } | StoreError::Folder { .. })) => return Err(error),
                Err(error) => Err(Refusal::Unreadable(error.to_string())),
            };
            signatures.push(Checked { blob: *blob, outcome });
        }
        Ok(Verdict { signatures })
    }

    /// The name of the key by which a signature counts for a version.
    fn judge(&self, signature: &Signature, candidate: &Candidate) -> Result<String, Refusal> {
        let (claim, key) = signature.verify(&self.keys)?;
        covers(&claim, candidate.name.as_str(), candidate.manifest)?;
        match (self.lowest.get(&candidate.name), claim.version) {
            (Some(&lowest), None) => Err(Refusal::NoVersion { lowest }),
            (Some(&lowest), Some(found)) if found < lowest => Err(Refusal::TooLow { found, lowest }),
            _ => Ok(key.name.clone()),
        }
    }
}

/// Refuses a claim about another name, or about other bytes.
fn covers(claim: &Claim, name: &str, manifest: Digest) -> Result<(), Refusal> {
    if claim.manifest != manifest {
        return Err(Refusal::OtherManifest { found: claim.manifest, manifest });
    }
    if claim.name != name {
        return Err(Refusal::OtherName { found: claim.name.clone(), name: name.to_owned() });
    }
    Ok(())
}

/// The error of a version that is not trusted. Its source has the reasons, which are for the operator.
fn refused(candidate: &Candidate, verdict: &Verdict) -> RegistryError {
    let Candidate { name, number, .. } = candidate;
    let why = match verdict.signatures.len() {
        0 => "it is not signed".to_owned(),
        1 => "its signature does not count".to_owned(),
        several => format!("none of its {several} signatures counts"),
    };
    let detail = format!(
        "version {number} of function {name} is not trusted here: {why}; sign it: nebula sign {name}@{number} --key FILE"
    );
    let error = RegistryError::new(RegistryErrorKind::Invalid, detail);
    let reasons: Vec<_> = verdict.refusals().map(ToString::to_string).collect();
    if reasons.is_empty() { error } else { error.with_source(reasons.join("; ")) }
}
