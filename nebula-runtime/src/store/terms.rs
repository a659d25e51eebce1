//! The terms of a change: what must hold of a function before it, and which revision the function has after it.

use std::sync::{Arc, OnceLock};

use super::{error::StoreError, record::FunctionRecord};
use crate::function::{Digest, FunctionName};

/// What must hold of a function, so that it is changed. It is checked in the same step that changes the function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// The function has one of these revisions.
    Revision(Vec<Digest>),
    /// The function has a version.
    Published,
    /// The function has no version: it was never published, or all its versions are removed.
    Unpublished,
}

/// Something that was read or changed, and the revision that its function has then.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revised<T> {
    /// What was read, or what the change did.
    pub value: T,
    /// The revision of the function: the digest of its record. Each change of the function makes another one. `None`
    /// if the function has no record.
    pub revision: Option<Digest>,
}

/// The terms of the changes that are made through one handle of a store. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    precondition: Option<Precondition>,
    revision: Arc<OnceLock<Digest>>,
}

impl Precondition {
    fn holds(&self, revision: Option<Digest>, record: &FunctionRecord) -> bool {
        match self {
            Self::Revision(expected) => revision.is_some_and(|revision| expected.contains(&revision)),
            Self::Published => record.latest().is_some(),
            Self::Unpublished => record.latest().is_none(),
        }
    }
}

impl Terms {
    /// Terms with this precondition.
    #[cfg(any(test, feature = "compiler"))]
    pub(crate) fn of(precondition: Option<Precondition>) -> Self {
        Self { precondition, revision: Arc::default() }
    }

    /// The revision after the change, once that is made.
    #[cfg(any(test, feature = "compiler"))]
    pub(crate) fn revision(&self) -> Option<Digest> {
        self.revision.get().copied()
    }

    /// Checks that a record may be changed. `revision` is that of the record, if there is one.
    pub(super) fn check(
        &self,
        function: &FunctionName,
        revision: Option<Digest>,
        record: &FunctionRecord,
    ) -> Result<(), StoreError> {
        match &self.precondition {
            Some(precondition) if !precondition.holds(revision, record) => {
                Err(StoreError::Stale { function: function.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Notes the revision after the change. The first one counts: a change writes one record.
    pub(super) fn note(&self, revision: Option<Digest>) {
        if let Some(revision) = revision {
            let _ = self.revision.set(revision);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        function::{AliasTarget, FunctionConfig, Kind},
        store::{NewVersion, Store},
    };

    fn version(module: &'static str) -> NewVersion {
        let (config, kind) = (FunctionConfig::default(), Kind::Core);
        let (exports, composition, published_by) = (Vec::new(), None, None);
        let (snapshot, origin) = (None, None);
        NewVersion { module: module.into(), kind, exports, config, composition, snapshot, published_by, origin }
    }

    #[tokio::test]
    async fn a_change_tells_the_revision_that_it_leaves_and_is_made_only_where_its_terms_hold() {
        let (store, name) = (Store::memory(), "f".parse().unwrap());
        let publish = async |module, precondition| {
            let terms = Terms::of(precondition);
            let published = store.under(&terms).publish(&name, version(module), None).await;
            published.map(|_| terms.revision())
        };
        let is_stale = |result: Result<_, StoreError>| matches!(result, Err(StoreError::Stale { .. }));
        assert!(is_stale(publish("a", Some(Precondition::Published)).await));
        let first = publish("a", Some(Precondition::Unpublished)).await.unwrap();
        assert!(is_stale(publish("b", Some(Precondition::Unpublished)).await));
        assert_eq!(publish("a", Some(Precondition::Published)).await.unwrap(), first, "nothing has changed");
        let second = publish("b", first.map(|first| Precondition::Revision(vec![first]))).await.unwrap();
        assert_ne!(first, second);
        assert!(is_stale(publish("c", first.map(|first| Precondition::Revision(vec![first]))).await));
        assert_eq!(store.revised_record(&name).await.unwrap().unwrap().revision, second);
        let terms = Terms::of(Some(Precondition::Revision(Vec::new())));
        let (store, prod) = (store.under(&terms), "prod".parse().unwrap());
        let moved = store.set_alias(&name, &prod, Some(AliasTarget::version(1)), None).await;
        assert!(is_stale(moved.map(|_| None)));
    }
}
