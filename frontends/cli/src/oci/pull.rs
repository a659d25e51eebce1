//! Pulling an artifact.

use bytes::Bytes;
use nebula_runtime::{
    ByteSize, Digest, FunctionConfig, FunctionName, Origin, Trust,
    store::trust::{Claim, Refusal, Signature},
};

use super::{
    artifact::{Artifact, MAX_MODULE, function_config},
    authorization::Access,
    error::OciError,
    reference::OciReference,
    registry::Registry,
    signatures,
};

/// The largest configuration that is pulled.
const MAX_CONFIG: ByteSize = ByteSize::mib(4);

/// An artifact that was pulled.
pub(crate) struct Pulled {
    /// The reference that was pulled.
    pub(crate) reference: OciReference,
    /// The digest of its manifest.
    pub(crate) digest: Digest,
    /// The module.
    pub(crate) module: Bytes,
    /// The configuration, if it is one of the Wasm OCI Artifact layout.
    config: Option<Bytes>,
    /// The image of the module's snapshot, if it has one.
    snapshot: Option<Bytes>,
    /// The signatures that are beside it in the registry.
    signatures: Vec<Signature>,
}

/// What a reference means now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The digest of its manifest.
    pub(crate) manifest: Digest,
    /// The digest of its module.
    pub(crate) module: Digest,
}

/// What a reference means now. Only its manifest is pulled.
///
/// # Errors
/// The registry does not answer, has no such artifact, or the artifact is no function.
pub(crate) async fn resolve(reference: &OciReference) -> Result<Resolved, OciError> {
    let manifest = manifest(&Registry::of(reference, Access::Pull).await?).await?;
    let module = Artifact::of(reference, &manifest)?.module.digest;
    Ok(Resolved { manifest: Digest::of(&manifest), module })
}

/// Pulls an artifact and its signatures.
///
/// # Errors
/// The registry does not answer, has no such artifact, or the artifact is no function.
pub(crate) async fn pull(reference: &OciReference) -> Result<Pulled, OciError> {
    let registry = Registry::of(reference, Access::Pull).await?;
    let manifest = manifest(&registry).await?;
    let (digest, artifact) = (Digest::of(&manifest), Artifact::of(reference, &manifest)?);
    let module = registry.blob("module", &artifact.module, MAX_MODULE).await?;
    let config = match &artifact.config {
        Some(config) => Some(registry.blob("configuration", config, MAX_CONFIG).await?),
        None => None,
    };
    let snapshot = match &artifact.snapshot {
        Some(image) => Some(registry.blob("snapshot", image, MAX_MODULE).await?),
        None => None,
    };
    let signatures = signatures::pull(&registry, &digest).await?;
    Ok(Pulled { reference: reference.clone(), digest, module, config, snapshot, signatures })
}

async fn manifest(registry: &Registry) -> Result<Bytes, OciError> {
    let (reference, at) = (&registry.reference, registry.reference.whole());
    let missing = || OciError::NotFound {
        action: "pull",
        reference: reference.to_string(),
        registry: reference.registry().to_owned(),
    };
    registry.manifest(at).await?.ok_or_else(missing)
}

impl Pulled {
    /// The configuration that it brings for the function. Nothing, if Nebula did not push it.
    pub(crate) fn config(&self) -> Result<Option<FunctionConfig>, OciError> {
        let Some(config) = &self.config else { return Ok(None) };
        let reference = || self.reference.to_string();
        function_config(config).map_err(|source| OciError::Malformed {
            what: "configuration",
            reference: reference(),
            source,
        })
    }

    /// The image of the snapshot that it brings, for a function with exactly the configuration that it brings. With another
    /// one, the image is made again, as another export may initialise the module.
    pub(crate) fn image_for(&self, config: &FunctionConfig) -> Result<Option<Bytes>, OciError> {
        let is_own = self.snapshot.is_some() && self.config()?.as_ref() == Some(config);
        Ok(self.snapshot.clone().filter(|_| is_own))
    }

    /// Where the function came from, and which of the trusted keys has signed it there.
    ///
    /// # Errors
    /// Signatures are required, and none counts.
    pub(crate) fn origin(&self, name: &FunctionName, trust: &Trust) -> Result<Origin, OciError> {
        let outcomes: Vec<_> = self.signatures.iter().map(|signature| self.signer(signature, name, trust)).collect();
        let signed_by = outcomes.iter().find_map(|outcome| outcome.as_ref().ok().cloned());
        if signed_by.is_none() && trust.is_required() {
            let reasons: Vec<_> =
                outcomes.iter().filter_map(|outcome| Some(outcome.as_ref().err()?.to_string())).collect();
            let why = match reasons.as_slice() {
                [] => "it has no signature in the registry".to_owned(),
                reasons => reasons.join("; "),
            };
            let (reference, digest) = (self.reference.to_string(), self.digest);
            return Err(OciError::NotTrusted { reference, digest, why });
        }
        Ok(Origin::new(self.reference.to_string(), self.digest, signed_by))
    }

    /// The signatures that count for the function of this name, if its manifest is the one that was pulled.
    pub(crate) fn signatures_for(&self, name: &FunctionName, trust: &Trust) -> Vec<&Signature> {
        let is_for = |signature: &&Signature| {
            let claim = signature.verify(trust.keys()).map(|(claim, _)| claim);
            claim.is_ok_and(|claim| claim.manifest == self.digest && claim.name == name.as_str())
        };
        self.signatures.iter().filter(is_for).collect()
    }

    /// The name of the key that has made a signature of this artifact. In a registry, the name that is signed may be that
    /// of the repository, as other tools sign it.
    fn signer(&self, signature: &Signature, name: &FunctionName, trust: &Trust) -> Result<String, Refusal> {
        let (Claim { name: found, manifest, .. }, key) = signature.verify(trust.keys())?;
        if manifest != self.digest {
            return Err(Refusal::OtherManifest { found: manifest, manifest: self.digest });
        }
        match found == name.as_str() || found == self.reference.name() {
            true => Ok(key.name.clone()),
            false => Err(Refusal::OtherName { found, name: name.to_string() }),
        }
    }
}
