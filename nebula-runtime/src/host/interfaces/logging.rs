//! `wasi:logging`: lines that guests write to the log.

use wasmtime::{
    StoreContextMut,
    component::{ComponentType, Lift, Linker},
};

use crate::{engine::Host, function::shortened, host::system::System};

/// What the names of the interfaces begin with.
pub(super) const INTERFACES: &[&str] = &["wasi:logging/"];

/// The names of one and the same interface.
const NAMES: [&str; 2] = ["wasi:logging/logging@0.1.0-draft", "wasi:logging/logging"];

/// `level`.
#[derive(ComponentType, Lift, Clone, Copy)]
#[expect(dead_code, reason = "guests make the values")]
#[component(enum)]
#[repr(u8)]
pub(super) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

/// Logs one line. A macro, because an event's level is a part of its call site.
macro_rules! log_line {
    ($level:expr, $caller:expr, $context:expr, $line:expr) => {
        tracing::event!(target: "nebula::guest", $level, invocation_id = %$caller.id, context = $context, "{}", $line)
    };
}

/// Adds the interface.
pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    for name in NAMES {
        linker.instance(name)?.func_wrap("log", log)?;
    }
    Ok(())
}

fn log(
    host: StoreContextMut<'_, Host<System>>,
    (level, context, message): (Level, String, String),
) -> wasmtime::Result<()> {
    write(host, level, &context, &message);
    Ok(())
}

/// Writes a line to the log, as far as the guest may still write.
pub(super) fn write(mut host: StoreContextMut<'_, Host<System>>, level: Level, context: &str, message: &str) {
    let left = host.data_mut().wasi.log_left();
    let context = taken(left, context);
    let line = if *left == 0 { return } else { taken(left, message) };
    let caller = host.data().caller();
    match level {
        Level::Trace => log_line!(tracing::Level::TRACE, caller, context, line),
        Level::Debug => log_line!(tracing::Level::DEBUG, caller, context, line),
        Level::Info => log_line!(tracing::Level::INFO, caller, context, line),
        Level::Warn => log_line!(tracing::Level::WARN, caller, context, line),
        Level::Error | Level::Critical => log_line!(tracing::Level::ERROR, caller, context, line),
    }
}

/// The text, or its beginning where no more may be logged.
fn taken(left: &mut usize, text: &str) -> String {
    let text = shortened(text, *left);
    *left = left.saturating_sub(text.chars().count());
    text
}
