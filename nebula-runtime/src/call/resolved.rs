//! The version of a function that an invocation is resolved to.

use std::{any::Any, fmt, sync::atomic::AtomicU64};

use super::rate_limit::RateLimit;
use crate::function::{Digest, FunctionConfig, FunctionName, Kind, Limits};

/// The version of a function that an invocation is resolved to, for layers to read:
/// [`Invocation::resolved`](crate::Invocation::resolved).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved {
    /// The function's name.
    pub name: FunctionName,
    /// The version's number.
    pub version: u64,
    /// The module's digest.
    pub digest: Digest,
    /// How the function is called.
    pub kind: Kind,
    /// How the function is run.
    pub config: FunctionConfig,
    /// What one invocation may use: the configured limits, the defaults for those that are not configured, and
    /// none above its ceiling.
    pub limits: Limits,
}

/// What a runtime keeps for a version beside what layers may read. The runtime alone knows its type.
pub(crate) trait Deployed: Any + Send + Sync {
    fn resolved(&self) -> &Resolved;

    /// The limit of the function's own `rate`, if it has one.
    fn rate(&self) -> Option<&RateLimit>;

    /// How many invocations of the version have a place of its own `concurrency`, wait for one, or will do so at once.
    fn begun(&self) -> u64;

    /// How many invocations have got a place of a gate that functions share, and have not begun yet.
    fn promised(&self) -> &AtomicU64;

    /// The last round in which invocations of the version began, and how many: see `rounds`.
    fn in_round(&self) -> &AtomicU64;
}

impl fmt::Debug for dyn Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resolved().fmt(f)
    }
}
