//! Removing versions and whole functions.

use super::lookup::Registry;
use crate::{
    function::{FunctionName, RegistryError},
    store::{IfPointedTo, Removal},
};

impl Registry {
    /// Removes one version of a function, or all of them.
    pub(crate) async fn remove(
        &self,
        name: &FunctionName,
        version: Option<u64>,
        if_pointed_to: IfPointedTo,
        by: Option<String>,
    ) -> Result<Removal, RegistryError> {
        Ok(self.store.remove(name, version, if_pointed_to, by.as_deref()).await?)
    }
}
