//! The exit codes of programs that run functions from a shell.

use nebula_runtime::{ErrorKind, InvokeError};

/// The exit codes and their meanings. Those from 64 to 78 are the ones of BSD's `sysexits.h`, and 124 is the one of
/// `timeout(1)`. Those from 129 on are 128 plus the number of the signal that ends a native program in the same case.
pub enum ExitCode {}

impl ExitCode {
    /// Every event was answered, or the reader of the output closed it.
    pub const OK: u8 = 0;
    /// A typed function returned an error of its own (`guest_error`).
    pub const GUEST_ERROR: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// The input does not fit the function, is too large, or is not a module that can run (`invalid_input`,
    /// `payload_too_large`, `invalid_module`): `EX_DATAERR`.
    pub const INVALID: u8 = 65;
    /// There is no such function, version, export, file or store (`not_found`): `EX_NOINPUT`.
    pub const NOT_FOUND: u8 = 66;
    /// The store or another dependency cannot be reached (`unavailable`), or the system has no file descriptor or
    /// thread left: `EX_UNAVAILABLE`.
    pub const UNAVAILABLE: u8 = 69;
    /// An error in Nebula itself (`internal`): `EX_SOFTWARE`.
    pub const INTERNAL: u8 = 70;
    /// Reading or writing failed: `EX_IOERR`.
    pub const IO: u8 = 74;
    /// Too many invocations were running; a later attempt may succeed (`overloaded`): `EX_TEMPFAIL`.
    pub const OVERLOADED: u8 = 75;
    /// The caller is not allowed to do this: `EX_NOPERM`.
    pub const FORBIDDEN: u8 = 77;
    /// The configuration is wrong: `EX_CONFIG`.
    pub const CONFIG: u8 = 78;
    /// The deadline passed (`timeout`).
    pub const TIMEOUT: u8 = 124;
    /// The guest trapped or its output was invalid (`guest_fault`): 128 plus `SIGABRT`. If the guest exited with a code
    /// other than 0, that code is used instead.
    pub const GUEST_FAULT: u8 = 134;
    /// The guest exceeded its memory, table, output or call-stack limit (`limit_exceeded`): 128 plus `SIGKILL`.
    pub const LIMIT_EXCEEDED: u8 = 137;
}

/// The exit code for `error`.
pub fn exit_code(error: &InvokeError) -> u8 {
    match error.kind() {
        ErrorKind::NotFound => ExitCode::NOT_FOUND,
        ErrorKind::InvalidInput | ErrorKind::PayloadTooLarge | ErrorKind::InvalidModule => ExitCode::INVALID,
        ErrorKind::GuestError => ExitCode::GUEST_ERROR,
        ErrorKind::GuestFault => guest_code(error.exit_code()),
        ErrorKind::Timeout => ExitCode::TIMEOUT,
        ErrorKind::LimitExceeded => ExitCode::LIMIT_EXCEEDED,
        ErrorKind::Overloaded => ExitCode::OVERLOADED,
        ErrorKind::Unavailable => ExitCode::UNAVAILABLE,
        ErrorKind::Internal => ExitCode::INTERNAL,
    }
}

/// The guest's code, if a process can have it. A shell would cut it to 8 bits, which could turn a failure into 0.
fn guest_code(code: Option<i32>) -> u8 {
    code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(ExitCode::GUEST_FAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_exit_code() {
        let codes = ErrorKind::ALL.map(|kind| (kind.as_str(), exit_code(&InvokeError::new(kind, ""))));
        let expected = [
            ("not_found", 66),
            ("invalid_input", 65),
            ("payload_too_large", 65),
            ("invalid_module", 65),
            ("guest_error", 1),
            ("guest_fault", 134),
            ("timeout", 124),
            ("limit_exceeded", 137),
            ("overloaded", 75),
            ("unavailable", 69),
            ("internal", 70),
        ];
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_guest_that_exits_decides_the_code_if_a_process_can_have_it() {
        for (code, expected) in [(7, 7), (255, 255), (0, 134), (256, 134), (-1, 134), (i32::MAX, 134)] {
            let error = InvokeError::new(ErrorKind::GuestFault, "").with_exit_code(code);
            assert_eq!(exit_code(&error), expected, "{code}");
        }
    }
}
