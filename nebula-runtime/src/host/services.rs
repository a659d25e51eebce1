//! The services of a node: what stands behind the names that functions use.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex},
};

#[cfg(feature = "redb")]
use super::keyvalue::FileKeyValue;
use super::keyvalue::{KeyValue, MemoryKeyValue};
use crate::{function::ServiceName, store::StoreUrl, sync::lock};

/// The services of a node: what stands behind the names that functions use in their configuration, and the
/// environment variables that settings may refer to. The default has none.
///
/// ```
/// # use std::sync::Arc;
/// # use nebula_runtime::{Services, keyvalue::MemoryKeyValue};
/// let services = Services::default()
///     .keyvalue("state".parse()?, Arc::new(MemoryKeyValue::default()))
///     .variables(Arc::new([("API_KEY".to_owned(), "secret".to_owned())].into()));
/// # Ok::<_, nebula_runtime::InvalidServiceName>(())
/// ```
///
/// - Cheap to clone. Clones share the services.
#[derive(Clone, Default)]
pub struct Services {
    keyvalue: BTreeMap<ServiceName, Arc<dyn KeyValue>>,
    variables: Arc<HashMap<String, String>>,
    unnamed: Option<Arc<Unnamed>>,
}

/// What stands behind a name that is not configured.
struct Unnamed {
    keyvalue: Box<MakeKeyValue>,
    made: Mutex<BTreeMap<ServiceName, Arc<dyn KeyValue>>>,
}

/// Makes the key-value store behind a name.
type MakeKeyValue = dyn Fn(&ServiceName) -> Arc<dyn KeyValue> + Send + Sync;

impl Services {
    /// Adds a key-value store.
    #[must_use]
    pub fn keyvalue(mut self, name: ServiceName, store: Arc<dyn KeyValue>) -> Self {
        self.keyvalue.insert(name, store);
        self
    }

    /// Sets the environment variables that settings may refer to.
    #[must_use]
    pub fn variables(mut self, variables: Arc<HashMap<String, String>>) -> Self {
        self.variables = variables;
        self
    }

    /// Makes a key-value store for each name that is not configured, when a function first asks for it.
    #[must_use]
    pub fn unnamed_keyvalue(
        mut self,
        make: impl Fn(&ServiceName) -> Arc<dyn KeyValue> + Send + Sync + 'static,
    ) -> Self {
        self.unnamed = Some(Arc::new(Unnamed { keyvalue: Box::new(make), made: Mutex::default() }));
        self
    }

    /// Keeps the values of names that are not configured in the memory of the process.
    #[must_use]
    pub fn unnamed_in_memory(self) -> Self {
        self.unnamed_keyvalue(|_| Arc::new(MemoryKeyValue::default()))
    }

    /// Lets names that are not configured work beside a store of this machine: in memory, if the store is in memory, and in
    /// files of its folder, with the feature `redb`. A store that machines share gets no such names, because each machine
    /// would have its own values.
    #[must_use]
    pub fn unnamed_beside(self, store: &StoreUrl) -> Self {
        match store.services_folder() {
            Some(folder) => self.unnamed_in_files(folder),
            None if *store == StoreUrl::MEMORY => self.unnamed_in_memory(),
            None => self,
        }
    }

    #[cfg(feature = "redb")]
    fn unnamed_in_files(self, folder: PathBuf) -> Self {
        self.unnamed_keyvalue(move |name| Arc::new(FileKeyValue::new(folder.join(format!("{name}.redb")))))
    }

    #[cfg(not(feature = "redb"))]
    fn unnamed_in_files(self, _folder: PathBuf) -> Self {
        self
    }

    /// The key-value store of this name.
    pub fn find_keyvalue(&self, name: &ServiceName) -> Option<Arc<dyn KeyValue>> {
        if let Some(store) = self.keyvalue.get(name) {
            return Some(Arc::clone(store));
        }
        let unnamed = self.unnamed.as_ref()?;
        let mut made = lock(&unnamed.made);
        Some(Arc::clone(made.entry(name.clone()).or_insert_with(|| (unnamed.keyvalue)(name))))
    }

    /// The environment variable of this name.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Services {
    /// Names only: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("keyvalue", &self.keyvalue.keys()).finish_non_exhaustive()
    }
}
