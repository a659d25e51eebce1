//! The store of a package: some versions of another store, as one document.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{backend::Backend, blob::Blob, document, error::StoreError, functions, handle::Store, layout, manifest};
use crate::function::{Digest, FunctionName};

/// The store of a package: some versions of another store as one document. It maps paths to the texts of records,
/// manifests and configurations. The modules and the images of snapshots are left out.
///
/// - The text under a blob's path is byte for byte that blob. It is verified on every read.
/// - It is one document, because many small files would cost a cold start a read each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackagedStore(BTreeMap<String, String>);

impl Store {
    /// The store of a package that holds these versions.
    ///
    /// # Errors
    /// As [`Store::manifest`]. A version that is missing is left out.
    pub async fn pack(&self, versions: &BTreeMap<FunctionName, BTreeSet<u64>>) -> Result<PackagedStore, StoreError> {
        let mut packed = PackagedStore::default();
        for (name, versions) in versions {
            packed.add(&self.backend, name, versions).await?;
        }
        Ok(packed)
    }
}

impl PackagedStore {
    /// Opens it as a store in memory.
    ///
    /// # Errors
    /// None that a store in memory has.
    pub async fn open(&self) -> Result<Store, StoreError> {
        let store = Store::memory();
        for (path, text) in &self.0 {
            store.backend.overwrite(&Path::from(path.as_str()), Bytes::from(text.clone())).await?;
        }
        Ok(store)
    }

    /// Adds these versions of a function, and the aliases that point to one of them.
    async fn add(
        &mut self,
        backend: &Backend,
        name: &FunctionName,
        versions: &BTreeSet<u64>,
    ) -> Result<(), StoreError> {
        let record = functions::read(backend, name).await?.unwrap_or_default().only(versions);
        for (_, entry) in record.versions() {
            let config = manifest::blobs_of(backend, entry.manifest).await?.config;
            for digest in [entry.manifest, config] {
                self.add_blob(backend, digest).await?;
            }
        }
        let path = layout::record(name);
        let bytes = document::write(backend, &path, &record)?;
        self.0.insert(path.to_string(), String::from_utf8_lossy(&bytes).into_owned());
        Ok(())
    }

    async fn add_blob(&mut self, backend: &Backend, digest: Digest) -> Result<(), StoreError> {
        let (path, blob) = (layout::blob(digest), Blob::read(backend, digest).await?);
        // Manifests and configurations are JSON, and JSON is UTF-8. Anything else was refused when the manifest was
        // read.
        self.0.insert(path.to_string(), String::from_utf8_lossy(blob.bytes()).into_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        function::{Export, FunctionConfig, Kind},
        store::version::NewVersion,
    };

    fn version(code: &str) -> NewVersion {
        let exports = vec![Export { name: code.into(), params: vec![], results: vec![], typed: None }];
        let module = Bytes::from(format!("\0asm{code}"));
        NewVersion {
            module,
            kind: Kind::Core,
            exports,
            config: FunctionConfig::default(),
            composition: None,
            snapshot: None,
            published_by: Some("ada".to_owned()),
            origin: None,
        }
    }

    #[tokio::test]
    async fn a_packaged_store_has_its_versions_without_their_modules() {
        let (store, prod) = (Store::memory(), "prod".parse().unwrap());
        let (treats, other) = ("treats".parse().unwrap(), "other".parse().unwrap());
        store.publish(&treats, version("a"), Some(&prod)).await.unwrap();
        let second = store.publish(&treats, version("b"), None).await.unwrap();
        store.publish(&other, version("c"), None).await.unwrap();

        let packed = store.pack(&[(treats.clone(), [2].into())].into()).await.unwrap();
        let json = serde_json::to_string(&packed).unwrap();
        let opened = serde_json::from_str::<PackagedStore>(&json).unwrap().open().await.unwrap();

        assert_eq!(opened.names().await.unwrap(), std::slice::from_ref(&treats));
        let record = opened.record(&treats).await.unwrap().unwrap();
        assert_eq!(record, store.record(&treats).await.unwrap().unwrap().only(&[2].into()));
        assert_eq!(record.versions().map(|(number, _)| number).collect::<Vec<_>>(), [2]);
        let (manifest, expected) = (opened.manifest(&second.manifest).await, store.manifest(&second.manifest).await);
        assert_eq!(manifest.unwrap(), expected.unwrap());
        assert!(matches!(opened.module(&second.module).await, Err(StoreError::Missing { .. })));
    }
}
