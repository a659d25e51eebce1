//! The protocols between threads, under every order of steps that a scheduler can think of.
//!
//! The files under test are those of the library, compiled once more: where they import `crate::sync`, they get what is
//! below. Shuttle then runs each test some thousands of times, and in each run decides at every lock, atomic, wait and task
//! who goes on. It treats all atomics as sequentially consistent, which is what the library asks of them; Loom would take
//! them for weaker than that, and find faults in the clock that are none. A run in which nobody can go on is a failure.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod flight;
mod idle_pool;
mod sync;

/// How many orders of steps are tried for each test.
const RUNS: usize = 5_000;
