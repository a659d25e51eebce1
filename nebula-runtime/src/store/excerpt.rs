//! Some versions out of a store, as one document.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, backend::Backend, blob, functions, manifest};
use crate::function::{Digest, FunctionName};

/// Some versions out of a store, as one document: records, manifests and configurations by their paths in a store, all that
/// is known of the versions but their modules.
///
/// - A text under the path of a blob is byte for byte that blob, and still verified on every read.
/// - One document, because many small files would cost a cold start a read each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Excerpt(BTreeMap<String, String>);

impl Excerpt {
    /// A store of just these versions, in memory.
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

    /// Copies these versions of a function out of a store. An alias comes along where its version does.
    pub(super) async fn copy(
        &mut self,
        backend: &Backend,
        name: &FunctionName,
        versions: &BTreeSet<u64>,
    ) -> Result<(), StoreError> {
        let record = functions::read(backend, name).await?.unwrap_or_default().only(versions);
        for (_, entry) in record.versions() {
            let config = manifest::config_of(backend, entry.manifest).await?;
            for digest in [entry.manifest, config] {
                self.copy_blob(backend, digest).await?;
            }
        }
        let path = functions::path(name);
        let text = serde_json::to_string(&record).map_err(|source| backend.malformed(&path, source))?;
        self.0.insert(path.to_string(), text);
        Ok(())
    }

    async fn copy_blob(&mut self, backend: &Backend, digest: Digest) -> Result<(), StoreError> {
        let (path, blob) = (blob::path(digest), blob::Blob::read(backend, digest).await?);
        // These are JSON, which is UTF-8; anything else was refused when the manifest was read.
        self.0.insert(path.to_string(), String::from_utf8_lossy(blob.bytes()).into_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        function::{Export, FunctionConfig, Kind},
        store::NewVersion,
    };

    fn version(code: &str) -> NewVersion {
        let exports = vec![Export { name: code.into(), params: vec![], results: vec![], typed: None }];
        let module = Bytes::from(format!("\0asm{code}"));
        NewVersion { module, kind: Kind::Core, exports, config: FunctionConfig::default(), composition: None }
    }

    #[tokio::test]
    async fn an_excerpt_is_a_store_of_its_versions_without_their_modules() {
        let (store, prod) = (Store::memory(), "prod".parse().unwrap());
        let (treats, other) = ("treats".parse().unwrap(), "other".parse().unwrap());
        store.publish(&treats, version("a"), Some(&prod)).await.unwrap();
        let second = store.publish(&treats, version("b"), None).await.unwrap();
        store.publish(&other, version("c"), None).await.unwrap();

        let excerpt = store.excerpt(&[(treats.clone(), [2].into())].into()).await.unwrap();
        let json = serde_json::to_string(&excerpt).unwrap();
        let opened = serde_json::from_str::<Excerpt>(&json).unwrap().open().await.unwrap();

        assert_eq!(opened.names().await.unwrap(), std::slice::from_ref(&treats));
        let record = opened.record(&treats).await.unwrap().unwrap();
        assert_eq!(record, store.record(&treats).await.unwrap().unwrap().only(&[2].into()));
        assert_eq!(record.versions().map(|(number, _)| number).collect::<Vec<_>>(), [2]);
        let (manifest, expected) = (opened.manifest(&second.manifest).await, store.manifest(&second.manifest).await);
        assert_eq!(manifest.unwrap(), expected.unwrap());
        assert!(matches!(opened.module(&second.module).await, Err(StoreError::Missing { .. })));
    }
}
