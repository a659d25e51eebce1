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

/// Which of the bootstrap programs a package needs: for which processor, and with which backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) architecture: Architecture,
    /// With the backends of services. Without them, the program is smaller and starts sooner.
    pub(crate) with_services: bool,
}

/// Why there is no usable bootstrap program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    /// The file does not exist.
    #[error("there is no {}: {}", path.display(), Advice(*build))]
    Missing { path: PathBuf, build: Build },
    /// The file cannot be read.
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file is no program for Linux.
    #[error("{} is not a program for Linux on {}: {}", path.display(), build.architecture, Advice(*build))]
    NotElf { path: PathBuf, build: Build, source: object::Error },
    /// The program is for another processor.
    #[error("{} is not for {}: {}", path.display(), build.architecture, Advice(*build))]
    OtherArchitecture { path: PathBuf, build: Build },
    /// The program needs a newer glibc.
    #[error("{} needs glibc {needed}, and AWS Lambda has {GLIBC}: {}", path.display(), Advice(*build))]
    TooNew { path: PathBuf, build: Build, needed: Version },
}

impl Build {
    /// The name of the recipe that builds it, and what its file's name begins with.
    fn recipe(self) -> &'static str {
        if self.with_services { "bootstrap-services" } else { "bootstrap" }
    }

    fn file_name(self) -> String {
        format!("{}-{}", self.recipe(), self.architecture)
    }
}

/// Displays how the program is built.
struct Advice(Build);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (recipe, architecture, name) = (self.0.recipe(), self.0.architecture, self.0.file_name());
        write!(
            f,
            "`just {recipe} {architecture}` in Nebula's repository builds target/lambda/{name}; put it beside nebula, or \
             name it with --bootstrap"
        )
    }
}

impl Bootstrap {
    /// Reads the program that was named; otherwise the one beside `nebula`, or the one in the repository's `target`
    /// folder.
    pub(crate) fn find(named: Option<&Path>, build: Build) -> Result<Self, BootstrapError> {
        let path = named.map_or_else(|| implied(build), Path::to_owned);
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => BootstrapError::Missing { path: path.clone(), build },
            _ => BootstrapError::Read { path: path.clone(), source },
        })?;
        Self::check(&path, bytes, build)
    }

    fn check(path: &Path, bytes: Vec<u8>, build: Build) -> Result<Self, BootstrapError> {
        let path = path.to_owned();
        let elf = match Elf::read(&bytes) {
            Ok(elf) => elf,
            Err(source) => return Err(BootstrapError::NotElf { path, build, source }),
        };
        if !elf.is_for(build.architecture) {
            return Err(BootstrapError::OtherArchitecture { path, build });
        }
        match elf.glibc {
            Some(needed) if needed > GLIBC => Err(BootstrapError::TooNew { path, build, needed }),
            _ => Ok(Self { bytes }),
        }
    }
}

fn implied(build: Build) -> PathBuf {
    let name = build.file_name();
    let nebula = std::env::current_exe().unwrap_or_default();
    let beside = nebula.with_file_name(&name);
    // In the repository, nebula itself is in target/PROFILE.
    let built = nebula.ancestors().nth(2).map(|target| target.join("lambda").join(&name));
    built.filter(|built| built.exists() && !beside.exists()).unwrap_or(beside)
}
