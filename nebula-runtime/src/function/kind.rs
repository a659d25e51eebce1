//! How a guest is recognised and called.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a guest is recognised and called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A core module with numeric exports.
    Core,
    /// A WASI command: stdin to stdout.
    Command,
    /// A `wasi:http` component: request to response.
    Http,
    /// A component's own functions: JSON in, JSON out.
    Typed,
}

impl Kind {
    /// The kind's name: `core`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Command => "command",
            Self::Http => "http",
            Self::Typed => "typed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
