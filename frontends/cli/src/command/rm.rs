//! `nebula rm`.

use std::str::FromStr;

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{FunctionName, IfPointedTo, Removal};

use crate::{failure::Failure, global::Global, print};

const EXAMPLES: &str = "\
Examples:
  nebula rm treats@2                   remove one version
  nebula rm treats                     remove all versions
  nebula rm treats@3 --force           also if an alias points to it

Calls of what is removed fail. The number of a removed version is never used
again, and nebula history still shows it.";

/// Removes a version of a function, or the whole function
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rm {
    /// The function, or one version of it by its number, such as treats@2
    #[arg(value_name = "NAME[@VERSION]")]
    target: Versions,
    /// Change the aliases that point to a removed version: they keep their other versions, or are removed
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One version of a function, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Versions {
    name: FunctionName,
    version: Option<u64>,
}

impl FromStr for Versions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
        let name = name.parse().map_err(|error: nebula_runtime::InvalidFunctionRef| error.to_string())?;
        let number = |version: &str| {
            let expected = format!("{version:?} is not the number of a version; nebula inspect {name} shows them");
            version.parse().map_err(|_| expected)
        };
        Ok(Self { version: version.map(number).transpose()?, name })
    }
}

impl Rm {
    /// Removes it, and prints what was removed.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let releases = global.places.releases().await?;
        let if_pointed_to = if self.force { IfPointedTo::Release } else { IfPointedTo::Refuse };
        let Versions { name, version } = &self.target;
        let removal = releases.remove(name, *version, if_pointed_to).await?;
        match self.json {
            true => print::json(&removal)?,
            false => print::result(&text(name, &removal))?,
        }
        Ok(ExitCode::OK)
    }
}

fn text(name: &FunctionName, Removal { versions, aliases, latest, .. }: &Removal) -> String {
    let numbers: Vec<_> = versions.iter().map(ToString::to_string).collect();
    let plural = if versions.len() == 1 { "" } else { "s" };
    let latest = match latest {
        Some(latest) => format!("the latest is version {latest}"),
        None => "no version is left".to_owned(),
    };
    let aliases: String = aliases.iter().map(|moved| print::alias_line(name, moved)).collect();
    format!("removed {name} version{plural} {}; {latest}\n{aliases}", numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_names_one_version() {
        let treats = |version| Versions { name: "treats".parse().unwrap(), version };
        assert_eq!("treats".parse(), Ok(treats(None)));
        assert_eq!("treats@3".parse(), Ok(treats(Some(3))));
        for text in ["treats@latest", "treats@prod", "treats@", "treats@3x", "Treats"] {
            assert!(text.parse::<Versions>().is_err(), "{text}");
        }
    }
}
