//! `nebula rollback`.

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{AliasName, FunctionName};

use crate::{failure::Failure, global::Global, print, progress::while_working, trust::TrustOptions};

const EXAMPLES: &str = "\
Examples:
  nebula rollback treats prod          back to what treats@prod was before
  nebula rollback treats               the same, if prod is the only alias
  nebula history treats                see what was moved when

Each rollback takes back one move of the alias. The configuration is a part of a
version, so it comes back too. Servers follow within two seconds.";

/// Points an alias of a function back to what it pointed to before
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rollback {
    /// The function
    name: FunctionName,
    /// The alias. Default: the only alias of the function
    alias: Option<AliasName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: TrustOptions,
}

impl Rollback {
    /// Takes back the last move, and prints where the alias points to.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let releases = global.places.releases_to_move(&self.trust).await?;
        let change = releases.roll_back(&self.name, self.alias.as_ref());
        let moved = while_working(format!("checking {}", self.name), change).await?;
        print::alias_move(&self.name, &moved, ", and there is nothing earlier to go back to", self.json)?;
        Ok(ExitCode::OK)
    }
}
