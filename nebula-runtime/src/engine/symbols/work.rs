//! Work on debug information: bounded in time, because anyone may have made it.

use std::time::Instant;

use gimli::{EndianSlice, LittleEndian};

/// How much work passes between two looks at the clock.
const STEPS: u32 = 256;

/// The bytes of a section.
pub(super) type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Why a module's debug information is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DebugInfoError {
    /// There is none for these places.
    Missing,
    /// It is damaged.
    Unreadable,
    /// It is too large, or takes too long to read.
    TooMuchWork,
}

impl From<gimli::Error> for DebugInfoError {
    fn from(_: gimli::Error) -> Self {
        Self::Unreadable
    }
}

/// Work that ends after some time.
pub(super) struct Work {
    end: Instant,
    steps: u32,
}

impl Work {
    /// Work that ends at `end`.
    pub(super) fn until(end: Instant) -> Self {
        Self { end, steps: 0 }
    }

    /// Notes one more step.
    pub(super) fn step(&mut self) -> Result<(), DebugInfoError> {
        self.steps = self.steps.wrapping_add(1);
        match self.steps.is_multiple_of(STEPS) && Instant::now() >= self.end {
            true => Err(DebugInfoError::TooMuchWork),
            false => Ok(()),
        }
    }
}

/// Whether a range contains an address. Linkers put the functions that they leave out at address 0, where no code is:
/// a code section begins with a number.
pub(super) fn contains(range: gimli::Range, address: u64) -> bool {
    range.begin > 0 && (range.begin..range.end).contains(&address)
}
