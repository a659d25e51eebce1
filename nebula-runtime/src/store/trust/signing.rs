//! Signatures in a store.

use super::signature::{InvalidSignature, Signature};
use crate::{
    function::{Digest, FunctionName},
    store::{
        Store, StoreError,
        blob::Blob,
        functions::{self, Changed, IfDamaged},
        record::FunctionRecord,
    },
};

/// A version that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// The blob of the signature.
    pub blob: Digest,
    /// Whether the version did not have this signature yet.
    pub changed: bool,
}

impl Store {
    /// Adds a signature to a version of a function. Whether it is by a trusted key is not looked at: that is for those
    /// who use the version.
    ///
    /// # Errors
    /// [`StoreError::NotPublished`] where there is no version of this number and manifest, and as
    /// [`Store::set_alias`].
    pub async fn add_signature(
        &self,
        name: &FunctionName,
        (number, manifest): (u64, Digest),
        signature: &Signature,
    ) -> Result<Signed, StoreError> {
        let blob = Blob::new(signature.bytes().clone());
        blob.write(&self.backend).await?;
        let (function, digest) = (name.clone(), blob.digest());
        let add = move |record: &mut FunctionRecord| match record.add_signature(number, manifest, digest) {
            Some(changed) => Ok(Changed { result: changed, changed }),
            None => Err(StoreError::NotPublished { function: function.clone(), version: Some(number) }),
        };
        let changed = functions::change(&self.backend, name, &self.terms, IfDamaged::Fail, add).await?;
        Ok(Signed { blob: digest, changed })
    }

    /// A signature.
    ///
    /// # Errors
    /// The store is out of reach, or the blob is missing, corrupt or no signature.
    pub async fn signature(&self, digest: &Digest) -> Result<Signature, StoreError> {
        let blob = Blob::read(&self.backend, *digest).await?;
        let invalid = |error: InvalidSignature| StoreError::NoSignature { digest: *digest, reason: error.to_string() };
        Signature::parse(blob.into_bytes()).map_err(invalid)
    }
}
