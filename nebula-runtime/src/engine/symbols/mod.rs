//! Names and lines for the frames of a guest's stack.
//!
//! Compiled code keeps the names of functions and the offsets of instructions. Debug information (DWARF) stays in the
//! module: compiled code with it would be twice as large or more, and Wasmtime would read it for each error, also when
//! a command ends by `exit`. So it is read from the store when a guest has failed, and only the places that were asked
//! for are kept.

#[cfg(feature = "compiler")]
mod debug_info;
mod frame;
#[cfg(feature = "compiler")]
mod functions;
#[cfg_attr(not(feature = "compiler"), path = "no_lines.rs")]
mod lines;
#[cfg(feature = "compiler")]
mod modules;
mod name;
#[cfg(feature = "compiler")]
mod profiled;
#[cfg(feature = "compiler")]
mod work;

#[cfg(feature = "compiler")]
use bytes::Bytes;
pub(super) use frame::CodeFrame;
#[cfg(feature = "compiler")]
pub(super) use frame::CodeSite;
use frame::SourceFrame;
use lines::Lines;

use crate::{call::StackFrame, function::Digest, store::Store};

/// The most frames of a stack that are shown. A function that was inlined into another has a frame of its own.
const MAX_FRAMES: usize = 32;

/// Names and lines of one module.
pub(crate) struct Symbols(Lines);

impl Symbols {
    /// The names and lines of a module in this store.
    pub(crate) fn new(store: &Store, module: Digest) -> Self {
        Self(Lines::new(store, module))
    }

    /// The names and lines of this module, which need not be in a store.
    #[cfg(feature = "compiler")]
    pub(crate) fn of_module(wasm: Bytes) -> Self {
        Self(Lines::of_module(wasm))
    }

    /// The stack for people to read, the innermost call first. Waits for debug information, but never for long.
    pub(super) async fn stack(&self, frames: &[CodeFrame]) -> Vec<StackFrame> {
        let known = self.0.find(frames).await;
        let shown = frames.iter().flat_map(|frame| {
            let lines = frame.site.and_then(|site| known.get(&site)).map(|lines| &**lines).unwrap_or_default();
            shown(frame, lines)
        });
        StackFrame::folded(shown.take(MAX_FRAMES))
    }
}

/// The stack without lines.
pub(super) fn named(frames: &[CodeFrame]) -> Vec<StackFrame> {
    StackFrame::folded(frames.iter().flat_map(|frame| shown(frame, &[])))
}

/// The lines of one frame: several if functions were inlined into it.
fn shown(frame: &CodeFrame, lines: &[SourceFrame]) -> Vec<StackFrame> {
    if lines.is_empty() {
        let offset = frame.site.map(|site| format!("{:#x}", site.instruction));
        return vec![StackFrame::new(&function(frame), offset.as_deref())];
    }
    let names = names(frame, lines);
    names.iter().zip(lines).map(|(name, line)| StackFrame::new(name, line.place().as_deref())).collect()
}

/// The functions of a frame's lines. The last one is the function itself: the module's name for it has its namespaces,
/// the debug information's often has none.
fn names(frame: &CodeFrame, lines: &[SourceFrame]) -> Vec<String> {
    let last = lines.len().saturating_sub(1);
    let name = |(index, line): (usize, &SourceFrame)| match &line.function {
        Some(name) if index < last || frame.name.is_none() => name::readable(name),
        _ => function(frame),
    };
    lines.iter().enumerate().map(name).collect()
}

/// The name of a frame's function.
fn function(frame: &CodeFrame) -> String {
    match &frame.name {
        Some(name) => name::readable(name),
        None => format!("function {}", frame.function),
    }
}
