//! The kinds of guests: how each is recognised and called.
//!
//! A kind is one file or folder with a type. ARCHITECTURE.md lists what else it needs.

mod call;
mod cgi;
mod cloudevents;
mod coding;
mod command;
mod core;
mod deployment;
#[cfg(feature = "compiler")]
mod describe;
mod http;
mod idle;
mod idle_pool;
mod loader;
mod methods;
mod number;
mod recognise;
mod results;
#[cfg(feature = "compiler")]
mod snapshot;
#[cfg(feature = "compiler")]
mod source;
mod streaming;
mod toolchain;
#[cfg(feature = "compiler")]
mod trial;
mod typed;
mod unlinkable;

pub use self::results::ResultCacheUse;
#[cfg(feature = "compiler")]
pub(crate) use self::snapshot::Uninitialised;
pub(crate) use self::{
    call::{Call, CallFuture, CallGuards},
    deployment::Deployment,
    loader::Loader,
    recognise::Guest,
    results::Results,
};
