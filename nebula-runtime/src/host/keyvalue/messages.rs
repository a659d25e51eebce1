//! What guests and callers are told when a service fails. It names no address, no user and no password.

pub(super) const UNREACHABLE: &str = "the key-value service cannot be reached";
pub(super) const REFUSED: &str = "the key-value service refused the node's credentials";
pub(super) const LATE: &str = "the key-value service did not answer in time";
pub(super) const FAILED: &str = "the key-value service failed";
pub(super) const TOO_LARGE: &str = "the value is larger than the key-value service allows";
