//! A reference that stays on an earlier version.

use serde::{Deserialize, Serialize};

use super::{alias::AliasTarget, reference::FunctionRef};

/// An alias, or the latest version of a function, that one server does not follow: it cannot serve the version, and
/// goes on with the earlier one. The server's log says why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeldBack {
    /// What callers name: `shop@prod`, or `shop` for its latest version.
    pub function: FunctionRef,
    /// The version that cannot be served.
    pub version: u64,
    /// What is served instead.
    pub serves: AliasTarget,
    /// What the store says.
    pub wanted: AliasTarget,
}
