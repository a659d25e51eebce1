//! The name of one invocation.

use std::{fmt, sync::Arc};

use crate::function::Hex;

/// The name of one invocation: random, or the one that the platform gave.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct InvocationId(Id);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Id {
    Random(u128),
    Given(Arc<str>),
}

impl InvocationId {
    /// A fresh id: 128 random bits, printed as 32 hexadecimal digits. It is unique, not secret.
    pub fn random() -> Self {
        Self(Id::Random(fastrand::u128(..)))
    }

    /// The id that the platform gave, such as Lambda's request id.
    pub fn given(id: impl Into<Arc<str>>) -> Self {
        Self(Id::Given(id.into()))
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Random(bits) => Hex(bits.to_be_bytes()).fmt(f),
            Id::Given(id) => f.write_str(id),
        }
    }
}

impl fmt::Debug for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
