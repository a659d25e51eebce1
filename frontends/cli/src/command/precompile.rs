//! `nebula precompile`.

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{Architecture, ByteSize, FunctionRef, Precompiled, PrecompiledVersion, Progress, Runtime};
use serde::Serialize;

use crate::{failure::Failure, global::Global, print, progress::while_counting};

const EXAMPLES: &str = "\
Examples:
  nebula precompile
  nebula precompile treats resize@prod
  nebula precompile --arch arm64 --cache ./code

Without a version, the latest version and those that aliases point to are compiled.
With --arch, the code is for every processor of that kind: copy the folder of compiled
code to the machine, readable by its user only, and name it there with --cache.";

/// Compiles functions before they are first called
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Precompile {
    /// The functions, such as treats, treats@3 or resize@prod [default: all]
    #[arg(value_name = "FUNCTION")]
    functions: Vec<FunctionRef>,
    /// Compile for every processor of this kind: x86_64 or arm64 [default: for this processor]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Architecture>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Precompile {
    /// Compiles the functions, and prints what is in the cache now.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let Some(cache) = global.places.code_cache() else {
            let hint = "there is no folder for compiled code: name one, with --cache or NEBULA_CACHE";
            return Err(Failure::Usage(hint.to_owned()));
        };
        let (store, _) = global.places.open_store().await?;
        let runtime = Runtime::builder(store).code_cache(Some(cache)).concurrency(1).build()?;
        let progress = Progress::default();
        let compiled = runtime.precompile(&self.functions, self.arch, &progress);
        let compiled = while_counting("compiling", &progress, compiled).await?;
        match self.json {
            true => print::json(&compiled.iter().map(Object::of).collect::<Vec<_>>())?,
            false => print::result(&text(&compiled))?,
        }
        let mut failures = compiled.iter().filter_map(|compiled| compiled.as_ref().err());
        let first = failures.next().map(|failed| Failure::Registry(failed.error.clone()).exit_code());
        Ok(first.unwrap_or(ExitCode::OK))
    }
}

/// A version or a failure, as it is printed in JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Object<'a> {
    Version(&'a PrecompiledVersion),
    Failed(&'a nebula_runtime::UnreadableFunction),
}

impl<'a> Object<'a> {
    fn of(compiled: &'a Precompiled) -> Self {
        compiled.as_ref().map_or_else(Self::Failed, Self::Version)
    }
}

fn text(compiled: &[Precompiled]) -> String {
    compiled.iter().map(line).collect()
}

fn line(compiled: &Precompiled) -> String {
    match compiled {
        Ok(PrecompiledVersion { name, version, code_size, was_kept, .. }) => {
            let was_kept = if *was_kept { ", which was there already" } else { "" };
            format!("{name} version {version}: {} of code{was_kept}\n", ByteSize(*code_size))
        }
        Err(failed) => format!("{} cannot be compiled: {}\n", failed.name, failed.error.detail()),
    }
}
