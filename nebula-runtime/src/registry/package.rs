//! Packages: functions with their compiled code in one folder, for a program that has no compiler.
//!
//! ```text
//! nebula/package.json                       what it is made for, and the functions: some versions of a store
//! nebula/code/<flavour>/<digest>.cwasm      each function's code, for one kind of processor
//! ```

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    engine::{CodeSource, Precompiled, WASMTIME},
    function::{Cors, FunctionName, LimitSettings},
    store::{PackagedStore, Store, StoreError},
};

/// The format that this build writes, and the only one that it reads: a package is made for one program.
pub(crate) const FORMAT: u64 = 2;

/// Where the description of a package is in its folder.
pub(crate) const DESCRIPTION: &str = "nebula/package.json";

/// Where the code of a package is in its folder.
pub(crate) const CODE: &str = "nebula/code";

/// Functions with their compiled code in a folder, as `nebula package` puts them there.
///
/// Its code is run without any verification: whoever can change a package can as well change the program beside it.
#[derive(Debug)]
pub struct Package {
    code: PathBuf,
    store: Store,
    functions: Vec<FunctionName>,
    settings: PackageSettings,
}

/// The settings of a node that are packed with the functions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PackageSettings {
    /// Limits of functions that set none of their own.
    pub limits: LimitSettings,
    /// Limits that no function exceeds.
    pub ceilings: LimitSettings,
    /// Which pages of other origins may call functions that do not set it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// How much memory the results of pure functions may take together, in bytes, if that is not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_cache: Option<u64>,
}

/// A kind of processor that packages are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// 64-bit x86: also called amd64.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm: also called aarch64.
    #[serde(rename = "arm64")]
    Arm64,
}

/// Why a package cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It is not there, or not to be read.
    #[error("failed to read the package {}; `nebula package` makes one", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Its description is not one.
    #[error("the package {} cannot be understood; {MEND}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another Nebula made it.
    #[error("the package has format {found}, and this program reads format {FORMAT}; {MEND}")]
    OtherFormat {
        /// The format that the package says it has.
        found: u64,
    },
    /// Its code was compiled by another Wasmtime.
    #[error("the package was compiled by Wasmtime {found}, and this program runs Wasmtime {WASMTIME}; {MEND}")]
    OtherWasmtime {
        /// The version that the package names.
        found: String,
    },
    /// Its code is for another processor.
    #[error(
        "the package was compiled for {found}, and this processor is {here}; make it again: \
         nebula package PLATFORM FUNCTION... --arch {here} -o FILE"
    )]
    OtherArchitecture {
        /// What the package was made for.
        found: Architecture,
        /// What this program runs on.
        here: &'static str,
    },
    /// What it says of its functions cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const MEND: &str = "make it again with the nebula command of the same version as this program: \
                    nebula package PLATFORM FUNCTION... -o FILE";

/// What a package says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    #[serde(flatten)]
    pub(crate) target: Target,
    #[serde(flatten)]
    pub(crate) settings: PackageSettings,
    /// The functions.
    pub(crate) store: PackagedStore,
}

/// What a package is made for. Read first: in another format, all else may be different.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) format: u64,
    pub(crate) wasmtime: String,
    pub(crate) architecture: Architecture,
}

impl Package {
    /// Opens the package in a folder. Its code is not looked at yet.
    ///
    /// # Errors
    /// It is not there, is damaged, or was made for another program or processor. The error says what mends it.
    pub async fn open(folder: &Path) -> Result<Self, PackageError> {
        let path = folder.join(DESCRIPTION);
        // Read where it is wanted: another thread would cost more than this small file.
        let text = fs::read(&path).map_err(|source| PackageError::Read { path: path.clone(), source })?;
        let malformed = |source| PackageError::Malformed { path: path.clone(), source };
        serde_json::from_slice::<Target>(&text).map_err(malformed)?.check()?;
        let Description { settings, store, .. } = serde_json::from_slice(&text).map_err(malformed)?;
        let store = store.open().await?;
        let functions = store.names().await?;
        Ok(Self { code: folder.join(CODE), store, functions, settings })
    }

    /// The names of its functions, in alphabetical order.
    pub fn functions(&self) -> &[FunctionName] {
        &self.functions
    }

    /// The settings that its functions run under.
    pub(crate) fn settings(&self) -> &PackageSettings {
        &self.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Where its code comes from.
    pub(crate) fn code(&self) -> Arc<dyn CodeSource> {
        Arc::new(Precompiled::new(&self.code))
    }
}

impl Target {
    /// What a package is made for that this build makes.
    #[cfg(feature = "compiler")]
    pub(crate) fn of(architecture: Architecture) -> Self {
        Self { format: FORMAT, wasmtime: WASMTIME.to_owned(), architecture }
    }

    fn check(self) -> Result<(), PackageError> {
        let Self { format: found, wasmtime, architecture } = self;
        if found != FORMAT {
            return Err(PackageError::OtherFormat { found });
        }
        if wasmtime != WASMTIME {
            return Err(PackageError::OtherWasmtime { found: wasmtime });
        }
        match Architecture::HOST {
            Some(host) if host == architecture => Ok(()),
            Some(host) => Err(PackageError::OtherArchitecture { found: architecture, here: host.as_str() }),
            None => Err(PackageError::OtherArchitecture { found: architecture, here: std::env::consts::ARCH }),
        }
    }
}

impl Architecture {
    /// That of this program, if packages are made for it.
    pub const HOST: Option<Self> = if cfg!(target_arch = "x86_64") {
        Some(Self::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Self::Arm64)
    } else {
        None
    };

    /// The target that Wasmtime compiles for: what all processors of the kind have, and no more.
    #[cfg(feature = "compiler")]
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// Its name, as AWS Lambda has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown architecture {0:?}: expected x86_64 or arm64")]
pub struct InvalidArchitecture(String);

impl FromStr for Architecture {
    type Err = InvalidArchitecture;

    fn from_str(text: &str) -> Result<Self, InvalidArchitecture> {
        match text {
            "x86_64" => Ok(Self::X86_64),
            "arm64" => Ok(Self::Arm64),
            other => Err(InvalidArchitecture(other.to_owned())),
        }
    }
}
