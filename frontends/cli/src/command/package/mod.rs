//! `nebula package`.

mod archive;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use nebula_local::ExitCode;
use nebula_runtime::{Architecture, ByteSize, Digest, FunctionName, FunctionRef, NewPackage, Runtime};
use serde::Serialize;

use crate::{
    bootstrap::Bootstrap, config::Config, failure::Failure, global::Global, print, progress::while_working,
    publish::publish_all,
};

use archive::Archive;

const EXAMPLES: &str = "\
Examples:
  nebula package lambda treats -o app.zip
  nebula package lambda treats resize@prod --arch arm64 -o app.zip
  nebula package lambda --config nebula.toml -o app.zip";

const LAMBDA_EXAMPLES: &str = "\
Examples:
  nebula package lambda treats -o app.zip
  nebula package lambda treats resize@prod --arch arm64 -o app.zip
  nebula package lambda --config nebula.toml --store memory:// -o app.zip

The package is for Lambda's runtime provided.al2023. The same functions always make the same
bytes. Nebula looks for bootstrap, the program in the package, in its own folder, under the
names bootstrap-x86_64 and bootstrap-arm64. `just bootstrap` in Nebula's repository builds it.";

/// The sizes that AWS Lambda accepts ("Lambda quotas"). A larger zip file has to be uploaded to S3; a larger package is
/// refused.
const MAX_UPLOADED: u64 = 50 << 20;
const MAX_UNZIPPED: u64 = 250 << 20;

/// Packages functions for another platform
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Package {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Debug, Subcommand)]
enum Platform {
    Lambda(Lambda),
}

/// Packages functions for AWS Lambda: the compiled code, and the program that runs it
#[derive(Debug, Args)]
#[command(after_help = LAMBDA_EXAMPLES)]
struct Lambda {
    /// The functions, such as treats, treats@3 or resize@prod. Without a version, the latest is packaged
    #[arg(value_name = "FUNCTION", required_unless_present = "config")]
    functions: Vec<FunctionRef>,
    /// The processor of the Lambda function: x86_64 or arm64
    #[arg(long, value_name = "ARCH", default_value_t = Architecture::X86_64)]
    arch: Architecture,
    /// The zip file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// The program that runs the functions [default: bootstrap-ARCH in the folder of nebula]
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,
    /// Publish the functions of this file first. The package gets the limits of the file, and all its
    /// functions if no FUNCTION is named
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON, with the contents of the package
    #[arg(long)]
    json: bool,
}

impl Package {
    /// Makes the package, and prints its content.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        match self.platform {
            Platform::Lambda(lambda) => lambda.execute(global).await,
        }
    }
}

impl Lambda {
    async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let bootstrap = Bootstrap::find(self.bootstrap.as_deref(), self.arch)?;
        let package = self.package(global).await?;
        for function in &package.functions {
            for dir in &function.info.config.dirs {
                let (name, host) = (&function.info.name, dir.host.display());
                print::note(format_args!("{name} is granted {host}: that folder has to be there on Lambda too"));
            }
        }
        let archive = Archive::new(bootstrap.bytes, package.files.clone());
        if archive.unzipped() > MAX_UNZIPPED {
            return Err(Failure::PackageTooLarge { size: ByteSize(archive.unzipped()), max: ByteSize(MAX_UNZIPPED) });
        }
        let written = |source| Failure::Write { path: self.output.clone(), source };
        let zipped = archive.zip().map_err(|error| written(error.into()))?;
        replace(&self.output, &zipped).map_err(written)?;
        if zipped.len() as u64 > MAX_UPLOADED {
            let max = ByteSize(MAX_UPLOADED);
            print::note(format_args!("the package is larger than {max}: Lambda takes it from S3, not from an upload"));
        }
        let made = PackageSummary::new(&self.output, &package, &archive, &zipped);
        match self.json {
            true => print::json(&made)?,
            false => print::result(&made.text())?,
        }
        Ok(ExitCode::OK)
    }

    async fn package(&self, global: &Global) -> Result<NewPackage, Failure> {
        let config = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        let (store, _) = match self.config.is_some() {
            true => global.places.open_or_make_store().await?,
            false => global.places.open_store().await?,
        };
        let runtime = Runtime::builder(store).code_cache(global.places.code_cache()).concurrency(1).build()?;
        publish_all(&runtime, &config).await?;
        let functions = match self.functions.as_slice() {
            [] => config.functions.iter().map(|function| function.name.clone().into()).collect(),
            functions => functions.to_vec(),
        };
        let package = runtime.package(&functions, self.arch, config.limits, config.ceilings);
        Ok(while_working(format!("compiling for {}", self.arch), package).await?)
    }
}

/// Replaces a file in one step, so that no reader sees half of it.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path)).inspect_err(|_| {
        // The file may not exist, and the first failure is the one to report.
        let _ = fs::remove_file(&unfinished);
    })
}

/// The content of a package, as the command prints it.
#[derive(Debug, Serialize)]
struct PackageSummary<'a> {
    file: &'a Path,
    architecture: Architecture,
    size: u64,
    unzipped_size: u64,
    digest: Digest,
    bootstrap_size: u64,
    functions: Vec<FunctionSummary<'a>>,
}

#[derive(Debug, Serialize)]
struct FunctionSummary<'a> {
    name: &'a FunctionName,
    version: u64,
    digest: Digest,
    kind: nebula_runtime::Kind,
    code_size: u64,
}

impl<'a> PackageSummary<'a> {
    fn new(file: &'a Path, package: &'a NewPackage, archive: &Archive, zipped: &[u8]) -> Self {
        let functions = package.functions.iter().map(|function| FunctionSummary {
            name: &function.info.name,
            version: function.info.version,
            digest: function.info.digest,
            kind: function.info.kind,
            code_size: function.code_size,
        });
        Self {
            file,
            architecture: package.architecture,
            size: zipped.len() as u64,
            unzipped_size: archive.unzipped(),
            digest: Digest::of(zipped),
            bootstrap_size: archive.bootstrap(),
            functions: functions.collect(),
        }
    }

    fn text(&self) -> String {
        let header = ["FUNCTION", "VERSION", "KIND", "CODE", "DIGEST"].map(str::to_owned);
        let rows = self.functions.iter().map(|function| {
            let FunctionSummary { name, version, digest, kind, code_size } = function;
            [
                name.to_string(),
                version.to_string(),
                kind.to_string(),
                ByteSize(*code_size).to_string(),
                digest.to_string(),
            ]
        });
        let table = print::table(&std::iter::once(header).chain(rows).collect::<Vec<_>>());
        let (size, unzipped, bootstrap) =
            (ByteSize(self.size), ByteSize(self.unzipped_size), ByteSize(self.bootstrap_size));
        let (file, architecture, digest) = (self.file.display(), self.architecture, self.digest);
        format!(
            "{table}\n{file}: {size}, {unzipped} unzipped with the bootstrap of {bootstrap}, for {architecture}\n{digest}\n"
        )
    }
}
