//! How engines allocate the parts of instances: core instances, memories, tables, stacks and garbage-collected heaps.

use std::num::NonZeroUsize;

use bytesize::ByteSize;
use wasmtime::{Collector, Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::{flavour::Flavour, limiter::MAX_TABLE_ELEMENTS};

/// The most core instances that one invocation may have. The pool only counts them, so a large total costs nothing.
pub(super) const CORE_INSTANCES: u32 = 1_000;

/// The linear memories that the pool has for one invocation. Nearly all guests have one, and a composition of two
/// components has two. A guest with more of them is allocated on demand.
const MEMORIES: u32 = 2;

/// The places for memories that the pool has for one invocation: a garbage-collected heap takes one as well.
const MEMORY_PLACES: u32 = MEMORIES + 1;

/// The tables that the pool has for one invocation. A component of one module has two, one of which is for the module's
/// imports. A composition of three components has six. A guest with more of them is allocated on demand.
const TABLES: u32 = 6;

/// The callable component instances of one invocation that the pool has stacks for, where guests run tasks of their
/// own. Each holds at most one stack while it waits for the host. Nearly all guests have one such instance, and a
/// composition of two components has two. A guest with more of them is [`Flavour::ManyStacks`].
pub(super) const CALLED_INSTANCES: u32 = 5;

/// The stacks for each invocation of a guest that runs tasks of its own. The additional one is for the next task.
const STACKS: u32 = CALLED_INSTANCES + 1;

/// The stacks for each instance that waits for its next invocation: it has no task, but Wasmtime keeps two stacks for
/// the next one.
const IDLE_STACKS: u32 = 2;

/// The most stack that a guest's calls may use, in bytes.
pub(super) const GUEST_STACK: usize = 512 << 10;

/// How many bytes of a slot stay mapped for its next guest. Giving pages back to the system costs a system call, and
/// interrupts every other core, for each request. Most guests touch less than this.
const KEEP_RESIDENT: usize = 256 << 10;

/// The initial size of a guest's garbage-collected heap, in bytes. The heap grows by doubling, and a step that would
/// exceed the guest's memory limit is refused. Most limits are powers of two. The initial size is a little under one,
/// so that the heap can reach nearly all of the limit and leaves the rest to the guest's linear memory.
const GC_HEAP: u64 = 15 << 16;

/// The address space that is reserved for each memory, in bytes: all that 32 bits can address, so that code need not
/// check bounds. This is Wasmtime's default. The pool has no larger memories.
const RESERVATION: u64 = 1 << 32;

/// How much more than it needs a memory gets when it grows without a reservation, in bytes. It moves each time that it
/// grows, so it should grow rarely.
const UNRESERVED_GROWTH: u64 = 1 << 20;

/// How an engine allocates the parts of its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Allocation {
    /// From a pool that has room for each invocation that is let in.
    Pooled,
    /// From the system, for guests that need more than the pool gives one invocation. All else is as with `Pooled`, so
    /// that both load the same code.
    OnDemand,
    /// From the system, without reserving address space, where the process has too little of it. Memories may move when
    /// they grow, and code checks bounds, so this code is different from that of the other two.
    Unreserved,
}

/// How many instances the pool has room for beside those of invocations: a trial makes one, and so does the initialiser of
/// a snapshot.
const TRIALS: u32 = 2;

/// How many invocations run at once, and how much memory each may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capacity {
    pub(super) concurrency: u32,
    pub(super) max_memory: ByteSize,
    /// Whether the stacks of running guests are sampled.
    pub(super) is_profiled: bool,
}

/// The most frames of a stack in a profile. A stack in an error has fewer.
const PROFILED_FRAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);

impl Capacity {
    /// How many instances may wait for their next invocation. Only instances of concurrent guests do so.
    pub(super) fn idle_instances(self, flavour: Flavour) -> u32 {
        if flavour.is_concurrent() { self.concurrency } else { 0 }
    }

    /// Whether the largest memory that a guest may have fits the pool.
    pub(super) fn fits_pool(self) -> bool {
        self.max_memory.as_u64() <= RESERVATION
    }

    fn pool(self, flavour: Flavour) -> wasmtime::Result<PoolingAllocationConfig> {
        let at_work = self.concurrency.saturating_add(TRIALS);
        let instances = at_work.saturating_add(self.idle_instances(flavour));
        let slots = |each: u32| instances.saturating_mul(each);
        let stacks = if flavour.is_concurrent() { STACKS } else { 1 };
        let idle_stacks = self.idle_instances(flavour).saturating_mul(IDLE_STACKS);
        let mut pool = PoolingAllocationConfig::new();
        // Wasmtime counts what a module or component needs while it loads the code, and refuses it if that is more than
        // this.
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
            .total_stacks(at_work.saturating_mul(stacks).saturating_add(idle_stacks))
            .max_unused_warm_slots(slots(MEMORIES))
            .max_memory_size(usize::try_from(self.max_memory.as_u64())?)
            .table_elements(MAX_TABLE_ELEMENTS)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT)
            .pagemap_scan(Enabled::Auto);
        Ok(pool)
    }
}

/// The configuration of an engine that only compiles: for engines that reserve address space, or for those that do not.
#[cfg(feature = "compiler")]
pub(super) fn compiling(flavour: Flavour, is_unreserved: bool) -> Config {
    let mut config = config(flavour);
    if is_unreserved {
        reserve_nothing(&mut config);
    }
    config
}

/// What the engines of a flavour have in common.
fn config(flavour: Flavour) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.max_wasm_stack(GUEST_STACK);
    // Debug information stays in the module, whatever the environment says: see `symbols`.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.concurrency_support(flavour.is_concurrent());
    // One of Wasmtime's other collectors never frees objects that refer to each other in a circle; the other one frees
    // nothing. The price of this one: it uses only half of its heap at a time.
    config.collector(Collector::Copying);
    config.gc_heap_initial_size(GC_HEAP);
    config.memory_reservation(RESERVATION);
    if flavour == Flavour::Deterministic {
        config.relaxed_simd_deterministic(true);
        canonicalize_nans(&mut config);
    }
    config
}

#[cfg(feature = "compiler")]
fn canonicalize_nans(config: &mut Config) {
    config.cranelift_nan_canonicalization(true);
}

/// NaNs are a matter of the compiler alone: an engine without one runs code with canonical NaNs as any other.
#[cfg(not(feature = "compiler"))]
fn canonicalize_nans(_: &mut Config) {}

/// Reserves no address space. These settings apply to garbage-collected heaps, too.
fn reserve_nothing(config: &mut Config) {
    config.memory_reservation(0).memory_reservation_for_growth(UNRESERVED_GROWTH);
    config.memory_guard_size(0).guard_before_linear_memory(false);
    config.memory_may_move(true);
}

/// An engine of this flavour that allocates in this way.
pub(super) fn engine(
    capacity: Capacity,
    flavour: Flavour,
    allocation: Allocation,
) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = config(flavour);
    if capacity.is_profiled {
        config.wasm_backtrace_max_frames(Some(PROFILED_FRAMES));
    }
    match allocation {
        Allocation::Pooled => {
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(capacity.pool(flavour)?));
        }
        Allocation::OnDemand => {}
        Allocation::Unreserved => reserve_nothing(&mut config),
    }
    wasmtime::Engine::new(&config)
}
