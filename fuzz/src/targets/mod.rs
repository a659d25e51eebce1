//! The targets.

mod config;
mod document;
mod event;
mod frontends;
mod module;
mod reference;
mod registry;
mod signature;
mod typed;
mod wire;

pub use self::{
    config::config, document::document, event::event, frontends::frontends, module::module, reference::reference,
    registry::registry, signature::signature, typed::typed, wire::wire,
};

/// A function that a fuzzer calls.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of the function, of its program in `fuzz_targets/` and of its folder in `corpus/`.
    pub name: &'static str,
    /// Panics if Nebula does with the input what it must not do.
    pub check: fn(&[u8]),
    /// How many changed inputs a test runs. It takes about three seconds without optimisation.
    pub changes: usize,
}

/// All targets.
pub const TARGETS: [Target; 10] = [
    Target { name: "config", check: config, changes: 3_000 },
    Target { name: "document", check: document, changes: 250 },
    Target { name: "event", check: event, changes: 1_000 },
    Target { name: "frontends", check: frontends, changes: 400 },
    Target { name: "module", check: module, changes: 300 },
    Target { name: "reference", check: reference, changes: 3_000 },
    Target { name: "registry", check: registry, changes: 6_000 },
    Target { name: "signature", check: signature, changes: 5_000 },
    Target { name: "typed", check: typed, changes: 4_000 },
    Target { name: "wire", check: wire, changes: 600 },
];
