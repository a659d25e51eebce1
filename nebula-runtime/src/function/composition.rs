//! Functions made of other functions: a component whose imports are linked, when it is published, to what other
//! published components export.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{digest::Digest, reference::FunctionRef};

/// What a published component was composed of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Composition {
    /// The digest of the component as it was before anything was linked to it.
    pub component: Digest,
    /// What its imports were linked to.
    pub imports: Vec<LinkedImport>,
}

/// An import of a component, and what it was linked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LinkedImport {
    /// The interface: `nebula:tax/rates`.
    pub import: String,
    /// The function, as the configuration names it.
    pub function: FunctionRef,
    /// The version that it meant at that time.
    pub version: u64,
    /// The digest of that version's component.
    pub digest: Digest,
}

impl fmt::Display for LinkedImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}, version {}, {}", self.import, self.function, self.version, self.digest)
    }
}
