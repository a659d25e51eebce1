//! What a function may use of one kind of service, by its own names.

use std::{collections::BTreeMap, sync::Arc};

use super::missing::missing;
use crate::{call::InvokeError, function::ServiceGrant};

/// What a function may use of one kind of service, by its own names. The node may lack a service: then there is the
/// reason in its place.
pub(in crate::host) struct Bound<T>(BTreeMap<String, Result<Arc<T>, String>>);

impl<T> Bound<T> {
    /// Binds each grant. `bind` says why the node cannot.
    pub(super) fn new(
        grants: &BTreeMap<String, ServiceGrant>,
        bind: impl Fn(&str, &ServiceGrant) -> Result<T, String>,
    ) -> Self {
        let bound = grants.iter().map(|(name, grant)| (name.clone(), bind(name, grant).map(Arc::new)));
        Self(bound.collect())
    }

    /// Checks that this node has each of the services.
    ///
    /// # Errors
    /// A service is not configured.
    pub(super) fn check(&self) -> Result<(), InvokeError> {
        let first = self.0.values().find_map(|bound| bound.as_ref().err());
        first.map_or(Ok(()), |detail| Err(missing(detail.clone())))
    }

    /// What the function calls by this name.
    pub(in crate::host) fn get(&self, name: &str) -> Option<Arc<T>> {
        self.0.get(name)?.as_ref().ok().cloned()
    }
}
