//! What is published, for people and for frontends that show it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AliasName, Composition, Digest, ErrorKind, FunctionConfig, FunctionName, FunctionRef, InvokeError, Kind, VersionRef,
};

/// Tells what functions there are.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The latest version of every function, ordered by name.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where the store does not answer.
    async fn functions(&self) -> Result<Vec<FunctionInfo>, InvokeError>;

    /// The version of a function that `reference` means.
    ///
    /// Where it is not overridden, only the latest version is found.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is none, and as [`Catalog::functions`].
    async fn function(&self, reference: &FunctionRef) -> Result<FunctionInfo, InvokeError> {
        let functions = self.functions().await?;
        let means = |info: &FunctionInfo| match reference.version() {
            VersionRef::Latest => true,
            VersionRef::Number(number) => number.get() == info.version,
            VersionRef::Alias(alias) => info.aliases.contains(alias),
            VersionRef::Digest(digest) => *digest == info.digest,
        };
        let found = functions.into_iter().find(|info| info.name == *reference.name() && means(info));
        found.ok_or_else(|| InvokeError::new(ErrorKind::NotFound, format!("there is no function {reference}")))
    }
}

/// One version of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// The name it is published under.
    pub name: FunctionName,
    /// The version's number.
    pub version: u64,
    /// The aliases that point to this version.
    pub aliases: Vec<AliasName>,
    /// The module's digest.
    pub digest: Digest,
    /// The module's size, in bytes.
    pub size: u64,
    /// How it is called.
    pub kind: Kind,
    /// What can be called, in the module's order.
    pub exports: Vec<Export>,
    /// How it is run.
    pub config: FunctionConfig,
    /// What it was composed of, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composition: Option<Composition>,
}

/// Something that can be called, with its types as the guest's own standard writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The export's name.
    pub name: String,
    /// The parameters' types, in order: `i32`.
    pub params: Vec<String>,
    /// The results' types, in order.
    pub results: Vec<String>,
    /// What else is known of a function that is called with JSON. `None` for a core module's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed: Option<Arc<TypedExport>>,
}

/// A function of WIT types, as it is called with JSON. Its schemas are JSON Schemas (2020-12) that refer to named types as
/// `#/$defs/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedExport {
    /// Its signature in WIT, and in further lines the named types that it is made of.
    pub wit: String,
    /// The interface that it is exported in, if it is not the component's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// What its author wrote about it.
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
pub struct TypedParam {
    /// Its name.
    pub name: String,
    /// Whether it must be given: an option need not.
    pub required: bool,
    /// The schema of its values.
    pub schema: Value,
    /// One of them.
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
