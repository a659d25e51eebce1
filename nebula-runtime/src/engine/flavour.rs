//! The kinds of engines that code is compiled for.

/// Whether guests run tasks of their own (the component model's async functions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flavour {
    Plain,
    Concurrent,
    /// The same, of a guest whose tasks may hold more stacks at a time than the pool has for an invocation. Wasmtime does not
    /// tell how many, so that it is counted when the guest is compiled, and kept with its code as this flavour.
    ManyStacks,
}

impl Flavour {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Concurrent, Self::ManyStacks];

    pub(super) fn is_concurrent(self) -> bool {
        self != Self::Plain
    }

    /// The flavour whose engines run guests of this one.
    pub(super) fn of_engine(self) -> Self {
        if self == Self::ManyStacks { Self::Concurrent } else { self }
    }
}
