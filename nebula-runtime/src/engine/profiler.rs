//! Samples the stacks of running guests.
//!
//! A sample is taken when the clock interrupts a guest: at the beginning of a function or of a loop. So it costs guests
//! nothing while they are not profiled. While a guest waits for the host, there are no samples.
//!
//! Wasmtime's own profiler captures the same stacks. It knows functions and no lines, keeps one profile for each store,
//! and its code would be in every program.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;
use wasmtime::{AsContext, WasmBacktrace};

use super::symbols::{CodeFrame, CodeSite, Symbols};
use crate::{
    call::{Profile, ProfileSample},
    sync::lock,
};

/// The most samples of one profile: those of a quarter of an hour, if one is taken each millisecond.
const MAX_SAMPLES: usize = 1_000_000;

/// The most frames of all different stacks together.
const MAX_FRAMES: usize = 4_000_000;

/// The most places whose lines are looked up: those with the most samples.
const MAX_LINES: usize = 1_024;

/// Samples the stacks of all guests of a runtime.
#[derive(Clone)]
pub(crate) struct Profiler(Arc<State>);

struct State {
    interval: Duration,
    samples: Mutex<Samples>,
}

#[derive(Clone)]
struct Samples {
    began: Instant,
    /// The different places in code.
    frames: Numbered<CodeFrame>,
    /// How many samples each place has.
    counts: Vec<u64>,
    /// The different stacks: numbers of places, the innermost call first.
    stacks: Numbered<Vec<usize>>,
    /// The frames of all different stacks together.
    held: usize,
    taken: Vec<ProfileSample>,
    lost: u64,
}

impl Profiler {
    /// A profiler that takes a sample at each `interval`.
    pub(crate) fn new(interval: Duration) -> Self {
        Self(Arc::new(State { interval, samples: Mutex::new(Samples::none()) }))
    }

    pub(super) fn interval(&self) -> Duration {
        self.0.interval
    }

    /// Forgets all samples.
    pub(crate) fn begin(&self) {
        *lock(&self.0.samples) = Samples::none();
    }

    /// Takes a sample of the guest of this store, which is running.
    pub(super) fn sample(&self, store: impl AsContext) {
        let stack = CodeFrame::of_backtrace(&WasmBacktrace::force_capture(store));
        lock(&self.0.samples).add(stack);
    }

    /// The samples so far, of guests of one module.
    pub(crate) async fn profile(&self, symbols: &Symbols) -> Profile {
        let samples = lock(&self.0.samples).clone();
        let sites = samples.hottest_sites();
        let Samples { frames, stacks, taken, lost, .. } = samples;
        let sources = symbols.sources(&frames.in_order(), sites).await;
        let mut shown = Numbered::none();
        let sources: Vec<Vec<_>> = sources.into_iter().map(|frames| shown.numbers_of(frames)).collect();
        let stacks = stacks.in_order().into_iter().map(|stack| outermost_first(&stack, &sources)).collect();
        Profile { interval: self.0.interval, frames: shown.in_order(), stacks, samples: taken, lost }
    }
}

impl Samples {
    fn none() -> Self {
        Self {
            began: Instant::now(),
            frames: Numbered::none(),
            counts: Vec::new(),
            stacks: Numbered::none(),
            held: 0,
            taken: Vec::new(),
            lost: 0,
        }
    }

    fn add(&mut self, stack: Vec<CodeFrame>) {
        if self.taken.len() >= MAX_SAMPLES || self.held + stack.len() > MAX_FRAMES {
            self.lost += 1;
            return;
        }
        let stack = self.frames.numbers_of(stack);
        self.counts.resize(self.frames.0.len(), 0);
        for frame in &stack {
            self.counts.get_mut(*frame).into_iter().for_each(|count| *count += 1);
        }
        let (known, frames) = (self.stacks.0.len(), stack.len());
        let stack = self.stacks.number_of(stack);
        if stack == known {
            self.held += frames;
        }
        self.taken.push(ProfileSample { at: self.began.elapsed(), stack });
    }

    /// The places in code with the most samples.
    fn hottest_sites(&self) -> Vec<CodeSite> {
        let count = |frame: &usize| self.counts.get(*frame).copied().unwrap_or_default();
        let mut frames: Vec<_> = self.frames.0.iter().collect();
        frames.sort_unstable_by_key(|(_, number)| (std::cmp::Reverse(count(number)), **number));
        frames.into_iter().filter_map(|(frame, _)| frame.site()).take(MAX_LINES).collect()
    }
}

/// The frames of a stack, whose places have `sources`. In both, the innermost call is the first.
fn outermost_first(stack: &[usize], sources: &[Vec<usize>]) -> Vec<usize> {
    let mut frames: Vec<_> = stack.iter().filter_map(|frame| sources.get(*frame)).flatten().copied().collect();
    frames.reverse();
    frames
}

/// Different values, numbered in the order in which they came.
#[derive(Clone)]
struct Numbered<T>(HashMap<T, usize>);

impl<T: Hash + Eq> Numbered<T> {
    fn none() -> Self {
        Self(HashMap::new())
    }

    fn number_of(&mut self, value: T) -> usize {
        let next = self.0.len();
        *self.0.entry(value).or_insert(next)
    }

    fn numbers_of(&mut self, values: Vec<T>) -> Vec<usize> {
        values.into_iter().map(|value| self.number_of(value)).collect()
    }

    fn in_order(self) -> Vec<T> {
        let mut values: Vec<_> = self.0.into_iter().collect();
        values.sort_unstable_by_key(|(_, number)| *number);
        values.into_iter().map(|(value, _)| value).collect()
    }
}
