//! Why an operation on the file failed, in words for functions and for the operator of the node.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::Error;

use crate::host::failure::ServiceError;

/// Why an operation on the file failed. Operations that share a transaction share its failure.
#[derive(Debug, Clone)]
pub(super) struct Failure(Arc<FailedFile>);

#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {}", path.display())]
struct FailedFile {
    action: &'static str,
    path: PathBuf,
    source: Error,
}

impl Failure {
    /// `action` is what was being done with the file: `read`, `write`.
    pub(super) fn new(action: &'static str, path: &Path, source: Error) -> Self {
        Self(Arc::new(FailedFile { action, path: path.to_owned(), source }))
    }

    /// The error for the function, with the file in its cause.
    pub(super) fn into_service_error(self) -> ServiceError {
        ServiceError::unavailable(explained(&self.0.source), self.0)
    }
}

/// Whether the file may be damaged, so that it is to be checked before it is used again.
pub(super) fn is_damage(error: &Error) -> bool {
    match error {
        Error::Corrupted(_) | Error::LockPoisoned(_) | Error::TransactionPoisoned => true,
        // The file is shorter than it says.
        Error::Io(error) => error.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}

/// The error for a file that another program has made.
pub(super) fn foreign() -> Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is a redb database with tables of another program").into()
}

/// What is wrong, and what the operator can do. Functions read it too, so that it does not name the file.
fn explained(error: &Error) -> &'static str {
    match error {
        _ if is_damage(error) => {
            "the file of the key-value store is damaged and cannot be repaired; stop what uses it, and restore the file from a \
             backup, or move it away to begin with an empty store"
        }
        Error::Io(error) => explained_io(error),
        Error::Unsupported => NO_LOCKS,
        Error::TableTypeMismatch { .. } | Error::TableIsMultimap(_) | Error::TypeDefinitionChanged { .. } => FOREIGN,
        Error::UpgradeRequired(_) => {
            "the file of the key-value store has the format of an older redb; give the service the path of another file"
        }
        Error::DatabaseAlreadyOpen => {
            "another program has the file of the key-value store for itself; stop that program, or give the service the path \
             of another file"
        }
        Error::LockProtocolMismatch => {
            "another version of Nebula, which locks files in another way, uses the file of the key-value store; stop it, or \
             update it"
        }
        Error::Backend(_) => {
            "another process keeps the file of the key-value store locked; try again, and if that does not help, look for a \
             process of Nebula that is stopped"
        }
        _ => "the file of the key-value store cannot be used; the log of this node says why",
    }
}

const NO_LOCKS: &str = "the file system of the key-value store's file has no byte-range locks, which processes need to share \
                        the file; keep it on a local disk, or use a networked service";

const FOREIGN: &str = "the file of the key-value store was not made by Nebula, and is left as it is; give the service the path \
                       of another file";

/// What is said of a folder that cannot be written to. On AWS Lambda that is the folder of the package.
pub(super) const READ_ONLY: &str = "the key-value store's file is in a folder that is read-only; keep it in a folder that can be written to (on AWS \
     Lambda only /tmp, which each instance has for itself and loses), or use a networked service";

fn explained_io(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "the disk of the key-value store is full, so nothing was stored; free some space on it. What was stored before \
             is still there"
        }
        io::ErrorKind::ReadOnlyFilesystem => READ_ONLY,
        io::ErrorKind::PermissionDenied => {
            "the user of this process may not open the key-value store's file, or may not make it in its folder; change the \
             owner of the file and the folder, or give the service another path"
        }
        io::ErrorKind::InvalidData => FOREIGN,
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => {
            "the path of the key-value store's file is that of a folder, or leads through a file; give the service another path"
        }
        io::ErrorKind::Unsupported => NO_LOCKS,
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error()) => NO_LOCKS,
        _ => "the file of the key-value store cannot be read or written; the log of this node says why",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_do_and_names_the_file_in_the_cause_only() {
        let io = |errno: rustix::io::Errno| Error::Io(errno.into());
        let cases = [
            (io(rustix::io::Errno::NOSPC), "the disk of the key-value store is full"),
            (io(rustix::io::Errno::DQUOT), "the disk of the key-value store is full"),
            (io(rustix::io::Errno::FBIG), "the disk of the key-value store is full"),
            (io(rustix::io::Errno::ROFS), "only /tmp, which each instance has for itself and loses"),
            (io(rustix::io::Errno::ACCESS), "change the owner of the file"),
            (io(rustix::io::Errno::ISDIR), "give the service another path"),
            (io(rustix::io::Errno::NOLCK), "has no byte-range locks"),
            (io(rustix::io::Errno::OPNOTSUPP), "has no byte-range locks"),
            (io(rustix::io::Errno::IO), "the log of this node says why"),
            (Error::Unsupported, "has no byte-range locks"),
            (Error::Corrupted("page 7".to_owned()), "is damaged"),
            (Error::DatabaseAlreadyOpen, "for itself"),
            (foreign(), "was not made by Nebula"),
        ];
        for (error, expected) in cases {
            let error = Failure::new("write", Path::new("/srv/state.redb"), error).into_service_error();
            assert!(error.to_string().contains(expected), "{expected:?}: {error}");
            assert!(!error.to_string().contains("/srv"), "{error}");
            let cause = std::error::Error::source(&error).unwrap();
            assert_eq!(cause.to_string(), "failed to write /srv/state.redb");
        }
    }
}
