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
}

impl Flavour {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Concurrent, Self::ManyStacks];

    pub(super) fn is_concurrent(self) -> bool {
        self != Self::Plain
    }

    /// The flavour of the engines that run guests of this flavour.
    pub(super) fn of_engine(self) -> Self {
        if self == Self::ManyStacks { Self::Concurrent } else { self }
    }
}
