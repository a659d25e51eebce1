//! Checking that versions run, before an alias moves to them.

use super::lookup::Registry;
use crate::{
    engine::CodeKey,
    function::{AliasName, AliasTarget, FunctionName, Limits, RegistryError},
    guest::Deployment,
    store::{FunctionRecord, VersionEntry},
};

impl Registry {
    /// Checks each version that an alias is to point to. A version that does not exist is left to the store, which
    /// knows best.
    pub(super) async fn check(
        &self,
        name: &FunctionName,
        record: &FunctionRecord,
        alias: &AliasName,
        target: &AliasTarget,
    ) -> Result<(), RegistryError> {
        for (number, entry) in target.weights().filter_map(|(number, _)| record.version(number)) {
            self.check_version(name, number, entry).await.map_err(|error| {
                let detail = format!("alias {alias} is not moved: version {number} cannot be run: {}", error.detail());
                RegistryError::new(error.kind(), detail).with_source(error)
            })?;
        }
        Ok(())
    }

    /// Checks that a version is trusted, that its configuration is understood, that its module compiles, and that an
    /// instance of it can be made. Whether folders and services that it is granted are there is a matter of the servers: without
    /// them, no instance is made here.
    async fn check_version(&self, name: &FunctionName, number: u64, entry: &VersionEntry) -> Result<(), RegistryError> {
        self.require_trust(name, number, entry).await?;
        let manifest = self.store.manifest(&entry.manifest).await?;
        let (store, digest) = (self.store.clone(), manifest.code());
        let wasm = async move { store.module(&digest).await.map_err(|error| RegistryError::from(error).into()) };
        let guest = self.loader.load(CodeKey::of(digest, &manifest.config), wasm).await?;
        let limits = Limits::default().with(&manifest.config.limits).at_most(&Limits::CEILINGS);
        let deployment =
            Deployment::new(name, number, (entry.manifest, manifest), limits, (&self.store, &self.services));
        if deployment.granted.check().is_err() {
            return Ok(());
        }
        // The semaphore is never closed.
        let _place = self.trials.acquire().await;
        Ok(guest.try_out(&deployment).await?)
    }
}
