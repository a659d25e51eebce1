//! The memory and the globals of an instance, as Wizer reads them.

use wasmtime::Val;
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType};

use super::initialise::Initialised;

/// The memory and the globals of an instance. Reading them never waits.
pub(super) struct State {
    initialised: Initialised,
    /// Whether something was asked for that the instance does not have.
    has_missed: bool,
}

impl State {
    pub(super) fn of(initialised: Initialised) -> Self {
        Self { initialised, has_missed: false }
    }

    /// Whether all that was asked for was there.
    pub(super) fn was_read(&self) -> bool {
        !self.has_missed
    }

    fn global(&mut self, name: &str) -> Option<SnapshotVal> {
        let Initialised { store, instance } = &mut self.initialised;
        match instance.get_global(&mut *store, name)?.get(store) {
            Val::I32(value) => Some(SnapshotVal::I32(value)),
            Val::I64(value) => Some(SnapshotVal::I64(value)),
            Val::F32(bits) => Some(SnapshotVal::F32(bits)),
            Val::F64(bits) => Some(SnapshotVal::F64(bits)),
            Val::V128(value) => Some(SnapshotVal::V128(value.as_u128())),
            _ => None,
        }
    }
}

impl InstanceState for State {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let value = self.global(name);
        self.has_missed |= value.is_none();
        value.unwrap_or(SnapshotVal::I32(0))
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        let Initialised { store, instance } = &mut self.initialised;
        match instance.get_memory(&mut *store, name) {
            Some(memory) => contents(memory.data(store)),
            None => self.has_missed = true,
        }
    }
}
