//! The catalog: what people and frontends see of published functions.

use std::{collections::BTreeMap, fmt, future::ready, sync::Arc};

use async_trait::async_trait;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    alias::AliasTarget,
    composition::Composition,
    config::FunctionConfig,
    digest::Digest,
    error::{RegistryError, RegistryErrorKind},
    held::HeldBack,
    kind::Kind,
    reference::{AliasName, FunctionName, FunctionRef},
    snapshot::SnapshotImage,
};

/// Lists functions and describes them.
///
/// - Each method reads no more than its answer needs: [`Catalog::ready`] and [`Catalog::names`] read no function.
/// - A function that cannot be read does not hide the others.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Checks that functions can be read just now. The cost is the same for any number of functions.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Unavailable`](crate::RegistryErrorKind::Unavailable), with a sentence that says what is
    /// wrong.
    async fn ready(&self) -> Result<(), RegistryError>;

    /// The names of all functions, in alphabetical order. A function whose versions are all removed may be among them.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Unavailable`](crate::RegistryErrorKind::Unavailable) where the store does not answer.
    async fn names(&self) -> Result<Vec<FunctionName>, RegistryError>;

    /// The version of a function that `reference` means.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is none,
    /// [`RegistryErrorKind::Unavailable`](crate::RegistryErrorKind::Unavailable) where the store does not answer, and
    /// [`RegistryErrorKind::Internal`](crate::RegistryErrorKind::Internal) where what it answers is damaged.
    async fn function(&self, reference: &FunctionRef) -> Result<FunctionInfo, RegistryError>;

    /// The aliases and latest versions that this server does not follow, because it cannot serve them. A catalog of a
    /// server that follows all has none.
    fn held_back(&self) -> Vec<HeldBack> {
        Vec::new()
    }

    /// The latest versions of the functions with these names, in their order. Up to 16 are read at once, and only as
    /// many as the reader of the stream asks for. A function that was removed meanwhile is left out.
    fn list(&self, names: Vec<FunctionName>) -> BoxStream<'_, ListedFunction> {
        /// Functions that are read at once.
        const READS: usize = 16;

        let listed = stream::iter(names).map(move |name| async move {
            match self.function(&name.clone().into()).await {
                Err(error) if error.kind() == RegistryErrorKind::NotFound => None,
                read => Some(read.map_err(|error| UnreadableFunction { name, error })),
            }
        });
        listed.buffered(READS).filter_map(ready).boxed()
    }
}

/// An entry of a list: a function, or why it cannot be read.
pub type ListedFunction = Result<FunctionInfo, UnreadableFunction>;

/// A function that is published and cannot be read.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("function {name} cannot be read")]
#[non_exhaustive]
pub struct UnreadableFunction {
    /// The name it is published under.
    pub name: FunctionName,
    /// Why it cannot be read.
    #[source]
    pub error: RegistryError,
}

/// One version of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// The name it is published under.
    pub name: FunctionName,
    /// The version's number.
    pub version: u64,
    /// The aliases that point to this version, to it alone or to it among others.
    pub aliases: Vec<AliasName>,
    /// All aliases of the function, and what each points to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<AliasName, AliasTarget>,
    /// The module's digest.
    pub digest: Digest,
    /// The module's size, in bytes.
    pub size: u64,
    /// Its kind, which decides how it is called.
    pub kind: Kind,
    /// Its exports, in the module's order.
    pub exports: Vec<Export>,
    /// Its configuration.
    pub config: FunctionConfig,
    /// The components that it was composed of, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composition: Option<Composition>,
    /// The image that invocations start from, if the version has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotImage>,
}

impl FunctionInfo {
    /// The digest of the code that runs: that of the image, or else of the module.
    #[cfg(feature = "compiler")]
    pub(crate) fn code(&self) -> Digest {
        self.snapshot.map_or(self.digest, |image| image.digest)
    }
}

/// The export that a call means which names none, among the `exports` of the function `name`: the configured one, else the
/// only one, else the one named like the function. The export `nth_prime` is named like the function `nth-prime`, as most
/// languages have no `-` in names.
pub fn default_export<'a>(
    name: &FunctionName,
    config: &'a FunctionConfig,
    exports: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    if let Some(configured) = &config.export {
        return Some(configured);
    }
    let mut all = exports.clone();
    if let (Some(only), None) = (all.next(), all.next()) {
        return Some(only);
    }
    let named = |name: &str| exports.clone().find(|export| *export == name);
    named(name.as_str()).or_else(|| named(&name.as_str().replace('-', "_")))
}

/// An export that can be called. Its types are written as in the guest's own standard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Export {
    /// The export's name.
    pub name: String,
    /// The parameters' types, in order: `i32`.
    pub params: Vec<String>,
    /// The results' types, in order.
    pub results: Vec<String>,
    /// More about a function that is called with JSON. `None` for an export of a core module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<Arc<TypedExport>>,
}

/// A function with WIT types, which is called with JSON. Its schemas are JSON Schemas (2020-12) that refer to named
/// types as `#/$defs/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TypedExport {
    /// Its signature in WIT, and in further lines the named types that it is made of.
    pub wit: String,
    /// The interface that it is exported in, if it is not the component's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Its author's documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// Its parameters, in order.
    pub params: Vec<TypedParam>,
    /// The schema of its result; of the value in it, where it is a `result`.
    pub result: Value,
    /// The schema of its error, where its result is a `result`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// The schemas of the named types.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<String, Value>,
    /// Why it cannot be called, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A parameter of a function of WIT types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TypedParam {
    /// Its name.
    pub name: String,
    /// Whether it must be given: an option need not.
    pub required: bool,
    /// The schema of its values.
    pub schema: Value,
    /// An example of a value.
    pub example: Value,
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.params.join(", "))?;
        match self.results.as_slice() {
            [] => Ok(()),
            [result] => write!(f, " -> {result}"),
            results => write!(f, " -> ({})", results.join(", ")),
        }
    }
}

/// The names of some exports, as an error lists them: a module may have ten thousand.
pub(crate) fn some_of(exports: &[Export]) -> String {
    list_of(exports.iter().map(|export| export.name.as_str()))
}

/// Some names, as an error lists them.
pub(crate) fn list_of<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;

    let mut shown: Vec<_> = names.by_ref().take(SHOWN).collect();
    shown.extend(names.next().map(|_| "…"));
    shown.join(", ")
}
