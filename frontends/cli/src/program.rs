//! The `nebula` program in a package, and the files that it needs to run where there is nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use nebula_runtime::Architecture;

use crate::elf::Elf;

/// Which program goes into a package, and where its libraries are.
#[derive(Debug, Args)]
pub(crate) struct ProgramOptions {
    /// The nebula program that runs the functions [default: this one]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The folder with the loader and the libraries of that program, as / has them for this one. A static
    /// program needs none
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    sysroot: PathBuf,
}

/// A `nebula` program for one kind of processor, with its loader and libraries.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) bytes: Bytes,
    /// The loader's path where the program looks for it, if the program is not static.
    pub(crate) loader: Option<PathBuf>,
    /// The loader and the libraries, by their paths.
    pub(crate) libraries: BTreeMap<PathBuf, Bytes>,
    /// The certificates of the authorities that this machine trusts.
    pub(crate) certificates: Bytes,
}

/// Why there is no program for a package.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{} is not a program for Linux on {architecture}: name one with --binary, such as the one in Nebula's release \
         for that processor",
        path.display()
    )]
    Other { path: PathBuf, architecture: Architecture, source: Option<object::Error> },
    #[error(
        "{} needs {library} for {architecture}, which is not in {}: name the folder that has it with --sysroot, or \
         use a static nebula",
        path.display(), sysroot.display()
    )]
    NoLibrary { path: PathBuf, library: String, sysroot: PathBuf, architecture: Architecture },
    #[error("there are no CA certificates on this machine: install them, on Debian with apt install ca-certificates")]
    NoCertificates,
}

/// Where distributions keep the certificates of the authorities that they trust.
const CERTIFICATES: [&str; 4] = [
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
    "etc/ssl/cert.pem",
];

impl ProgramOptions {
    /// Reads the program and all that it needs.
    pub(crate) fn find(&self, architecture: Architecture) -> Result<Program, ProgramError> {
        let path = match &self.binary {
            Some(path) => path.clone(),
            None => std::env::current_exe()
                .map_err(|source| ProgramError::Read { path: "/proc/self/exe".into(), source })?,
        };
        let bytes = read(&path)?;
        let other = |source| ProgramError::Other { path: path.clone(), architecture, source };
        let elf = Elf::read(&bytes).map_err(|source| other(Some(source)))?;
        if !elf.is_for(architecture) {
            return Err(other(None));
        }
        let mut sysroot = Sysroot { path: &path, folder: &self.sysroot, architecture, found: BTreeMap::new() };
        let loader = elf.loader.as_deref().map(|loader| sysroot.add_loader(loader)).transpose()?;
        sysroot.add_libraries(elf.libraries, loader.as_deref())?;
        let libraries = sysroot.found;
        Ok(Program { bytes, loader, libraries, certificates: certificates(&self.sysroot)? })
    }
}

fn read(path: &Path) -> Result<Bytes, ProgramError> {
    fs::read(path).map(Bytes::from).map_err(|source| ProgramError::Read { path: path.to_owned(), source })
}

fn certificates(sysroot: &Path) -> Result<Bytes, ProgramError> {
    let folders = [sysroot, Path::new("/")];
    let files = folders.iter().flat_map(|folder| CERTIFICATES.iter().map(|file| folder.join(file)));
    files.filter_map(|file| fs::read(file).ok()).next().map(Bytes::from).ok_or(ProgramError::NoCertificates)
}

/// The folder with a program's libraries, and those that were found in it.
struct Sysroot<'a> {
    /// The program.
    path: &'a Path,
    folder: &'a Path,
    architecture: Architecture,
    found: BTreeMap<PathBuf, Bytes>,
}

impl Sysroot<'_> {
    /// Adds the loader, whose path is in the program.
    fn add_loader(&mut self, loader: &str) -> Result<PathBuf, ProgramError> {
        let place = PathBuf::from(loader.trim_start_matches('/'));
        let bytes = fs::read(self.folder.join(&place)).map_err(|_| self.missing(loader))?;
        self.found.insert(place.clone(), bytes.into());
        Ok(place)
    }

    /// Adds these libraries and those that they need.
    fn add_libraries(&mut self, names: Vec<String>, loader: Option<&Path>) -> Result<(), ProgramError> {
        let (mut wanted, mut known) = (names, BTreeSet::new());
        // Libraries name the loader too.
        known.extend(loader.and_then(Path::file_name).and_then(|name| name.to_str()).map(str::to_owned));
        while let Some(name) = wanted.pop() {
            if !known.insert(name.clone()) {
                continue;
            }
            let (place, bytes, elf) = self.library(&name).ok_or_else(|| self.missing(&name))?;
            wanted.extend(elf.libraries);
            self.found.insert(place, bytes);
        }
        Ok(())
    }

    /// A library for the program's processor, in the folder where the loader looks for it.
    fn library(&self, name: &str) -> Option<(PathBuf, Bytes, Elf)> {
        let triplet = match self.architecture {
            Architecture::X86_64 => "x86_64-linux-gnu",
            Architecture::Arm64 => "aarch64-linux-gnu",
        };
        let folders = [
            Path::new("lib").join(triplet),
            Path::new("usr/lib").join(triplet),
            "lib64".into(),
            "usr/lib64".into(),
            "lib".into(),
            "usr/lib".into(),
        ];
        folders.into_iter().map(|folder| folder.join(name)).find_map(|place| {
            let bytes = fs::read(self.folder.join(&place)).ok()?;
            let elf = Elf::read(&bytes).ok().filter(|elf| elf.is_for(self.architecture))?;
            Some((place, bytes.into(), elf))
        })
    }

    fn missing(&self, library: &str) -> ProgramError {
        ProgramError::NoLibrary {
            path: self.path.to_owned(),
            library: library.to_owned(),
            sysroot: self.folder.to_owned(),
            architecture: self.architecture,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn options(binary: &Path, sysroot: &str) -> ProgramOptions {
        ProgramOptions { binary: Some(binary.to_owned()), sysroot: sysroot.into() }
    }

    #[test]
    fn a_program_brings_its_loader_and_all_libraries_that_it_needs() {
        let Some(here) = Architecture::HOST else { return };
        let test = std::env::current_exe().unwrap();
        let program = options(&test, "/").find(here).unwrap();
        let names: Vec<_> = program.libraries.keys().filter_map(|path| path.file_name()?.to_str()).collect();
        assert!(names.contains(&"libc.so.6") && names.iter().any(|name| name.starts_with("ld-linux")), "{names:?}");
        assert!(program.libraries.contains_key(program.loader.as_deref().unwrap()));
        assert!(String::from_utf8_lossy(&program.certificates).contains("-----BEGIN CERTIFICATE-----"));
    }

    #[test]
    fn a_program_for_another_processor_or_without_its_libraries_is_refused_and_the_error_says_what_to_do() {
        let (Some(here), test) = (Architecture::HOST, std::env::current_exe().unwrap()) else { return };
        let other = if here == Architecture::Arm64 { Architecture::X86_64 } else { Architecture::Arm64 };
        let empty = tempfile::tempdir().unwrap();
        let script = empty.path().join("nebula");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let cases = [
            (test.as_path(), other, "/", "--binary"),
            (&script, here, "/", "--binary"),
            (test.as_path(), here, empty.path().to_str().unwrap(), "--sysroot"),
        ];
        for (binary, architecture, sysroot, advice) in cases {
            let refusal = options(binary, sysroot).find(architecture).unwrap_err().to_string();
            assert!(refusal.contains(advice), "{refusal}");
        }
    }
}
