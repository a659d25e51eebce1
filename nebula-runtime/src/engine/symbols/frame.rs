//! Frames of a guest's stack, before they are for people to read.

use wasmtime::{FrameInfo, WasmBacktrace};

/// The most bytes of a name or a path that are kept.
const LONGEST: usize = 4096;

/// A frame as compiled code knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct CodeFrame {
    /// The name in the module, as a compiler wrote it.
    pub(super) name: Option<String>,
    /// The function's index in its module.
    pub(super) function: u32,
    pub(super) site: Option<CodeSite>,
}

/// A place in a module's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct CodeSite {
    /// The function's index in its module.
    pub(super) function: u32,
    /// Where the function's body begins, as an offset in the module's file.
    pub(super) body: u64,
    /// Where the instruction is, as an offset in the module's file.
    pub(super) instruction: u64,
}

/// A frame as debug information knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SourceFrame {
    /// The name, as a compiler wrote it.
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u64>,
    pub(super) column: Option<u64>,
}

impl CodeFrame {
    /// The frames of an error that a guest failed with, the innermost call first.
    pub(in super::super) fn of_error(error: &wasmtime::Error) -> Vec<Self> {
        error.downcast_ref::<WasmBacktrace>().map(Self::of_backtrace).unwrap_or_default()
    }

    /// The frames of a guest, the innermost call first.
    pub(in super::super) fn of_backtrace(backtrace: &WasmBacktrace) -> Vec<Self> {
        backtrace.frames().iter().map(Self::new).collect()
    }

    /// The place in the module's code, if the code is the module's own.
    #[cfg(feature = "compiler")]
    pub(in super::super) fn site(&self) -> Option<CodeSite> {
        self.site
    }

    fn new(frame: &FrameInfo) -> Self {
        let function = frame.func_index();
        let site = frame.module_offset().zip(frame.func_offset()).map(|(instruction, within)| CodeSite {
            function,
            body: instruction.saturating_sub(within) as u64,
            instruction: instruction as u64,
        });
        Self { name: frame.func_name().map(bounded), function, site }
    }
}

impl SourceFrame {
    /// `src/lib.rs:12:5`.
    pub(super) fn place(&self) -> Option<String> {
        let mut place = self.file.clone()?;
        for number in [self.line, self.line.and(self.column)].into_iter().flatten() {
            place += &format!(":{number}");
        }
        Some(place)
    }
}

/// A text of a module, up to a length that no honest one has.
pub(super) fn bounded(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default().to_owned()
}
