//! Moving aliases, and taking moves back.

use serde::{Deserialize, Serialize};

use super::{lookup::Registry, missing::no_such_alias};
use crate::{
    function::{AliasName, AliasTarget, FunctionName, RegistryError, RegistryErrorKind, Timestamp, list_of},
    store::{Alias, AliasMove, FunctionRecord},
};

/// An alias of a function, and its last move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AliasInfo {
    /// Its name.
    pub alias: AliasName,
    /// What it points to.
    pub target: AliasTarget,
    /// When it was moved there. `None` for an alias from a record of format 1, which did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who moved it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Registry {
    /// The aliases of a function, in alphabetical order.
    pub(crate) async fn aliases(&self, name: &FunctionName) -> Result<Vec<AliasInfo>, RegistryError> {
        let record = self.record(name).await?;
        Ok(record.aliases().filter_map(|(alias, known)| info(alias, known)).collect())
    }

    /// Points an alias to `target`, once each of its versions is found to run.
    pub(crate) async fn set_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        target: AliasTarget,
        by: Option<String>,
    ) -> Result<AliasMove, RegistryError> {
        self.check(name, &self.record(name).await?, alias, &target).await?;
        Ok(self.store.set_alias(name, alias, Some(target), by.as_deref()).await?)
    }

    /// Removes an alias. Its history stays.
    pub(crate) async fn remove_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        by: Option<String>,
    ) -> Result<AliasMove, RegistryError> {
        if self.record(name).await?.target(alias).is_none() {
            return Err(no_such_alias(name, alias));
        }
        Ok(self.store.set_alias(name, alias, None, by.as_deref()).await?)
    }

    /// Takes back the last move of an alias, once the versions that it goes back to are found to run. Without a name,
    /// it is the only alias that there is.
    pub(crate) async fn roll_back(
        &self,
        name: &FunctionName,
        alias: Option<AliasName>,
        by: Option<String>,
    ) -> Result<AliasMove, RegistryError> {
        let record = self.record(name).await?;
        let alias = alias.map_or_else(|| only_alias(name, &record), Ok)?;
        if let Some(earlier) = record.earlier_target(&alias) {
            self.check(name, &record, &alias, &earlier).await?;
        }
        Ok(self.store.roll_back(name, &alias, by.as_deref()).await?)
    }
}

fn info(alias: &AliasName, known: &Alias) -> Option<AliasInfo> {
    let (target, moved) = (known.target.clone()?, known.history.last());
    let (at, by) = (moved.map(|moved| moved.at), moved.and_then(|moved| moved.by.clone()));
    Some(AliasInfo { alias: alias.clone(), target, at, by })
}

/// The only alias of a function.
fn only_alias(name: &FunctionName, record: &FunctionRecord) -> Result<AliasName, RegistryError> {
    let names: Vec<_> = record.targets().into_keys().collect();
    let detail = match names.as_slice() {
        [only] => return Ok(only.clone()),
        [] => format!(
            "function {name} has no alias that could be rolled back; `nebula alias {name} prod VERSION` makes one. To make an \
             earlier version the latest again, publish it again"
        ),
        several => {
            let names = list_of(several.iter().map(AliasName::as_str));
            format!("function {name} has several aliases: {names}; name one: nebula rollback {name} ALIAS")
        }
    };
    Err(RegistryError::new(RegistryErrorKind::Invalid, detail))
}
