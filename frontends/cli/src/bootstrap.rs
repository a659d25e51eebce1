//! Finds the program that runs a package on AWS Lambda, and checks that it can run there.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use nebula_runtime::Architecture;
use object::{
    Endianness,
    elf::{EM_AARCH64, EM_X86_64, FileHeader64},
    read::elf::FileHeader as _,
};

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

/// A version of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
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
        if elf.machine != machine(architecture) {
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

fn machine(architecture: Architecture) -> u16 {
    match architecture {
        Architecture::X86_64 => EM_X86_64,
        Architecture::Arm64 => EM_AARCH64,
    }
}

/// The parts of an ELF file that decide where it runs.
struct Elf {
    machine: u16,
    /// The newest version of glibc of which it needs a symbol.
    glibc: Option<Version>,
}

impl Elf {
    fn read(bytes: &[u8]) -> object::Result<Self> {
        let header = FileHeader64::<Endianness>::parse(bytes)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, bytes)?;
        let mut glibc = None;
        if let Some((libraries, strings)) = sections.gnu_verneed(endian, bytes)? {
            let strings = sections.strings(endian, bytes, strings)?;
            for library in libraries {
                for version in library?.1 {
                    glibc = glibc.max(glibc_version(version?.name(endian, strings)?));
                }
            }
        }
        Ok(Self { machine: header.e_machine(endian), glibc })
    }
}

/// Parses `GLIBC_2.34`. Versions of other libraries are none, and neither is `GLIBC_PRIVATE`.
fn glibc_version(name: &[u8]) -> Option<Version> {
    let (major, minor) = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}
