//! The data that the host keeps for one running guest.

use bytesize::ByteSize;
use tokio::time::Instant;
use wasmtime_wasi::{WasiCtxView, WasiView, p1::WasiP1Ctx};

use super::{clock::TickGuard, limiter::Limiter};
use crate::{call::Caller, function::FunctionName};

/// The data of one guest's store: its limiter, its share in the clock, the invocation that it serves, and its system
/// interface (`()` for a guest without one).
pub(crate) struct Host<W> {
    pub(crate) wasi: W,
    pub(crate) limiter: Limiter,
    /// `None` while the guest waits for its next invocation.
    ticking: Option<TickGuard>,
    caller: Caller,
}

impl<W> Host<W> {
    pub(crate) fn new(wasi: W, max_memory: ByteSize, caller: Caller, ticking: TickGuard) -> Self {
        Self { wasi, limiter: Limiter::new(max_memory), ticking: Some(ticking), caller }
    }

    /// The invocation that the guest serves.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Notes that the guest was running when the clock ticked. Returns its function.
    pub(super) fn note_tick(&mut self) -> FunctionName {
        if let Some(ticking) = &mut self.ticking {
            ticking.note_tick();
        }
        self.caller.report.update(|report| report.function.name().clone())
    }

    /// Notes that the guest has served its invocation and waits for the next one.
    pub(crate) fn pause(&mut self) {
        self.note_peak();
        self.ticking = None;
    }

    /// Notes that the guest begins to serve another invocation.
    pub(super) fn resume(&mut self, caller: Caller, ticking: TickGuard) {
        self.caller = caller;
        self.limiter.forget_refusal();
        self.ticking = Some(ticking);
    }

    /// Whether other guests run beside this one.
    pub(super) fn has_other_guests(&self) -> bool {
        self.ticking.as_ref().is_some_and(TickGuard::has_other_guests)
    }

    fn note_peak(&self) {
        // Memory only grows: what the guest holds at its end is the peak.
        let memory = self.limiter.memory();
        if memory > 0 {
            self.caller.report.update(|report| report.peak_memory = memory);
        }
    }

    /// Notes that the guest is instantiated. That began at `began`.
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
