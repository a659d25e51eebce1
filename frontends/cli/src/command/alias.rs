//! `nebula alias`.

use std::{collections::BTreeMap, str::FromStr};

use clap::Args;
use http::HeaderName;
use nebula_local::ExitCode;
use nebula_runtime::{AliasInfo, AliasName, AliasTarget, FunctionName, RegistryError, RegistryErrorKind};

use crate::{
    failure::Failure, global::Global, print, progress::while_working, releases::Releases, trust::TrustOptions,
};

const EXAMPLES: &str = "\
Examples:
  nebula alias treats                  show the aliases of treats
  nebula alias treats prod 3           version 3 answers treats@prod
  nebula alias treats prod 3=95 4=5    version 4 gets 5 of 100 calls
  nebula alias treats prod 3=95 4=5 --sticky x-user
                                       a user stays at one version
  nebula alias treats prod --remove

Nebula checks each version before the alias moves: that it is trusted, compiles,
and that an instance of it can be made. Servers follow within two seconds, without a failed
call. nebula rollback takes the last move back.";

/// Points an alias of a function to a version, or shows the aliases
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Alias {
    /// The function
    name: FunctionName,
    /// The alias: 1 to 63 of a-z, 0-9 and -, starting with a letter
    alias: Option<AliasName>,
    /// The number of a version; or several numbers, each with its weight, such as 3=95 4=5
    #[arg(value_name = "VERSION|VERSION=WEIGHT")]
    versions: Vec<Share>,
    /// Give requests with the same value of this header the same version
    #[arg(long, value_name = "HEADER", requires = "versions")]
    sticky: Option<HeaderName>,
    /// Remove the alias. nebula rollback brings it back
    #[arg(long, requires = "alias", conflicts_with = "versions")]
    remove: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: TrustOptions,
}

/// A version and its weight: `3`, or `3=95`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Share {
    version: u64,
    weight: Option<u32>,
}

/// A text that is not a version.
#[derive(Debug, thiserror::Error)]
#[error("expected the number of a version such as 3, or a number and its weight such as 3=95")]
struct InvalidShare;

impl FromStr for Share {
    type Err = InvalidShare;

    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let (version, weight) = text.split_once('=').map_or((text, None), |(version, weight)| (version, Some(weight)));
        let weight = weight.map(|weight| weight.parse().map_err(|_| InvalidShare)).transpose()?;
        Ok(Self { version: version.parse().map_err(|_| InvalidShare)?, weight })
    }
}

impl Alias {
    /// Moves the alias, removes it, or shows what there is.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let target = self.target()?;
        let releases = global.places.releases_to_move(&self.trust).await?;
        let moved = match (&self.alias, target) {
            (Some(alias), Some(target)) => {
                let change = releases.set_alias(&self.name, alias, target);
                while_working(format!("checking {}", self.name), change).await?
            }
            (Some(alias), None) if self.remove => releases.remove_alias(&self.name, alias).await?,
            _ => return self.show(releases.as_ref()).await,
        };
        print::alias_move(&self.name, &moved, "", self.json)?;
        Ok(ExitCode::OK)
    }

    /// What the alias is to point to; nothing where no version is named.
    fn target(&self) -> Result<Option<AliasTarget>, Failure> {
        let target = match self.versions.as_slice() {
            [] => return Ok(None),
            [Share { version, .. }] => AliasTarget::version(*version),
            several => weighted(several)?,
        };
        Ok(Some(match &self.sticky {
            Some(header) => target.sticky(header.clone()),
            None => target,
        }))
    }

    async fn show(&self, releases: &dyn Releases) -> Result<u8, Failure> {
        let mut aliases = releases.aliases(&self.name).await?;
        aliases.retain(|info| self.alias.as_ref().is_none_or(|alias| *alias == info.alias));
        if let (Some(alias), []) = (&self.alias, aliases.as_slice()) {
            let detail = format!(
                "function {0} has no alias {alias}; nebula alias {0} {alias} VERSION makes it, nebula alias {0} shows the others",
                self.name
            );
            return Err(RegistryError::new(RegistryErrorKind::NotFound, detail).into());
        }
        if self.json {
            print::json(&aliases)?;
        } else if aliases.is_empty() {
            print::note(format_args!("{0} has no aliases; nebula alias {0} prod VERSION makes one", self.name));
        } else {
            let header = ["ALIAS", "VERSION", "MOVED", "BY"].map(str::to_owned);
            let rows: Vec<_> = std::iter::once(header).chain(aliases.iter().map(row)).collect();
            print::result(&print::table(&rows))?;
        }
        Ok(ExitCode::OK)
    }
}

fn row(AliasInfo { alias, target, at, by, .. }: &AliasInfo) -> [String; 4] {
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    [alias.to_string(), target.to_string(), known(at.map(|at| at.to_string())), known(by.clone())]
}

fn weighted(shares: &[Share]) -> Result<AliasTarget, Failure> {
    let mut weights = BTreeMap::new();
    for Share { version, weight } in shares {
        let weight =
            weight.ok_or_else(|| Failure::Usage("give each version its weight, such as 3=95 4=5".to_owned()))?;
        if weights.insert(*version, weight).is_some() {
            return Err(Failure::Usage(format!("version {version} is named twice")));
        }
    }
    AliasTarget::weighted(weights).map_err(|error| Failure::Usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        alias: Alias,
    }

    fn target(arguments: &[&str]) -> Result<String, String> {
        let line = ["alias", "treats", "prod"].iter().chain(arguments);
        let parsed = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        let target = parsed.alias.target().map_err(|failure| failure.to_string())?;
        Ok(target.map(|target| target.to_string()).unwrap_or_default())
    }

    #[test]
    fn versions_and_weights_are_a_target() {
        let cases: [(&[&str], &str); 5] = [
            (&[], ""),
            (&["3"], "3"),
            (&["3=95"], "3"),
            (&["4=5", "3=95"], "3=95 4=5"),
            (&["3=95", "4=5", "--sticky", "X-User"], "3=95 4=5 by x-user"),
        ];
        for (arguments, expected) in cases {
            assert_eq!(target(arguments).as_deref(), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused_with_what_was_expected() {
        let cases: [(&[&str], &str); 7] = [
            (&["3", "4=5"], "give each version its weight, such as 3=95 4=5"),
            (&["3=1", "3=2"], "version 3 is named twice"),
            (&["3=0", "4=1"], "version 3 has the weight 0"),
            (&["prod"], "expected the number of a version such as 3"),
            (&["3=many"], "or a number and its weight such as 3=95"),
            (&["--sticky", "x-user"], "required"),
            (&["3", "--remove"], "cannot be used with"),
        ];
        for (arguments, expected) in cases {
            let refused = target(arguments).unwrap_err();
            assert!(refused.contains(expected), "{arguments:?}: {refused}");
        }
        let latest = Line::try_parse_from(["alias", "treats", "latest", "3"]).err().unwrap().to_string();
        assert!(latest.contains("it always names the newest version"), "{latest}");
    }
}
