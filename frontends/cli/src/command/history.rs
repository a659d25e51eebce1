//! `nebula history`.

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{AliasTarget, FunctionName, HistoryChange, HistoryEntry};

use crate::{failure::Failure, global::Global, print};

const EXAMPLES: &str = "\
Examples:
  nebula history treats
  nebula history treats --json | jq -r '.[0].by'

The newest change comes first.";

/// Shows all changes of a function: when, who, from what and to what
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct History {
    /// The function. It may be removed by now
    name: FunctionName,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl History {
    /// Prints the changes.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let history = global.places.releases().await?.history(&self.name).await?;
        if self.json {
            print::json(&history)?;
        } else {
            let header = ["WHEN", "WHO", "CHANGE"].map(str::to_owned);
            let rows: Vec<_> = std::iter::once(header).chain(history.iter().map(row)).collect();
            print::result(&print::table(&rows))?;
        }
        Ok(ExitCode::OK)
    }
}

fn row(HistoryEntry { at, by, change, .. }: &HistoryEntry) -> [String; 3] {
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let none = |target: &Option<AliasTarget>| target.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let change = match change {
        HistoryChange::Published { version } => format!("version {version} published"),
        HistoryChange::Removed { version } => format!("version {version} removed"),
        HistoryChange::Alias { alias, from, to } => format!("{alias}: {} -> {}", none(from), none(to)),
        _ => String::new(),
    };
    [known(at.map(|at| at.to_string())), known(by.clone()), change]
}
