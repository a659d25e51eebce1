//! A cache with room for a number of entries: those that were used most recently stay.

use std::hash::Hash;

use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

/// How many parts a cache has, each with a lock of its own. Without this number, the crate asks the system for its
/// processors, with a score of system calls at each start.
const SHARDS: usize = 16;

/// A cache with room for `capacity` entries.
pub(crate) fn cache<Key: Eq + Hash, Value: Clone>(capacity: usize) -> Cache<Key, Value> {
    let mut options = OptionsBuilder::new();
    options.shards(SHARDS).estimated_items_capacity(capacity).weight_capacity(capacity as u64);
    match options.build() {
        Ok(options) => {
            Cache::with_options(options, UnitWeighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
        }
        // It fails only without a capacity.
        Err(_) => Cache::new(capacity),
    }
}
