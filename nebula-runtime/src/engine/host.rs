//! What the host keeps for one running guest.

use bytesize::ByteSize;
use tokio::time::Instant;
use wasmtime_wasi::{WasiCtxView, WasiView, p1::WasiP1Ctx};

use super::{clock::Ticking, limiter::Limiter};
use crate::call::Caller;

/// What the host keeps for one guest: its limits, its clock, and its system interface (`()` for a guest without one).
pub(crate) struct Host<W> {
    pub(crate) wasi: W,
    pub(crate) limiter: Limiter,
    /// `None` while the guest waits for its next invocation.
    ticking: Option<Ticking>,
    caller: Caller,
}

impl<W> Host<W> {
    pub(crate) fn new(wasi: W, max_memory: ByteSize, caller: Caller, ticking: Ticking) -> Self {
        Self { wasi, limiter: Limiter::new(max_memory), ticking: Some(ticking), caller }
    }

    /// The invocation that the guest serves.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Notes that a tick has met the guest.
    pub(super) fn met_by_tick(&mut self) {
        if let Some(ticking) = &mut self.ticking {
            ticking.met();
        }
    }

    /// Ends the guest's part in an invocation, where it is to have a part in others.
    pub(crate) fn pause(&mut self) {
        self.note_peak();
        self.ticking = None;
    }

    /// Begins the guest's part in a further invocation.
    pub(super) fn resume(&mut self, caller: Caller, ticking: Ticking) {
        self.caller = caller;
        self.limiter.forget_refusal();
        self.ticking = Some(ticking);
    }

    /// Whether other guests run beside this one.
    pub(super) fn has_company(&self) -> bool {
        self.ticking.as_ref().is_some_and(Ticking::has_company)
    }

    fn note_peak(&self) {
        // Memory only grows: what the guest holds at its end is the peak.
        let memory = self.limiter.memory();
        if memory > 0 {
            self.caller.report.update(|report| report.peak_memory = memory);
        }
    }

    /// Notes that the guest's instance is made. Making it began at `began`.
    pub(crate) fn instantiated(&self, began: Instant) {
        self.caller.report.update(|report| report.instantiating = began.elapsed());
    }
}

impl WasiView for Host<WasiP1Ctx> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl<W> Drop for Host<W> {
    fn drop(&mut self) {
        self.note_peak();
    }
}
