//! What is remembered for as long as there is room for it: the entries used most recently stay.

use std::hash::Hash;

use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

/// How many parts a cache has, each with a lock of its own. Where it is not said, the crate asks the system for its processors,
/// by a score of system calls at each start.
const SHARDS: usize = 16;

/// Room for `capacity` entries.
pub(crate) fn cache<Key: Eq + Hash, Value: Clone>(capacity: usize) -> Cache<Key, Value> {
    let mut options = OptionsBuilder::new();
    options.shards(SHARDS).estimated_items_capacity(capacity).weight_capacity(capacity as u64);
    match options.build() {
        Ok(options) => {
            Cache::with_options(options, UnitWeighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
        }
        // Only where a capacity is not said.
        Err(_) => Cache::new(capacity),
    }
}
