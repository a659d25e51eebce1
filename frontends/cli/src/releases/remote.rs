//! The functions of a server, over its admin API.

use std::future::ready;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use nebula_runtime::{
    AliasInfo, AliasMove, AliasName, AliasTarget, Difference, FunctionConfig, FunctionInfo, FunctionName, FunctionRef,
    HistoryEntry, IfPointedTo, ListedFunction, Origin, Published, Removal, UnreadableFunction, VersionInfo, VersionRef,
};
use serde::Deserialize;
use serde_json::json;

use super::{Listing, Releases, longest};
use crate::{
    client::{Call, Client, Upload},
    failure::Failure,
};

/// The functions of a server, over its admin API. Who makes a change is the name of the client's token.
pub(crate) struct Remote(pub(crate) Client);

/// A part of the list of functions.
#[derive(Deserialize)]
struct Page {
    functions: Vec<Entry>,
    /// The name after which the next page begins, if there is one.
    #[serde(default)]
    next: Option<FunctionName>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Function(Box<FunctionInfo>),
    Unreadable(UnreadableFunction),
}

impl Entry {
    fn name(&self) -> &FunctionName {
        match self {
            Self::Function(info) => &info.name,
            Self::Unreadable(unreadable) => &unreadable.name,
        }
    }
}

impl From<Entry> for ListedFunction {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Function(info) => Ok(*info),
            Entry::Unreadable(unreadable) => Err(unreadable),
        }
    }
}

impl Remote {
    async fn page(&self, after: Option<&FunctionName>) -> Result<Page, Failure> {
        Ok(self.0.send(Call::get(["functions"]).query("after", after).query("limit", Some(100))).await?)
    }

    /// The pages after `next`.
    fn pages(&self, next: Option<FunctionName>) -> BoxStream<'_, Result<Vec<Entry>, Failure>> {
        let pages = stream::try_unfold(next, move |next| async move {
            let Some(next) = next else { return Ok(None) };
            let page = self.page(Some(&next)).await?;
            Ok(Some((page.functions, page.next)))
        });
        pages.boxed()
    }
}

#[async_trait]
impl Releases for Remote {
    fn place(&self) -> String {
        self.0.url().to_string()
    }

    /// The names are known beforehand as far as they are on the first page.
    async fn list(&self) -> Result<Listing<'_>, Failure> {
        let first = self.page(None).await?;
        let longest_name = longest(first.functions.iter().map(Entry::name));
        let is_empty = first.functions.is_empty() && first.next.is_none();
        let pages = stream::once(ready(Ok(first.functions))).chain(self.pages(first.next));
        let entries = pages.map_ok(|page| stream::iter(page.into_iter().map(|entry| Ok(entry.into())))).try_flatten();
        Ok(Listing { longest_name, is_empty, functions: entries.boxed() })
    }

    async fn inspect(&self, function: &FunctionRef) -> Result<FunctionInfo, Failure> {
        let name = function.name().as_str();
        let call = match function.version() {
            VersionRef::Latest => Call::get(["functions", name]),
            version => Call::get(["functions", name, "versions", &version.to_string()]),
        };
        Ok(self.0.send(call).await?)
    }

    async fn versions(&self, name: &FunctionName) -> Result<Vec<VersionInfo>, Failure> {
        Ok(self.0.send(Call::get(["functions", name.as_str(), "versions"])).await?)
    }

    /// The versions are compared here: they may be of two functions.
    async fn diff(&self, from: &FunctionRef, to: &FunctionRef) -> Result<Difference, Failure> {
        Ok(Difference::between(&self.inspect(from).await?, &self.inspect(to).await?)?)
    }

    async fn history(&self, name: &FunctionName) -> Result<Vec<HistoryEntry>, Failure> {
        Ok(self.0.send(Call::get(["functions", name.as_str(), "history"])).await?)
    }

    async fn aliases(&self, name: &FunctionName) -> Result<Vec<AliasInfo>, Failure> {
        Ok(self.0.send(Call::get(["functions", name.as_str(), "aliases"])).await?)
    }

    async fn publish(
        &self,
        name: &FunctionName,
        module: Bytes,
        config: FunctionConfig,
        origin: Option<Origin>,
        alias: Option<&AliasName>,
    ) -> Result<Published, Failure> {
        let call = Call::put(["functions", name.as_str()]).query("alias", alias);
        // The server has not seen the signature in the registry, and keeps no word of it.
        let origin = origin.map(|origin| Origin::new(origin.reference, origin.digest, None));
        Ok(self.0.send(call.upload(Upload::function(module, &config, origin.as_ref())).compiles()).await?)
    }

    async fn set_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        target: AliasTarget,
    ) -> Result<AliasMove, Failure> {
        let call = Call::put(["functions", name.as_str(), "aliases", alias.as_str()]);
        Ok(self.0.send(call.json(&target).compiles()).await?)
    }

    async fn remove_alias(&self, name: &FunctionName, alias: &AliasName) -> Result<AliasMove, Failure> {
        Ok(self.0.send(Call::delete(["functions", name.as_str(), "aliases", alias.as_str()])).await?)
    }

    async fn roll_back(&self, name: &FunctionName, alias: Option<&AliasName>) -> Result<AliasMove, Failure> {
        let call = Call::post(["functions", name.as_str(), "rollback"]).compiles();
        let call = match alias {
            Some(alias) => call.json(&json!({ "alias": alias })),
            None => call,
        };
        Ok(self.0.send(call).await?)
    }

    async fn remove(
        &self,
        name: &FunctionName,
        version: Option<u64>,
        if_pointed_to: IfPointedTo,
    ) -> Result<Removal, Failure> {
        let force = (if_pointed_to == IfPointedTo::Release).then_some(true);
        let call = match version {
            Some(version) => Call::delete(["functions", name.as_str(), "versions", &version.to_string()]),
            None => Call::delete(["functions", name.as_str()]),
        };
        Ok(self.0.send(call.query("force", force)).await?)
    }
}
