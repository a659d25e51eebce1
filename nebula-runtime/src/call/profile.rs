//! What a profile tells: where guests spent their time.

use std::time::Duration;

use super::stack::{beginning, end};

/// The stacks that guests had while they ran, sampled at an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The time between two samples of a guest that runs.
    pub interval: Duration,
    /// The different places in the stacks.
    pub frames: Vec<ProfileFrame>,
    /// The different stacks: indices of frames, with the outermost call first.
    pub stacks: Vec<Vec<usize>>,
    /// The samples, in the order of their times.
    pub samples: Vec<ProfileSample>,
    /// How many samples were dropped, because there were too many.
    pub lost: u64,
}

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileSample {
    /// When it was taken, after the beginning of the profile.
    pub at: Duration,
    /// The index of its stack.
    pub stack: usize,
}

/// A place in a stack: a function, and the line that it was at.
///
/// Names come from the guest, which anyone may have made. Here they are short, and have no character that would change
/// a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ProfileFrame {
    /// The function's name. A function without a name is `function 12`.
    pub function: String,
    /// The file, if the module has debug information.
    pub file: Option<String>,
    /// The line in the file.
    pub line: Option<u64>,
}

impl Profile {
    /// The frames of a sample, with the outermost call first.
    pub fn stack(&self, sample: &ProfileSample) -> impl DoubleEndedIterator<Item = &ProfileFrame> {
        let stack = self.stacks.get(sample.stack).into_iter().flatten();
        stack.filter_map(|frame| self.frames.get(*frame))
    }
}

impl ProfileFrame {
    /// A frame with names as they are in a module.
    pub(crate) fn new(function: &str, file: Option<&str>, line: Option<u64>) -> Self {
        Self { function: beginning(function), file: file.map(end), line }
    }
}
