//! What is published, for people and for frontends that show it.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{AliasName, Digest, FunctionConfig, FunctionName, InvokeError, Kind};

/// Tells what functions there are.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The latest version of every function, ordered by name.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where the store does not answer.
    async fn functions(&self) -> Result<Vec<FunctionInfo>, InvokeError>;
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
