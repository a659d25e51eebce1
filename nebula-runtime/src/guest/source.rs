//! The linked code that the instances of a guest are made from.

use wasmtime::InstancePre;
use wasmtime_wasi::p1::WasiP1Ctx;

use crate::{engine::Host, host::ComponentPre};

/// The linked code that the instances of a guest are made from.
pub(super) enum Source<'a> {
    Pure(&'a InstancePre<Host<()>>),
    Module(&'a InstancePre<Host<WasiP1Ctx>>),
    Component(&'a ComponentPre),
}
