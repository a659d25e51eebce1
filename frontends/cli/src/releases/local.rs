//! The functions of a store that this process opens.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use nebula_runtime::{
    AliasInfo, AliasMove, AliasName, AliasTarget, Catalog as _, CodeCacheFolder, Difference, EngineError,
    FunctionConfig, FunctionInfo, FunctionName, FunctionRef, HistoryEntry, IfPointedTo, Origin, Published, Removal,
    Runtime, Store, StoreUrl, Trust, VersionInfo,
};

use super::{Listing, Releases, longest};
use crate::{failure::Failure, publish::publisher};

/// The functions of a store that this process opens.
pub(crate) struct Local {
    runtime: Runtime,
    url: StoreUrl,
}

impl Local {
    /// The functions of this store. Code that is compiled is kept in the folder `cache`. Aliases move to versions that are
    /// trusted.
    ///
    /// # Errors
    /// The engine cannot be set up.
    pub(crate) fn new(
        store: Store,
        url: StoreUrl,
        cache: Option<CodeCacheFolder>,
        trust: Trust,
    ) -> Result<Self, EngineError> {
        let runtime = Runtime::builder(store).trust(trust).code_cache(cache).concurrency(1).build()?;
        Ok(Self { runtime, url })
    }
}

#[async_trait]
impl Releases for Local {
    fn place(&self) -> String {
        self.url.to_string()
    }

    async fn list(&self) -> Result<Listing<'_>, Failure> {
        let names = self.runtime.names().await?;
        Ok(Listing {
            longest_name: longest(&names),
            is_empty: names.is_empty(),
            functions: self.runtime.list(names).map(Ok).boxed(),
        })
    }

    async fn inspect(&self, function: &FunctionRef) -> Result<FunctionInfo, Failure> {
        Ok(self.runtime.inspect(function).await?)
    }

    async fn versions(&self, name: &FunctionName) -> Result<Vec<VersionInfo>, Failure> {
        Ok(self.runtime.versions(name).await?)
    }

    async fn diff(&self, from: &FunctionRef, to: &FunctionRef) -> Result<Difference, Failure> {
        Ok(self.runtime.diff(from, to).await?)
    }

    async fn history(&self, name: &FunctionName) -> Result<Vec<HistoryEntry>, Failure> {
        Ok(self.runtime.history(name).await?)
    }

    async fn aliases(&self, name: &FunctionName) -> Result<Vec<AliasInfo>, Failure> {
        Ok(self.runtime.aliases(name).await?)
    }

    async fn publish(
        &self,
        name: &FunctionName,
        module: Bytes,
        config: FunctionConfig,
        origin: Option<Origin>,
        alias: Option<&AliasName>,
    ) -> Result<Published, Failure> {
        let publication = self.runtime.publish(name, module).config(config).origin(origin);
        Ok(publication.alias(alias.cloned()).by(publisher()).await?)
    }

    async fn set_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        target: AliasTarget,
    ) -> Result<AliasMove, Failure> {
        Ok(self.runtime.set_alias(name, alias, target).by(publisher()).await?)
    }

    async fn remove_alias(&self, name: &FunctionName, alias: &AliasName) -> Result<AliasMove, Failure> {
        Ok(self.runtime.remove_alias(name, alias).by(publisher()).await?)
    }

    async fn roll_back(&self, name: &FunctionName, alias: Option<&AliasName>) -> Result<AliasMove, Failure> {
        Ok(self.runtime.roll_back(name, alias).by(publisher()).await?)
    }

    async fn remove(
        &self,
        name: &FunctionName,
        version: Option<u64>,
        if_pointed_to: IfPointedTo,
    ) -> Result<Removal, Failure> {
        Ok(self.runtime.remove(name, version, if_pointed_to).by(publisher()).await?)
    }
}
