//! `nebula list`.

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{ByteSize, Catalog as _, FunctionInfo, Runtime};

use crate::{cli::Global, failure::Failure, print};

const EXAMPLES: &str = "\
Examples:
  nebula list
  nebula list --json | jq -r '.[].name'";

/// Lists the published functions.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// Print JSON: an array of the functions
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints the latest version of each function.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let (store, url) = global.places.open_store().await?;
        let functions = Runtime::builder(store).concurrency(1).build()?.functions().await?;
        match functions.as_slice() {
            functions if self.json => print::json(&functions)?,
            [] => print::note(format_args!("no functions in {url}; nebula publish NAME FILE makes one")),
            functions => print::result(&table(functions))?,
        }
        Ok(ExitCode::OK)
    }
}

fn table(functions: &[FunctionInfo]) -> String {
    let header = ["NAME", "VERSION", "KIND", "SIZE", "EXPORTS"].map(str::to_owned);
    let rows = functions.iter().map(|info| {
        let version = [vec![info.version.to_string()], info.aliases.iter().map(ToString::to_string).collect()].concat();
        let size = ByteSize(info.size).to_string();
        [info.name.to_string(), version.join(" "), info.kind.to_string(), size, print::exports(info)]
    });
    print::table(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
}
