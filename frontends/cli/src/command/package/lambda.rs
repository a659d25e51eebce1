//! `nebula package lambda`.

use std::path::{Path, PathBuf};

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{Architecture, ByteSize, Digest, NewPackage};
use serde::Serialize;

use super::{
    archive::Archive,
    output::replace,
    selection::{Selection, note_folders},
    summary::{self, FunctionSummary},
};
use crate::{
    bootstrap::{Bootstrap, Build},
    failure::Failure,
    global::Global,
    print,
};

const EXAMPLES: &str = "\
Examples:
  nebula package lambda treats -o app.zip
  nebula package lambda treats resize@prod --arch arm64 -o app.zip
  nebula package lambda --config nebula.toml --store memory:// -o app.zip

The package is for Lambda's runtime provided.al2023. The same functions always make the same
bytes. Nebula looks for bootstrap, the program in the package, in its own folder, under the
names bootstrap-x86_64 and bootstrap-arm64. `just bootstrap` in Nebula's repository builds it.
A package with a function that asks for services, such as a key-value store, has a larger
program: bootstrap-services-x86_64 or bootstrap-services-arm64, of `just bootstrap-services`.
There the environment variable NEBULA_SERVICES says what stands behind the services.";

/// The sizes that AWS Lambda accepts ("Lambda quotas"). A larger zip file has to be uploaded to S3; a larger package is
/// refused.
const MAX_UPLOADED: u64 = 50 << 20;
const MAX_UNZIPPED: u64 = 250 << 20;

/// Packages functions for AWS Lambda: the compiled code, and the program that runs it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Lambda {
    #[command(flatten)]
    selection: Selection,
    /// The processor of the Lambda function: x86_64 or arm64
    #[arg(long, value_name = "ARCH", default_value_t = Architecture::X86_64)]
    arch: Architecture,
    /// The zip file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// The program that runs the functions [default: bootstrap-ARCH in the folder of nebula]
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,
    /// Print JSON, with the contents of the package
    #[arg(long)]
    json: bool,
}

impl Lambda {
    pub(super) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let package = self.selection.package(global, self.arch).await?;
        let build = Build { architecture: self.arch, with_services: asks_for_services(&package) };
        let bootstrap = Bootstrap::find(self.bootstrap.as_deref(), build)?;
        note_folders(&package, "on Lambda");
        let (program_size, mut archive) = (bootstrap.bytes.len() as u64, Archive::default());
        // Lambda starts the program by this name, as another user than the one that unpacks it.
        archive.add_program("bootstrap", bootstrap.bytes);
        archive.add_package(&package);
        if archive.unzipped() > MAX_UNZIPPED {
            return Err(Failure::PackageTooLarge { size: ByteSize(archive.unzipped()), max: ByteSize(MAX_UNZIPPED) });
        }
        let zipped = archive.zip(&self.output)?;
        replace(&self.output, &zipped)?;
        if zipped.len() as u64 > MAX_UPLOADED {
            let max = ByteSize(MAX_UPLOADED);
            print::note(format_args!("the package is larger than {max}: Lambda takes it from S3, not from an upload"));
        }
        let made = PackageSummary {
            file: &self.output,
            architecture: self.arch,
            size: zipped.len() as u64,
            unzipped_size: archive.unzipped(),
            digest: Digest::of(&zipped),
            bootstrap_size: program_size,
            functions: summary::functions(&package),
        };
        match self.json {
            true => print::json(&made)?,
            false => print::result(&made.text())?,
        }
        Ok(ExitCode::OK)
    }
}

/// Whether a function of the package asks for a service, which the smaller program has no backends for.
fn asks_for_services(package: &NewPackage) -> bool {
    package.functions.iter().any(|function| {
        let config = &function.info.config;
        !config.keyvalue.is_empty() || !config.blobs.is_empty()
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

impl PackageSummary<'_> {
    fn text(&self) -> String {
        let table = summary::table(&self.functions);
        let (size, unzipped, bootstrap) =
            (ByteSize(self.size), ByteSize(self.unzipped_size), ByteSize(self.bootstrap_size));
        let (file, architecture, digest) = (self.file.display(), self.architecture, self.digest);
        format!(
            "{table}\n{file}: {size}, {unzipped} unzipped with the bootstrap of {bootstrap}, for {architecture}\n{digest}\n"
        )
    }
}
