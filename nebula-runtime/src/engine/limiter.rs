//! Limits the memory and the tables of a guest.

use std::mem;

use bytesize::ByteSize;
use rustix::io::Errno;
use wasmtime::{OutOfMemory, ResourceLimiter};

/// The most elements that all tables of one guest may have together; an element is a pointer.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// Counts what a guest allocates, and refuses an allocation that would exceed a limit.
pub(crate) struct Limiter {
    max_memory: usize,
    memory: usize,
    table_elements: usize,
    refused: Option<Refusal>,
    /// Whether the system ever refused memory to the guest.
    has_lacked_system_memory: bool,
    /// The size of the memory that was last allowed to grow, and by how many bytes it grows.
    growing: (usize, usize),
}

/// The limit for which a guest was refused an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExceededLimit {
    /// The function's own memory limit.
    Memory,
    /// The memory or address space that this process has.
    SystemMemory,
    /// [`MAX_TABLE_ELEMENTS`].
    Table,
}

/// A refused allocation.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// The limiter refused to grow a memory that has this size now, in bytes. It is a linear memory or the heap of the
    /// guest's garbage collector.
    Memory(usize),
    /// The system had no memory to grow a memory that has this size now, in bytes.
    SystemMemory(usize),
    Table,
}

impl Limiter {
    pub(super) fn new(max_memory: ByteSize) -> Self {
        let max_memory = usize::try_from(max_memory.as_u64()).unwrap_or(usize::MAX);
        Self {
            max_memory,
            memory: 0,
            table_elements: 0,
            refused: None,
            has_lacked_system_memory: false,
            growing: (0, 0),
        }
    }

    /// The memory that the guest may have, in bytes.
    pub(crate) fn max_memory(&self) -> u64 {
        self.max_memory as u64
    }

    /// The memory that the guest holds now, in bytes: linear memory and the heap of its garbage collector.
    pub(super) fn memory(&self) -> u64 {
        self.memory as u64
    }

    /// Forgets the last refusal, before the guest serves its next invocation.
    pub(super) fn forget_refusal(&mut self) {
        self.refused = None;
    }

    /// The last limit for which the guest was refused an allocation. A guest that fails afterwards most likely failed
    /// because of it.
    ///
    /// A refusal to the garbage collector's heap, which has `gc_heap` bytes now, does not count. The collector then
    /// makes room, and the guest goes on, or Wasmtime fails it with an error that says so. A linear memory of exactly
    /// the same size cannot be told apart from the heap.
    pub(super) fn refused(&self, gc_heap: usize) -> Option<ExceededLimit> {
        match self.refused? {
            Refusal::Memory(size) | Refusal::SystemMemory(size) if size == gc_heap && gc_heap > 0 => None,
            Refusal::Memory(_) => Some(ExceededLimit::Memory),
            Refusal::SystemMemory(_) => Some(ExceededLimit::SystemMemory),
            Refusal::Table => Some(ExceededLimit::Table),
        }
    }

    /// Whether the last refusal came from the system.
    pub(super) fn lacks_system_memory(&self) -> bool {
        matches!(self.refused, Some(Refusal::SystemMemory(_)))
    }

    /// Whether the system ever refused memory to the guest, which may then behave as it would not another time.
    pub(crate) fn has_lacked_system_memory(&self) -> bool {
        self.has_lacked_system_memory
    }

    /// The new total if an allocation grows from `current` to `desired`, or `None` if that is more than `max`.
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
        // Growing past the maximum that the guest itself declares fails, too, but not because of our limit.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if let Some(Refusal::Memory(size) | Refusal::SystemMemory(size)) = &mut self.refused
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
        if is_out_of_memory(&error) {
            self.refused = Some(Refusal::SystemMemory(size));
            self.has_lacked_system_memory = true;
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

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.has_lacked_system_memory = true;
        Ok(())
    }
}

/// Whether the system refused memory or address space to Wasmtime.
pub(super) fn is_out_of_memory(error: &wasmtime::Error) -> bool {
    error.is::<OutOfMemory>() || error.chain().any(|cause| cause.downcast_ref() == Some(&Errno::NOMEM))
}
