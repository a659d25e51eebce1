//! Finds the program that runs a package on AWS Lambda, and checks that it can run there.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use nebula_runtime::Architecture;

use crate::elf::{Elf, Version};

/// The glibc of Amazon Linux 2023, which `provided.al2023` is.
const GLIBC: Version = Version(2, 34);

/// A bootstrap program that AWS Lambda can start.
#[derive(Debug)]
pub(crate) struct Bootstrap {
    pub(crate) bytes: Vec<u8>,
}

/// Why there is no usable bootstrap program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    /// The file does not exist.
    #[error("there is no {}: {}", path.display(), Build(*architecture))]
    Missing { path: PathBuf, architecture: Architecture },
    /// The file cannot be read.
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file is no program for Linux.
    #[error("{} is not a program for Linux on {architecture}: {}", path.display(), Build(*architecture))]
    NotElf { path: PathBuf, architecture: Architecture, source: object::Error },
    /// The program is for another processor.
    #[error("{} is not for {architecture}: {}", path.display(), Build(*architecture))]
    OtherArchitecture { path: PathBuf, architecture: Architecture },
    /// The program needs a newer glibc.
    #[error("{} needs glibc {needed}, and AWS Lambda has {GLIBC}: {}", path.display(), Build(*architecture))]
    TooNew { path: PathBuf, architecture: Architecture, needed: Version },
}

/// Displays how the program is built.
struct Build(Architecture);

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let architecture = self.0;
        write!(
            f,
            "`just bootstrap {architecture}` in Nebula's repository builds target/lambda/bootstrap-{architecture}; \
             put it beside nebula, or name it with --bootstrap"
        )
    }
}

impl Bootstrap {
    /// Reads the program that was named; otherwise the one beside `nebula`, or the one in the repository's `target`
    /// folder.
    pub(crate) fn find(named: Option<&Path>, architecture: Architecture) -> Result<Self, BootstrapError> {
        let path = named.map_or_else(|| implied(architecture), Path::to_owned);
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => BootstrapError::Missing { path: path.clone(), architecture },
            _ => BootstrapError::Read { path: path.clone(), source },
        })?;
        Self::check(&path, bytes, architecture)
    }

    fn check(path: &Path, bytes: Vec<u8>, architecture: Architecture) -> Result<Self, BootstrapError> {
        let path = path.to_owned();
        let elf = match Elf::read(&bytes) {
            Ok(elf) => elf,
            Err(source) => return Err(BootstrapError::NotElf { path, architecture, source }),
        };
        if !elf.is_for(architecture) {
            return Err(BootstrapError::OtherArchitecture { path, architecture });
        }
        match elf.glibc {
            Some(needed) if needed > GLIBC => Err(BootstrapError::TooNew { path, architecture, needed }),
            _ => Ok(Self { bytes }),
        }
    }
}

fn implied(architecture: Architecture) -> PathBuf {
    let name = format!("bootstrap-{architecture}");
    let nebula = std::env::current_exe().unwrap_or_default();
    let beside = nebula.with_file_name(&name);
    // In the repository, nebula itself is in target/PROFILE.
    let built = nebula.ancestors().nth(2).map(|target| target.join("lambda").join(&name));
    built.filter(|built| built.exists() && !beside.exists()).unwrap_or(beside)
}
