//! What a runtime holds, for metrics.

use crate::{
    call::{Gate, Occupancy},
    engine::{CodeLoads, PoolUse},
    guest::{Loader, ResultCacheUse, Results},
    layers::MemoryAdmission,
};

/// What a runtime holds now, and how often it has loaded code: numbers for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resources {
    /// The places of the layer [`Admission`](crate::Admission), where the runtime has one.
    pub places: Option<Occupancy>,
    /// The bytes that the layer [`MemoryAdmission`](crate::MemoryAdmission) has granted, where the runtime has one.
    pub guest_memory: Option<Occupancy>,
    /// What guests use of the pool of each engine.
    pub pools: Vec<PoolUse>,
    /// How many modules are in memory.
    pub loaded_modules: u64,
    /// Where the code came from that was loaded.
    pub code: CodeLoads,
    /// What the results of pure functions take.
    pub results: ResultCacheUse,
}

/// The gates of a runtime's layers.
#[derive(Default)]
pub(super) struct Gates {
    pub(super) places: Option<Gate>,
    pub(super) memory: Option<Gate>,
}

impl Resources {
    pub(super) fn of(gates: &Gates, loader: &Loader, results: &Results) -> Self {
        Self {
            places: gates.places.as_ref().map(Gate::occupancy),
            guest_memory: gates.memory.as_ref().map(MemoryAdmission::granted_of),
            pools: loader.pools(),
            loaded_modules: loader.count(),
            code: loader.code_loads(),
            results: results.used(),
        }
    }
}
