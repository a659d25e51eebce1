//! The services of a node: what stands behind the names that functions use.

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc};

#[cfg(feature = "redb")]
use super::keyvalue::FileKeyValue;
use super::{
    backends::Backends,
    blobs::{Blobs, ObjectBlobs},
    keyvalue::{KeyValue, MemoryKeyValue},
    not_there::NotThere,
    reach::Reach,
};
use crate::{
    function::{FunctionConfig, ServiceName},
    store::StoreUrl,
};

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
    keyvalue: Backends<dyn KeyValue>,
    blobs: Backends<dyn Blobs>,
    variables: Arc<HashMap<String, String>>,
    reach: Option<Arc<Reach>>,
}

impl Services {
    /// Adds a key-value store.
    #[must_use]
    pub fn keyvalue(mut self, name: ServiceName, store: Arc<dyn KeyValue>) -> Self {
        self.keyvalue.insert(name, store);
        self
    }

    /// Adds a container of blobs.
    #[must_use]
    pub fn blobs(mut self, name: ServiceName, container: Arc<dyn Blobs>) -> Self {
        self.blobs.insert(name, container);
        self
    }

    /// Sets the environment variables that settings may refer to.
    #[must_use]
    pub fn variables(mut self, variables: Arc<HashMap<String, String>>) -> Self {
        self.variables = variables;
        self
    }

    /// Lets functions run only if all that they are granted is within `reach`. By default, there is no bound.
    #[must_use]
    pub fn within(mut self, reach: Reach) -> Self {
        self.reach = Some(Arc::new(reach));
        self
    }

    /// Makes a key-value store for each name that is not configured, when a function first asks for it.
    #[must_use]
    pub fn unnamed_keyvalue(
        mut self,
        make: impl Fn(&ServiceName) -> Arc<dyn KeyValue> + Send + Sync + 'static,
    ) -> Self {
        self.keyvalue.make_unnamed(make);
        self
    }

    /// Makes a container of blobs for each name that is not configured, when a function first asks for it.
    #[must_use]
    pub fn unnamed_blobs(mut self, make: impl Fn(&ServiceName) -> Arc<dyn Blobs> + Send + Sync + 'static) -> Self {
        self.blobs.make_unnamed(make);
        self
    }

    /// Keeps the values and the blobs of names that are not configured in the memory of the process.
    #[must_use]
    pub fn unnamed_in_memory(self) -> Self {
        self.unnamed_keyvalue(|_| Arc::new(MemoryKeyValue::default()))
            .unnamed_blobs(|_| Arc::new(ObjectBlobs::memory()))
    }

    /// Lets names that are not configured work beside a store of this machine: in memory, if the store is in memory, and
    /// in its folder, with the features `redb` and `folder`. A store that machines share gets no such names, because each
    /// machine would have its own values.
    #[must_use]
    pub fn unnamed_beside(self, store: &StoreUrl) -> Self {
        match store.services_folder() {
            Some(folder) => self.unnamed_in_files(folder.clone()).unnamed_in_folders(folder),
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

    #[cfg(feature = "folder")]
    fn unnamed_in_folders(self, folder: PathBuf) -> Self {
        self.unnamed_blobs(move |name| Arc::new(ObjectBlobs::folder(folder.join(format!("{name}.blobs")))))
    }

    #[cfg(not(feature = "folder"))]
    fn unnamed_in_folders(self, _folder: PathBuf) -> Self {
        self
    }

    /// The key-value store of this name.
    pub fn find_keyvalue(&self, name: &ServiceName) -> Option<Arc<dyn KeyValue>> {
        self.keyvalue.find(name)
    }

    /// The container of blobs of this name.
    pub fn find_blobs(&self, name: &ServiceName) -> Option<Arc<dyn Blobs>> {
        self.blobs.find(name)
    }

    /// The key-value store of this name.
    ///
    /// # Errors
    /// There is no such service, or it keeps blobs.
    pub fn keyvalue_of(&self, name: &ServiceName) -> Result<Arc<dyn KeyValue>, NotThere> {
        self.find_keyvalue(name).ok_or_else(|| match self.find_blobs(name) {
            Some(_) => NotThere::KeyValue(name.clone()),
            None => NotThere::Service(name.clone()),
        })
    }

    /// The container of blobs of this name.
    ///
    /// # Errors
    /// There is no such service, or it is a key-value store.
    pub fn blobs_of(&self, name: &ServiceName) -> Result<Arc<dyn Blobs>, NotThere> {
        self.find_blobs(name).ok_or_else(|| match self.find_keyvalue(name) {
            Some(_) => NotThere::Blobs(name.clone()),
            None => NotThere::Service(name.clone()),
        })
    }

    /// What a function of this configuration is granted and this process cannot reach, in words.
    pub(super) fn beyond_reach(&self, config: &FunctionConfig) -> Option<String> {
        self.reach.as_ref()?.beyond(config)
    }

    /// The environment variable of this name.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Services {
    /// Names only: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keyvalue, blobs) = (self.keyvalue.names().collect::<Vec<_>>(), self.blobs.names().collect::<Vec<_>>());
        f.debug_struct("Services").field("keyvalue", &keyvalue).field("blobs", &blobs).finish_non_exhaustive()
    }
}
