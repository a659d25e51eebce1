//! How much of something limited is taken.

/// How much of something limited is taken, and how many invocations wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Occupancy {
    /// What is taken now.
    pub taken: u64,
    /// What there is.
    pub total: u64,
    /// How many invocations wait.
    pub waiting: u64,
}

impl Occupancy {
    /// The same in another unit, of which there are `size` in each of these.
    #[must_use]
    pub(crate) fn times(self, size: u64) -> Self {
        let Self { taken, total, waiting } = self;
        Self { taken: taken.saturating_mul(size), total: total.saturating_mul(size), waiting }
    }
}
