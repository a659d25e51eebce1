//! Metrics of a runtime: its places, its memory, its pools, its code and its store.

use nebula_runtime::{CodeLoads, Occupancy, PoolUse, Resources, ResultCacheUse, StoreHealth};

use super::reading::Reading;

/// What a runtime holds.
pub(super) fn readings(resources: &Resources) -> Vec<Reading> {
    let Resources { places, guest_memory, pools, loaded_modules, code, results, .. } = resources;
    let mut readings = Vec::new();
    readings.extend(places.iter().flat_map(admission));
    readings.extend(guest_memory.iter().flat_map(memory));
    readings.extend(self::pools(pools));
    readings.push(Reading::gauge("nebula_loaded_modules", "Modules whose code is in memory", *loaded_modules));
    readings.extend(self::code(code));
    readings.extend(self::results(results));
    readings
}

/// Whether the store can be read.
pub(super) fn store(health: &StoreHealth) -> Vec<Reading> {
    let away = "1 while functions are served as they are known, because the store is out of reach";
    let failed = "Reads of functions that failed because the store was out of reach";
    vec![
        Reading::gauge("nebula_store_away", away, health.is_away()),
        Reading::counter("nebula_store_reads", "Reads of functions from the store", health.reads()),
        Reading::counter("nebula_store_failed_reads", failed, health.failed_reads()),
    ]
}

fn admission(places: &Occupancy) -> [Reading; 3] {
    let waiting = "Invocations that wait for a place of the server";
    [
        Reading::gauge("nebula_admission_taken", "Places of the server that invocations have", places.taken),
        Reading::gauge("nebula_admission_places", "Places of the server", places.total),
        Reading::gauge("nebula_admission_waiting", waiting, places.waiting),
    ]
}

fn memory(memory: &Occupancy) -> [Reading; 3] {
    let granted = "Memory that running invocations may use together";
    let waiting = "Invocations that wait for memory of the server";
    [
        Reading::gauge("nebula_guest_memory_granted_bytes", granted, memory.taken),
        Reading::gauge("nebula_guest_memory_limit_bytes", "Memory that all guests may have", memory.total),
        Reading::gauge("nebula_guest_memory_waiting", waiting, memory.waiting),
    ]
}

/// A part of what is used of a pool.
type Part = fn(&PoolUse) -> u64;

fn pools(pools: &[PoolUse]) -> Vec<Reading> {
    let shown: [(_, _, Part); 7] = [
        ("nebula_pool_instances", "Core instances in the engine's pool", |pool| pool.instances),
        ("nebula_pool_memories", "Linear memories that guests have of the engine's pool", |pool| pool.memories),
        ("nebula_pool_tables", "Tables that guests have of the engine's pool", |pool| pool.tables),
        ("nebula_pool_stacks", "Stacks that guests have of the engine's pool", |pool| pool.stacks),
        ("nebula_pool_gc_heaps", "Garbage-collected heaps that guests have of the engine's pool", |pool| pool.gc_heaps),
        ("nebula_pool_warm_memories", "Free memories that keep an earlier guest's image", |pool| pool.warm_memories),
        ("nebula_pool_unused_bytes", "Memory that free slots of the engine's pool keep", |pool| pool.unused_resident),
    ];
    let reading = |(name, help, value): (_, _, Part)| {
        Reading::gauges(name, help, "engine", pools.iter().map(|pool| (pool.engine, value(pool))))
    };
    shown.into_iter().map(reading).collect()
}

fn results(results: &ResultCacheUse) -> [Reading; 3] {
    let ResultCacheUse { results, bytes, limit, .. } = *results;
    [
        Reading::gauge("nebula_results", "Results of pure functions that are kept", results),
        Reading::gauge("nebula_results_bytes", "Memory that results of pure functions take", bytes),
        Reading::gauge("nebula_results_limit_bytes", "Memory that results of pure functions may take", limit),
    ]
}

fn code(code: &CodeLoads) -> [Reading; 2] {
    let CodeLoads { cached, compiled, failed, compiling, .. } = code;
    let loads = [("cache", *cached), ("compiler", *compiled), ("failed", *failed)];
    let help = "Modules whose code was loaded, by where it came from";
    [
        Reading::counters("nebula_code_loads", help, "from", loads),
        Reading::counter("nebula_compile_seconds", "Time that compiling took", compiling.as_secs_f64()),
    ]
}
