//! The kinds of engines that code is compiled for.

/// The kind of engine that a guest needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flavour {
    /// For guests that run no tasks of their own.
    Plain,
    /// For guests that run tasks of their own (the component model's async functions).
    Concurrent,
    /// For guests whose tasks may hold more stacks at a time than the pool has for one invocation. Wasmtime does not
    /// tell how many stacks a guest needs, so they are counted when the guest is compiled, and its code is kept under
    /// this flavour.
    ManyStacks,
    /// For pure functions: where WebAssembly leaves a choice, their code does the same on every processor.
    Deterministic,
}

impl Flavour {
    /// The flavours that code may have. A module's own needs decide between them.
    pub(super) fn of_code(is_deterministic: bool) -> &'static [Self] {
        match is_deterministic {
            true => &[Self::Deterministic],
            false => &[Self::Plain, Self::Concurrent, Self::ManyStacks],
        }
    }

    pub(super) fn is_concurrent(self) -> bool {
        matches!(self, Self::Concurrent | Self::ManyStacks)
    }

    /// The name of the engines that run guests of this flavour, for metrics.
    pub(super) fn engine_name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Concurrent | Self::ManyStacks => "concurrent",
            Self::Deterministic => "deterministic",
        }
    }

    /// The flavour of the engines that run guests of this flavour.
    pub(super) fn of_engine(self) -> Self {
        if self == Self::ManyStacks { Self::Concurrent } else { self }
    }
}
