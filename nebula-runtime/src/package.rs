//! Packages: functions with their compiled code in one folder, for a program that has no compiler.
//!
//! ```text
//! nebula/package.json                       what it is made for, and the functions: an excerpt of a store
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
    FunctionName, LimitSettings, Limits, RuntimeBuilder, Store, StoreError,
    engine::{Precompiled, WASMTIME},
    store::Excerpt,
};

/// The format that this build writes, and the only one that it reads: a package is made for one program.
pub(crate) const FORMAT: u64 = 1;

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
    limits: LimitSettings,
    ceilings: LimitSettings,
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
    #[error("failed to read the package {}; `nebula package lambda` makes one", path.display())]
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
         nebula package lambda FUNCTION... --arch {here} -o FILE.zip"
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
                    nebula package lambda FUNCTION... -o FILE.zip";

/// What a package says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    #[serde(flatten)]
    pub(crate) target: Target,
    /// Limits of functions that set none of their own.
    pub(crate) limits: LimitSettings,
    /// Limits that no function exceeds.
    pub(crate) ceilings: LimitSettings,
    /// The functions.
    pub(crate) store: Excerpt,
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
        let Description { limits, ceilings, store, .. } = serde_json::from_slice(&text).map_err(malformed)?;
        let store = store.open().await?;
        let functions = store.names().await?;
        Ok(Self { code: folder.join(CODE), store, functions, limits, ceilings })
    }

    /// The names of its functions, in alphabetical order.
    pub fn functions(&self) -> &[FunctionName] {
        &self.functions
    }

    /// A runtime for its functions, under the limits that it was made with. It never compiles.
    pub fn runtime(&self) -> RuntimeBuilder {
        RuntimeBuilder::new(self.store.clone(), Arc::new(Precompiled::new(&self.code)))
            .defaults(Limits::default().with(&self.limits))
            .ceilings(self.ceilings)
            .engine_at_first_load()
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

#[cfg(test)]
#[cfg(all(feature = "compiler", target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{Event, FunctionConfig, Invocation, InvokeError, Invoker as _, NewPackage, Runtime};

    const TREATS: &str = r#"(module
        (func (export "treats") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;

    /// The smallest component that only an engine for async functions compiles.
    const LATER: &str = r#"(component
        (core module $m (func (export "run") (result i32) i32.const 7))
        (core instance $i (instantiate $m))
        (func (export "later") async (result u32) (canon lift (core func $i "run"))))"#;

    async fn package(architecture: Architecture, limits: LimitSettings) -> NewPackage {
        let runtime = Runtime::builder(Store::memory()).concurrency(1).build().unwrap();
        for (name, wasm) in [("treats", TREATS), ("later", LATER)] {
            let name: FunctionName = name.parse().unwrap();
            runtime.publish(&name, wasm.into(), FunctionConfig::default(), None).await.unwrap();
        }
        let functions = ["treats", "later"].map(|name| name.parse().unwrap());
        runtime.package(&functions, architecture, limits, LimitSettings::default()).await.unwrap()
    }

    async fn opened(package: &NewPackage) -> (tempfile::TempDir, Package) {
        let folder = tempfile::tempdir().unwrap();
        package.write(folder.path()).unwrap();
        let package = Package::open(folder.path()).await.unwrap();
        (folder, package)
    }

    async fn call(runtime: &Runtime, function: &str, event: &'static str) -> Result<String, InvokeError> {
        let response =
            runtime.invoke(Invocation::new(function.parse::<FunctionName>().unwrap(), Event::json(event))).await?;
        Ok(String::from_utf8(response.body.collect(1024).await?.to_vec()).unwrap())
    }

    fn here() -> Architecture {
        Architecture::HOST.unwrap()
    }

    fn other() -> Architecture {
        if here() == Architecture::Arm64 { Architecture::X86_64 } else { Architecture::Arm64 }
    }

    #[tokio::test]
    async fn a_package_runs_its_functions_from_their_compiled_code_alone() {
        let (_folder, package) = opened(&package(here(), LimitSettings::default()).await).await;
        assert_eq!(package.functions().iter().map(FunctionName::as_str).collect::<Vec<_>>(), ["later", "treats"]);
        let runtime = package.runtime().concurrency(1).build().unwrap();
        assert_eq!(call(&runtime, "treats", "21").await.unwrap(), "42");
        assert_eq!(call(&runtime, "later", "[]").await.unwrap(), "7");
        assert_eq!(call(&runtime, "other", "1").await.unwrap_err().kind(), crate::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_package_is_run_under_the_limits_that_it_was_made_with() {
        let limits = LimitSettings { max_request: Some(crate::ByteSize(2)), ..LimitSettings::default() };
        let (_folder, package) = opened(&package(here(), limits).await).await;
        let runtime = package.runtime().concurrency(1).build().unwrap();
        assert_eq!(call(&runtime, "treats", "21").await.unwrap(), "42");
        assert_eq!(call(&runtime, "treats", "210").await.unwrap_err().kind(), crate::ErrorKind::PayloadTooLarge);
    }

    #[tokio::test]
    async fn code_that_is_gone_or_for_another_processor_is_never_run_nor_compiled() {
        let (ours, theirs) =
            (package(here(), LimitSettings::default()).await, package(other(), LimitSettings::default()).await);
        let (folder, package) = opened(&ours).await;
        for (path, bytes) in theirs.files.iter().filter(|(path, _)| path.starts_with(CODE)) {
            let path = folder.path().join(path);
            for damage in [&|path: &Path| fs::write(path, bytes), &|path: &Path| fs::remove_file(path)]
                as [&dyn Fn(&Path) -> io::Result<()>; 2]
            {
                damage(&path).unwrap();
                let runtime = package.runtime().concurrency(1).build().unwrap();
                let function = if path.iter().any(|part| part == "plain") { "treats" } else { "later" };
                assert_eq!(call(&runtime, function, "21").await.unwrap_err().kind(), crate::ErrorKind::Internal);
            }
        }
    }

    #[tokio::test]
    async fn code_is_refused_with_the_reason_where_address_space_is_too_short_for_it() {
        let (_folder, package) = opened(&package(here(), LimitSettings::default()).await).await;
        // No machine has the address space for so many.
        let runtime = package.runtime().concurrency(u32::MAX).build().unwrap();
        let error = call(&runtime, "treats", "21").await.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Internal);
        assert!(error.detail().contains("address space, which is short here"), "{error}");
    }

    #[tokio::test]
    async fn a_package_for_another_program_is_refused_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut refusals = vec![Package::open(folder.path()).await.unwrap_err().to_string()];
        package(other(), LimitSettings::default()).await.write(folder.path()).unwrap();
        refusals.push(Package::open(folder.path()).await.unwrap_err().to_string());
        let path = folder.path().join(DESCRIPTION);
        let description = fs::read_to_string(&path).unwrap();
        for (found, instead) in
            [("\"wasmtime\": \"", "\"wasmtime\": \"1"), ("\"format\": ", "\"format\": 1"), ("{", "")]
        {
            fs::write(&path, description.replacen(found, instead, 1)).unwrap();
            refusals.push(Package::open(folder.path()).await.unwrap_err().to_string());
        }
        let expected = [
            "failed to read the package ".to_owned(),
            format!("the package was compiled for {}, and this processor is {}", other(), here()),
            "the package was compiled by Wasmtime 1".to_owned(),
            "the package has format 11".to_owned(),
            "the package ".to_owned(),
        ];
        for (refusal, expected) in refusals.iter().zip(expected) {
            assert!(refusal.starts_with(&expected) && refusal.contains("nebula package lambda"), "{refusal}");
        }
        assert!(refusals[1].contains(&format!("--arch {}", here())), "{}", refusals[1]);
    }

    #[tokio::test]
    async fn code_names_the_version_of_wasmtime_as_packages_do() {
        let package = package(here(), LimitSettings::default()).await;
        let code = package.files.iter().find(|(path, _)| path.starts_with(CODE)).unwrap().1;
        // The beginning of its section about the engine: a version byte, a length, the version.
        let expected = [&[0, WASMTIME.len() as u8], WASMTIME.as_bytes()].concat();
        assert!(code.windows(expected.len()).any(|window| window == expected));
    }
}
