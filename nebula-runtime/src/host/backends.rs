//! The backends of one kind of service, by the names of services.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::{function::ServiceName, sync::lock};

/// The backends of one kind of service, by the names of services.
pub(super) struct Backends<B: ?Sized> {
    configured: BTreeMap<ServiceName, Arc<B>>,
    unnamed: Option<Arc<Unnamed<B>>>,
}

/// What stands behind a name that is not configured.
struct Unnamed<B: ?Sized> {
    make: Box<Make<B>>,
    made: Mutex<BTreeMap<ServiceName, Arc<B>>>,
}

/// Makes the backend of a name.
type Make<B> = dyn Fn(&ServiceName) -> Arc<B> + Send + Sync;

impl<B: ?Sized> Backends<B> {
    pub(super) fn insert(&mut self, name: ServiceName, backend: Arc<B>) {
        self.configured.insert(name, backend);
    }

    /// Makes a backend for each name that is not configured, when it is first asked for.
    pub(super) fn make_unnamed(&mut self, make: impl Fn(&ServiceName) -> Arc<B> + Send + Sync + 'static) {
        self.unnamed = Some(Arc::new(Unnamed { make: Box::new(make), made: Mutex::default() }));
    }

    /// The backend of this name.
    pub(super) fn find(&self, name: &ServiceName) -> Option<Arc<B>> {
        if let Some(backend) = self.configured.get(name) {
            return Some(Arc::clone(backend));
        }
        let unnamed = self.unnamed.as_ref()?;
        let mut made = lock(&unnamed.made);
        Some(Arc::clone(made.entry(name.clone()).or_insert_with(|| (unnamed.make)(name))))
    }

    /// The names that are configured.
    pub(super) fn names(&self) -> impl Iterator<Item = &ServiceName> {
        self.configured.keys()
    }
}

impl<B: ?Sized> Clone for Backends<B> {
    fn clone(&self) -> Self {
        Self { configured: self.configured.clone(), unnamed: self.unnamed.clone() }
    }
}

impl<B: ?Sized> Default for Backends<B> {
    fn default() -> Self {
        Self { configured: BTreeMap::new(), unnamed: None }
    }
}
