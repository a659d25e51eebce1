//! Core dumps of the process.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Turns core dumps of this process off, for a program's `main`: a core dump has the secrets of all functions.
pub fn turn_off_core_dumps() {
    let off = Rlimit { current: Some(0), maximum: Some(0) };
    // Lowering a limit is always allowed.
    let _ = setrlimit(Resource::Core, off);
}
