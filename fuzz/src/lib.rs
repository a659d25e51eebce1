//! Fuzz targets. Each is a function of bytes that panics if Nebula does what it must not do.
//!
//! - A **fuzzer** calls them: `just fuzz TARGET SECONDS` measures which code an input reaches, and keeps the inputs
//!   that reach new code (`fuzz_targets/`).
//! - **Tests** call them: [`replay`] runs the files of `corpus/TARGET/`, and a few hundred changes of these, which are
//!   the same in each run.
//!
//! An input that made a target fail is mended in the product and becomes a file of the corpus.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a target fails by panicking")]

mod answer;
mod call;
mod functions;
mod lambda;
mod mutator;
mod pipe;
mod replay;
mod targets;

pub use self::{
    replay::{corpus, replay},
    targets::{
        TARGETS, Target, config, document, event, frontends, module, reference, registry, signature, typed, wire,
    },
};
