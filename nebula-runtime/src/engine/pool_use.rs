//! What guests use of an engine's pool.

use wasmtime::PoolingAllocatorMetrics;

use super::Flavour;

/// What guests use of the pool of one engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolUse {
    /// The engine: `plain`, `concurrent` for guests of WASI 0.3, or `deterministic` for pure functions.
    pub engine: &'static str,
    /// How many core instances there are.
    pub instances: u64,
    /// How many linear memories.
    pub memories: u64,
    /// How many tables.
    pub tables: u64,
    /// How many stacks.
    pub stacks: u64,
    /// How many heaps of garbage collectors.
    pub gc_heaps: u64,
    /// How many memories no guest uses that still hold the pages of an earlier guest's image.
    pub warm_memories: u64,
    /// The bytes that unused memories, tables and stacks keep resident.
    pub unused_resident: u64,
}

impl PoolUse {
    /// What is used of the pool of this engine, if it has one.
    pub(super) fn of(flavour: Flavour, engine: &wasmtime::Engine) -> Option<Self> {
        let pool = engine.pooling_allocator_metrics()?;
        Some(Self {
            engine: flavour.engine_name(),
            instances: pool.core_instances(),
            memories: pool.memories() as u64,
            tables: pool.tables() as u64,
            stacks: pool.stacks() as u64,
            gc_heaps: pool.gc_heaps() as u64,
            warm_memories: pool.unused_warm_memories().into(),
            unused_resident: unused_resident(&pool),
        })
    }
}

fn unused_resident(pool: &PoolingAllocatorMetrics) -> u64 {
    let stacks = pool.unused_stack_bytes_resident().unwrap_or_default();
    (pool.unused_memory_bytes_resident() + pool.unused_table_bytes_resident() + stacks) as u64
}
