//! Caches with room for a number of entries or of bytes: those that were used most recently stay.

use std::hash::Hash;

use bytesize::ByteSize;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter, Weighter,
    sync::{Cache, DefaultLifecycle},
};

/// How many parts a cache has, each with a lock of its own. Without this number, the crate asks the system for its
/// processors, with a score of system calls at each start.
const SHARDS: usize = 16;

/// A cache with room for `capacity` entries.
pub(crate) fn cache<Key: Eq + Hash, Value: Clone>(capacity: usize) -> Cache<Key, Value> {
    weighed_cache(capacity, capacity as u64, UnitWeighter)
}

/// A cache with room for `capacity` bytes. `size` tells how many bytes an entry takes.
pub(crate) fn sized_cache<Key, Value, Size>(capacity: ByteSize, size: Size) -> Cache<Key, Value, Size>
where
    Key: Eq + Hash,
    Value: Clone,
    Size: Weighter<Key, Value> + Clone,
{
    /// How many bytes an entry takes, about: the cache divides itself by the number of its entries.
    const ENTRY: u64 = 512;

    let entries = usize::try_from(capacity.as_u64() / ENTRY).unwrap_or(usize::MAX);
    weighed_cache(entries, capacity.as_u64(), size)
}

fn weighed_cache<Key, Value, Weight>(entries: usize, capacity: u64, weight: Weight) -> Cache<Key, Value, Weight>
where
    Key: Eq + Hash,
    Value: Clone,
    Weight: Weighter<Key, Value> + Clone,
{
    let mut options = OptionsBuilder::new();
    options.shards(SHARDS).estimated_items_capacity(entries).weight_capacity(capacity);
    match options.build() {
        Ok(options) => Cache::with_options(options, weight, DefaultHashBuilder::default(), DefaultLifecycle::default()),
        // It fails only without a capacity.
        Err(_) => Cache::with_weighter(entries, capacity, weight),
    }
}
