//! What the host keeps for one running guest.

use std::mem;

use tokio::time::Instant;
use wasmtime::ResourceLimiter;
use wasmtime_wasi::{WasiCtxView, WasiView, p1::WasiP1Ctx};

use super::{clock::Ticking, fault::is_out_of_space};
use crate::{ByteSize, ReportHandle};

/// The most elements that all tables of one guest may have together; an element is a pointer.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// What the host keeps for one guest: its limits, its clock, and its system interface (`()` for a guest without one).
pub(crate) struct Host<W> {
    pub(crate) wasi: W,
    pub(crate) limiter: Limiter,
    /// `None` while the guest waits for its next invocation.
    ticking: Option<Ticking>,
}

/// Counts what a guest allocates, refuses what is over its limit, and notes the peak in the report.
pub(crate) struct Limiter {
    report: ReportHandle,
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

impl<W> Host<W> {
    pub(crate) fn new(wasi: W, max_memory: ByteSize, report: ReportHandle, ticking: Ticking) -> Self {
        let max_memory = usize::try_from(max_memory.as_u64()).unwrap_or(usize::MAX);
        let limiter = Limiter { report, max_memory, memory: 0, table_elements: 0, refused: None, growing: (0, 0) };
        Self { wasi, limiter, ticking: Some(ticking) }
    }

    /// Notes that a tick has met the guest.
    pub(super) fn met_by_tick(&mut self) {
        if let Some(ticking) = &mut self.ticking {
            ticking.met();
        }
    }

    /// Ends the guest's part in an invocation, where it is to have a part in others.
    pub(crate) fn pause(&mut self) {
        self.limiter.note_peak();
        self.ticking = None;
    }

    /// Begins the guest's part in a further invocation.
    pub(super) fn resume(&mut self, report: ReportHandle, ticking: Ticking) {
        self.limiter.report = report;
        self.limiter.refused = None;
        self.ticking = Some(ticking);
    }

    /// Whether other guests run beside this one.
    pub(super) fn has_company(&self) -> bool {
        self.ticking.as_ref().is_some_and(Ticking::has_company)
    }

    /// Notes that the guest's instance, which was `began` to be made then, is there.
    pub(crate) fn instantiated(&self, began: Instant) {
        self.limiter.report.update(|report| report.instantiating = began.elapsed());
    }
}

impl WasiView for Host<WasiP1Ctx> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl Limiter {
    /// The memory that the guest holds now, in bytes: linear memory and the heap of its garbage collector.
    pub(crate) fn memory(&self) -> u64 {
        self.memory as u64
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

    fn note_peak(&self) {
        // Memory only grows, so what there is at the end is the peak.
        if self.memory > 0 {
            self.report.update(|report| report.peak_memory = self.memory as u64);
        }
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

impl Drop for Limiter {
    fn drop(&mut self) {
        self.note_peak();
    }
}
