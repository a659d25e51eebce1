//! How instances get what they are made of: core instances, memories, tables, stacks and garbage-collected heaps.

use bytesize::ByteSize;
use wasmtime::{Collector, Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::{flavour::Flavour, limiter::MAX_TABLE_ELEMENTS};

/// The most core instances that one invocation may have. They are a counter in the pool, so their total costs nothing.
pub(super) const CORE_INSTANCES: u32 = 1_000;

/// The linear memories of one invocation that the pool has room for. Nearly all guests have one, and a composition of two
/// components has two. A guest of more is allocated on demand.
const MEMORIES: u32 = 2;

/// The memory places that one invocation has in the pool: the heap of a garbage collector takes one as well.
const MEMORY_PLACES: u32 = MEMORIES + 1;

/// The tables of one invocation that the pool has room for. A component of one module has two, with that of the module's
/// imports, and a composition of three components has six. A guest of more is allocated on demand.
const TABLES: u32 = 6;

/// The component instances of one invocation that the pool has stacks for, where guests run tasks of their own: each that can
/// be called holds one stack at most while it waits for the host. Nearly all guests have one such instance, and a composition
/// of two components has two. A guest of more is [`Flavour::ManyStacks`].
pub(super) const CALLED_INSTANCES: u32 = 5;

/// Stacks for each invocation of a guest that runs tasks of its own: one more is for the next task.
const STACKS: u32 = CALLED_INSTANCES + 1;

/// Stacks for each instance that waits for its next invocation: it has no task, and Wasmtime keeps two stacks for the next.
const IDLE_STACKS: u32 = 2;

/// The most that a guest's calls may have of a stack, in bytes.
pub(super) const GUEST_STACK: usize = 512 << 10;

/// How much of a slot stays mapped for its next guest. Giving pages back costs a system call and an interrupt of every
/// other core for each request; most guests touch less than this.
const KEEP_RESIDENT: usize = 256 << 10;

/// How large the heap of a guest's garbage collector is at first, in bytes. It doubles from there, and a step that does not
/// fit the guest's limit is refused whole. This is a little under a power of two, as limits mostly are one: so nearly all of
/// a limit can be reached, and what is left of it is for the guest's linear memory.
const GC_HEAP: u64 = 15 << 16;

/// The address space that is reserved for each memory, in bytes: all that 32 bits can address, so that code need not check
/// its bounds. Wasmtime's default; the pool has no larger memories.
const RESERVATION: u64 = 1 << 32;

/// By how much more than it needs a memory grows where nothing is reserved for it, in bytes: it moves each time.
const UNRESERVED_GROWTH: u64 = 1 << 20;

/// How the instances of an engine get what they are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Allocation {
    /// From a pool that has room for each invocation that is let in.
    Pooled,
    /// One by one: for a guest that needs more than its part of the pool. Nothing else differs, so that the code of a guest
    /// is the same for both.
    OnDemand,
    /// One by one, and without reserving address space: where that is short. Memories may move when they grow, and code
    /// checks their bounds, so that it is code of its own.
    Unreserved,
}

/// How many invocations there may be at once, and the memory that each may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) concurrency: u32,
    pub(super) max_memory: ByteSize,
}

impl Size {
    /// How many instances may wait for their next invocation, beside those at work: only concurrent guests have such.
    pub(super) fn waiting(self, flavour: Flavour) -> u32 {
        if flavour.is_concurrent() { self.concurrency } else { 0 }
    }

    /// Whether each memory that a guest may have fits the pool.
    pub(super) fn fits_pool(self) -> bool {
        self.max_memory.as_u64() <= RESERVATION
    }

    fn pool(self, flavour: Flavour) -> wasmtime::Result<PoolingAllocationConfig> {
        let instances = self.concurrency.saturating_add(self.waiting(flavour));
        let slots = |each: u32| instances.saturating_mul(each);
        let stacks = if flavour.is_concurrent() { STACKS } else { 1 };
        let idle_stacks = self.waiting(flavour).saturating_mul(IDLE_STACKS);
        let mut pool = PoolingAllocationConfig::new();
        // Wasmtime counts what a module or component needs when its code is loaded, and refuses what is over its part.
        pool.max_memories_per_module(MEMORIES)
            .max_memories_per_component(MEMORIES)
            .max_tables_per_module(TABLES)
            .max_tables_per_component(TABLES)
            .max_core_instances_per_component(CORE_INSTANCES);
        pool.total_core_instances(slots(CORE_INSTANCES))
            .total_component_instances(instances)
            .total_memories(slots(MEMORY_PLACES))
            .total_gc_heaps(instances)
            .total_tables(slots(TABLES))
            .total_stacks(self.concurrency.saturating_mul(stacks).saturating_add(idle_stacks))
            .max_unused_warm_slots(slots(MEMORIES))
            .max_memory_size(usize::try_from(self.max_memory.as_u64())?)
            .table_elements(MAX_TABLE_ELEMENTS)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT)
            .pagemap_scan(Enabled::Auto);
        Ok(pool)
    }
}

/// The setup of an engine that compiles, and runs nothing. Its code is that of the engines which reserve address space.
pub(super) fn config(flavour: Flavour) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.max_wasm_stack(GUEST_STACK);
    config.concurrency_support(flavour.is_concurrent());
    // The others never free what refers to itself in a circle, or anything at all. This one uses half of its heap at a time.
    config.collector(Collector::Copying);
    config.gc_heap_initial_size(GC_HEAP);
    config.memory_reservation(RESERVATION);
    config
}

/// The engine of a flavour whose instances are allocated in this way.
pub(super) fn engine(size: Size, flavour: Flavour, allocation: Allocation) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = config(flavour);
    match allocation {
        Allocation::Pooled => {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(size.pool(flavour)?));
        }
        Allocation::OnDemand => {}
        // A garbage-collected heap is allocated as memories are, where nothing else is said of it.
        Allocation::Unreserved => {
            config.memory_reservation(0).memory_reservation_for_growth(UNRESERVED_GROWTH);
            config.memory_guard_size(0).guard_before_linear_memory(false);
            config.memory_may_move(true);
        }
    }
    wasmtime::Engine::new(&config)
}
