//! Counts what a guest allocates.

use std::mem;

use bytesize::ByteSize;
use rustix::io::Errno;
use wasmtime::{OutOfMemory, ResourceLimiter};

/// The most elements that all tables of one guest may have together; an element is a pointer.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// Counts what a guest allocates, and refuses what is over its limit.
pub(crate) struct Limiter {
    max_memory: usize,
    memory: usize,
    table_elements: usize,
    refused: Option<Refusal>,
    /// How large a memory is that has just been allowed to grow, and by how much it grows.
    growing: (usize, usize),
}

/// What a guest asked for and did not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// More memory than its limit.
    Memory,
    /// More memory than this machine had for it.
    Space,
    /// More table elements than [`MAX_TABLE_ELEMENTS`].
    Table,
}

/// A refusal, as the limiter knows it.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// To the memory that has this size now, in bytes: a linear one, or the heap of the guest's garbage collector.
    Memory(usize),
    /// To the same, by the system.
    Space(usize),
    Table,
}

impl Limiter {
    pub(super) fn new(max_memory: ByteSize) -> Self {
        let max_memory = usize::try_from(max_memory.as_u64()).unwrap_or(usize::MAX);
        Self { max_memory, memory: 0, table_elements: 0, refused: None, growing: (0, 0) }
    }

    /// The memory that the guest holds now, in bytes: linear memory and the heap of its garbage collector.
    pub(super) fn memory(&self) -> u64 {
        self.memory as u64
    }

    /// Forgets what the guest was refused, before it serves its next invocation.
    pub(super) fn forget_refusal(&mut self) {
        self.refused = None;
    }

    /// What the guest was refused last. A guest that fails after that most likely failed because of it.
    ///
    /// Not so where its garbage collector was refused a larger heap than one of `gc_heap` bytes: it then collects, and the guest
    /// goes on as if nothing had been or fails with an error of its own kind. Of a linear memory that happens to have the same
    /// size, nobody can tell.
    pub(super) fn refused(&self, gc_heap: usize) -> Option<Refused> {
        match self.refused? {
            Refusal::Memory(size) | Refusal::Space(size) if size == gc_heap && gc_heap > 0 => None,
            Refusal::Memory(_) => Some(Refused::Memory),
            Refusal::Space(_) => Some(Refused::Space),
            Refusal::Table => Some(Refused::Table),
        }
    }

    /// Whether what the guest was refused last was refused by the system.
    pub(super) fn lacks_space(&self) -> bool {
        matches!(self.refused, Some(Refusal::Space(_)))
    }

    /// The total after an allocation grows from `current` to `desired`, if it is within `max`.
    fn grown(total: usize, current: usize, desired: usize, max: usize) -> Option<usize> {
        total.checked_add(desired.saturating_sub(current)).filter(|total| *total <= max)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let Some(total) = Self::grown(self.memory, current, desired, self.max_memory) else {
            self.refused = Some(Refusal::Memory(current));
            return Ok(false);
        };
        // Past the memory's own maximum the guest breaks its own rule, not ours.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if let Some(Refusal::Memory(size) | Refusal::Space(size)) = &mut self.refused
            && *size == current
        {
            *size = desired;
        }
        self.growing = (current, total - self.memory);
        self.memory = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        let (size, growth) = mem::take(&mut self.growing);
        self.memory -= growth;
        if is_out_of_space(&error) {
            self.refused = Some(Refusal::Space(size));
        }
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        match Self::grown(self.table_elements, current, desired, MAX_TABLE_ELEMENTS) {
            Some(total) if maximum.is_none_or(|maximum| desired <= maximum) => self.table_elements = total,
            Some(_) => return Ok(false),
            None => {
                self.refused = Some(Refusal::Table);
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether the system had no memory, or no address space, for what Wasmtime asked of it.
pub(super) fn is_out_of_space(error: &wasmtime::Error) -> bool {
    error.is::<OutOfMemory>() || error.chain().any(|cause| cause.downcast_ref() == Some(&Errno::NOMEM))
}
