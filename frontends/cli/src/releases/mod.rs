//! The functions that commands publish, change and show, wherever these functions are.

mod local;
mod remote;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use nebula_runtime::{
    AliasInfo, AliasMove, AliasName, AliasTarget, Difference, FunctionConfig, FunctionInfo, FunctionName, FunctionRef,
    HistoryEntry, IfPointedTo, ListedFunction, Origin, Published, Removal, VersionInfo,
};

pub(crate) use self::{local::Local, remote::Remote};
use crate::failure::Failure;

/// The functions that commands publish, change and show.
///
/// - Each method does what its command says, and returns what the runtime returns for it. So a command prints the same
///   wherever the functions are.
/// - A change is in the function's history together with the person who made it.
/// - A method that fails changes nothing.
#[async_trait]
pub(crate) trait Releases: Send + Sync {
    /// Where the functions are, for people.
    fn place(&self) -> String;

    /// The latest versions of all functions, in the order of their names.
    async fn list(&self) -> Result<Listing<'_>, Failure>;

    /// The version that `function` means.
    async fn inspect(&self, function: &FunctionRef) -> Result<FunctionInfo, Failure>;

    /// All versions of a function, the newest first.
    async fn versions(&self, name: &FunctionName) -> Result<Vec<VersionInfo>, Failure>;

    /// How the version `to` differs from the version `from`.
    async fn diff(&self, from: &FunctionRef, to: &FunctionRef) -> Result<Difference, Failure>;

    /// All changes of a function, the newest first.
    async fn history(&self, name: &FunctionName) -> Result<Vec<HistoryEntry>, Failure>;

    /// The aliases of a function, in alphabetical order.
    async fn aliases(&self, name: &FunctionName) -> Result<Vec<AliasInfo>, Failure>;

    /// Publishes a module as the newest version of `name`, and points `alias` to it. `origin` is the registry that the
    /// module was pulled from.
    async fn publish(
        &self,
        name: &FunctionName,
        module: Bytes,
        config: FunctionConfig,
        origin: Option<Origin>,
        alias: Option<&AliasName>,
    ) -> Result<Published, Failure>;

    /// Points an alias to `target`, once its versions are found to run.
    async fn set_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        target: AliasTarget,
    ) -> Result<AliasMove, Failure>;

    /// Removes an alias.
    async fn remove_alias(&self, name: &FunctionName, alias: &AliasName) -> Result<AliasMove, Failure>;

    /// Takes back the last move of an alias. Without a name, it is the only alias that there is.
    async fn roll_back(&self, name: &FunctionName, alias: Option<&AliasName>) -> Result<AliasMove, Failure>;

    /// Removes one version of a function, or all of them.
    async fn remove(
        &self,
        name: &FunctionName,
        version: Option<u64>,
        if_pointed_to: IfPointedTo,
    ) -> Result<Removal, Failure>;
}

/// A list of functions that is read while it is printed.
pub(crate) struct Listing<'a> {
    /// The length of the longest name, as far as the names are known beforehand.
    pub(crate) longest_name: usize,
    /// Whether there is no name at all. A function that was removed keeps its name.
    pub(crate) is_empty: bool,
    /// The functions, and those that cannot be read.
    pub(crate) functions: BoxStream<'a, Result<ListedFunction, Failure>>,
}

/// The length of the longest of these names.
fn longest<'a>(names: impl IntoIterator<Item = &'a FunctionName>) -> usize {
    names.into_iter().map(|name| name.as_str().len()).max().unwrap_or_default()
}
