//! Reads from a program where it runs, and which files it needs there.

use std::fmt;

use nebula_runtime::Architecture;
use object::{
    Endianness,
    elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, FileHeader64, PT_INTERP},
    read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _},
};

/// The parts of an ELF file that decide where it runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    machine: u16,
    /// The newest version of glibc of which it needs a symbol.
    pub(crate) glibc: Option<Version>,
    /// The path of its dynamic loader. A static program has none, and neither has a library.
    pub(crate) loader: Option<String>,
    /// The names of the libraries that it needs.
    pub(crate) libraries: Vec<String>,
}

/// A version of glibc.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

type Header = FileHeader64<Endianness>;

impl Elf {
    /// Reads a program or a library.
    ///
    /// # Errors
    /// If it is no 64-bit ELF file.
    pub(crate) fn read(bytes: &[u8]) -> object::Result<Self> {
        let header = Header::parse(bytes)?;
        let endian = header.endian()?;
        Ok(Self {
            machine: header.e_machine(endian),
            glibc: glibc(header, endian, bytes)?,
            loader: loader(header, endian, bytes)?,
            libraries: libraries(header, endian, bytes)?,
        })
    }

    /// Whether it is for processors of this kind.
    pub(crate) fn is_for(&self, architecture: Architecture) -> bool {
        self.machine
            == match architecture {
                Architecture::X86_64 => EM_X86_64,
                Architecture::Arm64 => EM_AARCH64,
            }
    }
}

fn glibc(header: &Header, endian: Endianness, bytes: &[u8]) -> object::Result<Option<Version>> {
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
    Ok(glibc)
}

/// Parses `GLIBC_2.34`. Versions of other libraries are none, and neither is `GLIBC_PRIVATE`.
fn glibc_version(name: &[u8]) -> Option<Version> {
    let (major, minor) = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}

fn loader(header: &Header, endian: Endianness, bytes: &[u8]) -> object::Result<Option<String>> {
    let segments = header.program_headers(endian, bytes)?;
    let Some(segment) = segments.iter().find(|segment| segment.p_type(endian) == PT_INTERP) else { return Ok(None) };
    Ok(segment.interpreter(endian, bytes)?.map(text))
}

fn libraries(header: &Header, endian: Endianness, bytes: &[u8]) -> object::Result<Vec<String>> {
    let table = header.sections(endian, bytes)?.dynamic_table(endian, bytes)?;
    let needed = table.dynamics().iter().filter(|entry| entry.tag(endian) == DT_NEEDED);
    needed.map(|entry| Ok(text(entry.string(endian, *table.strings())?))).collect()
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
