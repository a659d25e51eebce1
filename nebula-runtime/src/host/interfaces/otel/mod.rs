//! `wasi:otel`: spans and lines for the log that guests make themselves.
//!
//! The functions are there whether anybody takes the spans or not. A guest asks for the span that it runs in, makes
//! spans within it, and gives each to the host when it has ended.

mod logs;
mod records;
mod tracing;

use wasmtime::component::{Linker, Val};

use crate::{engine::Host, host::system::System};

/// What the names of the interfaces begin with.
pub(super) const INTERFACES: &[&str] = &["wasi:otel/"];

/// Adds the interfaces of 0.2.0-rc.2. In this version `current-span-context` was called `outer-span-context` at first.
pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    let mut tracing = linker.instance("wasi:otel/tracing@0.2.0-rc.2")?;
    tracing.func_wrap("on-start", tracing::on_start)?;
    tracing.func_wrap("on-end", tracing::on_end)?;
    tracing.func_wrap("outer-span-context", tracing::current)?;
    tracing.func_wrap("current-span-context", tracing::current)?;
    linker.instance("wasi:otel/logs@0.2.0-rc.2")?.func_wrap("on-emit", logs::on_emit)?;
    linker.instance("wasi:otel/metrics@0.2.0-rc.2")?.func_new("export", |_, _, _, results| {
        if let Some(result) = results.first_mut() {
            let why = "this host does not collect the metrics of functions".to_owned();
            *result = Val::Result(Err(Some(Box::new(Val::String(why)))));
        }
        Ok(())
    })?;
    linker.instance("wasi:otel/types@0.2.0-rc.2").map(drop)
}
