//! The number of connections for which the process has file descriptors.

use std::io;

use rlimit::Resource;

/// File descriptors that are reserved for other things than connections: the files of the store and of guests, and
/// those of the runtime.
const RESERVE: u64 = 128;

/// Raises the process's limit of open files as far as possible, and returns it.
///
/// Binaries call this at their start. The usual limit of 1,024 is for programs that use `select`, which this crate does
/// not.
///
/// # Errors
/// If the system refuses.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    rlimit::increase_nofile_limit(rlimit::INFINITY)
}

pub(super) fn room_for_connections() -> usize {
    let limit = Resource::NOFILE.get_soft().unwrap_or(1_024);
    room_within(limit)
}

/// All file descriptors except the reserve; half of them if the limit is small.
fn room_within(limit: u64) -> usize {
    let room = limit.saturating_sub(RESERVE).max(limit / 2);
    usize::try_from(room).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_descriptors_are_left_for_the_rest_of_the_process() {
        assert_eq!([64, 200, 1_024, 1_048_576].map(room_within), [32, 100, 896, 1_048_448]);
    }

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let (_, hard) = Resource::NOFILE.get().unwrap();
        assert_eq!(raise_descriptor_limit().unwrap(), hard);
    }
}
