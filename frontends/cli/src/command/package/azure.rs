//! `nebula package azure`.

use std::path::{Path, PathBuf};

use clap::Args;
use nebula_azure::Bindings;
use nebula_local::ExitCode;
use nebula_runtime::{Architecture, ByteSize, Digest, FunctionInfo, FunctionName, NewPackage};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    archive::Archive,
    output::replace,
    selection::{Selection, note_folders},
    summary::{self, FunctionSummary},
};
use crate::{
    failure::Failure,
    global::Global,
    print,
    program::{Program, ProgramOptions},
};

const EXAMPLES: &str = "\
Examples:
  nebula package azure treats -o app.zip
  nebula package azure treats resize@prod --binary nebula-x86_64 -o app.zip
  nebula package azure --config nebula.toml --store memory:// -o app.zip
  az functionapp deployment source config-zip -g GROUP -n APP --src app.zip

HTTP requests call a function at /api/NAME, as on every Nebula server. [functions.NAME.azure]
of nebula.toml names other triggers. The same functions always make the same bytes.";

/// Where the program is in the package, and where its loader and libraries are.
const PROGRAM: &str = "bin/nebula";
const LIBRARIES: &str = "lib";

/// Packages functions for Azure Functions, as a custom handler
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Azure {
    #[command(flatten)]
    selection: Selection,
    /// The processor that the package is for: x86_64 or arm64
    #[arg(long, value_name = "ARCH", default_value_t = Architecture::X86_64)]
    arch: Architecture,
    /// The zip file to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    program: ProgramOptions,
    /// Print JSON, with the contents of the package
    #[arg(long)]
    json: bool,
}

impl Azure {
    pub(super) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let program = self.program.find(self.arch)?;
        let package = self.selection.package(global, self.arch).await?;
        note_folders(&package, "on Azure");
        let program_size = program.bytes.len() as u64;
        let (archive, bindings) = archive(program, &package)?;
        let zipped = archive.zip(&self.output)?;
        replace(&self.output, &zipped)?;
        let made = PackageSummary {
            file: &self.output,
            architecture: self.arch,
            size: zipped.len() as u64,
            unzipped_size: archive.unzipped(),
            digest: Digest::of(&zipped),
            program_size,
            functions: summary::functions(&package),
            bindings: bindings.iter().map(|(name, bindings)| BindingsSummary { name, bindings }).collect(),
        };
        match self.json {
            true => print::json(&made)?,
            false => print::result(&made.text())?,
        }
        Ok(ExitCode::OK)
    }
}

/// The files of the package, and the bindings of its functions.
pub(super) fn archive(
    program: Program,
    package: &NewPackage,
) -> Result<(Archive, Vec<(FunctionName, Bindings)>), Failure> {
    let mut archive = Archive::default();
    let bindings = package.functions.iter().map(|function| bindings(&function.info));
    let bindings = bindings.collect::<Result<Vec<_>, _>>()?;
    for (name, bindings) in &bindings {
        archive.add_file(Path::new(name.as_str()).join("function.json"), print::pretty(bindings)?);
    }
    let extensions = bindings.iter().any(|(_, bindings)| bindings.need_extensions());
    archive.add_file("host.json", print::pretty(&host(&program, extensions))?);
    // Only `func start` reads this file, on the machine of a developer.
    let settings = json!({ "IsEncrypted": false, "Values": { "FUNCTIONS_WORKER_RUNTIME": "custom" } });
    archive.add_file("local.settings.json", print::pretty(&settings)?);
    archive.add_package(package);
    for (path, bytes) in program.libraries {
        archive.add_program(library(&path), bytes);
    }
    archive.add_program(PROGRAM, program.bytes);
    Ok((archive, bindings))
}

fn bindings(info: &FunctionInfo) -> Result<(FunctionName, Bindings), Failure> {
    let bindings = match &info.config.azure {
        None => Bindings::of_requests(&info.name),
        Some(azure) => Bindings::new(azure.bindings.clone())
            .map_err(|source| Failure::Bindings { function: info.name.clone(), source })?,
    };
    Ok((info.name.clone(), bindings))
}

/// The place of a library in the package: all of them in one folder.
fn library(path: &Path) -> PathBuf {
    Path::new(LIBRARIES).join(path.file_name().unwrap_or_default())
}

/// `host.json`: how the host starts the program. The package brings its own loader and C library, because those of
/// the host may be older than the ones that the program was linked with.
fn host(program: &Program, extensions: bool) -> Value {
    let start = ["start", "azure", "."];
    let (path, arguments) = match &program.loader {
        None => (PROGRAM.into(), start.to_vec()),
        Some(loader) => (library(loader), [&["--library-path", LIBRARIES, PROGRAM], start.as_slice()].concat()),
    };
    let handler = json!({
        "enableForwardingHttpRequest": true,
        "description": { "defaultExecutablePath": path, "arguments": arguments },
    });
    match extensions {
        false => json!({ "version": "2.0", "customHandler": handler }),
        true => {
            let bundle = json!({ "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)" });
            json!({ "version": "2.0", "customHandler": handler, "extensionBundle": bundle })
        }
    }
}

/// The content of a package, as the command prints it.
#[derive(Debug, Serialize)]
struct PackageSummary<'a> {
    file: &'a Path,
    architecture: Architecture,
    size: u64,
    unzipped_size: u64,
    digest: Digest,
    program_size: u64,
    functions: Vec<FunctionSummary<'a>>,
    bindings: Vec<BindingsSummary<'a>>,
}

#[derive(Debug, Serialize)]
struct BindingsSummary<'a> {
    name: &'a FunctionName,
    #[serde(flatten)]
    bindings: &'a Bindings,
}

impl PackageSummary<'_> {
    fn text(&self) -> String {
        let (table, file, architecture) = (summary::table(&self.functions), self.file.display(), self.architecture);
        let (size, unzipped, program) =
            (ByteSize(self.size), ByteSize(self.unzipped_size), ByteSize(self.program_size));
        let digest = self.digest;
        format!(
            "{table}\n{file}: {size}, {unzipped} unzipped with the program of {program}, for {architecture}\n{digest}\n"
        )
    }
}
