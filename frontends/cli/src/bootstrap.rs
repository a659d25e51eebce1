//! The program that runs a package on AWS Lambda: where it is, and whether it can.

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

/// A program that AWS Lambda can start.
#[derive(Debug)]
pub(crate) struct Bootstrap {
    pub(crate) bytes: Vec<u8>,
}

/// Why there is no such program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootstrapError {
    /// It is not where it is looked for.
    #[error("there is no {}: {}", path.display(), Build(*architecture))]
    Missing { path: PathBuf, architecture: Architecture },
    /// It cannot be read.
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// It is no program for Linux.
    #[error("{} is not a program for Linux on {architecture}: {}", path.display(), Build(*architecture))]
    NotElf { path: PathBuf, architecture: Architecture, source: object::Error },
    /// It is one for another processor.
    #[error("{} is not for {architecture}: {}", path.display(), Build(*architecture))]
    OtherArchitecture { path: PathBuf, architecture: Architecture },
    /// It was built for a newer system.
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

/// How such a program is built.
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
    /// The program that was named, or else the one beside this one, or where the repository's own build puts it.
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
    // nebula itself is in target/PROFILE then.
    let built = nebula.ancestors().nth(2).map(|target| target.join("lambda").join(&name));
    built.filter(|built| built.exists() && !beside.exists()).unwrap_or(beside)
}

fn machine(architecture: Architecture) -> u16 {
    match architecture {
        Architecture::X86_64 => EM_X86_64,
        Architecture::Arm64 => EM_AARCH64,
    }
}

/// What of a program's file decides where it runs.
struct Elf {
    machine: u16,
    /// The newest glibc that it needs a symbol of.
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

/// `GLIBC_2.34` as a version. Other libraries' versions are none, and neither is `GLIBC_PRIVATE`.
fn glibc_version(name: &[u8]) -> Option<Version> {
    let (major, minor) = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}
