//! Changing published functions, and asking what was changed.

use std::future::IntoFuture;

use futures_util::future::BoxFuture;

use super::Runtime;
use crate::{
    function::{AliasName, AliasTarget, FunctionInfo, FunctionName, FunctionRef, RegistryError},
    registry::{AliasInfo, Difference, HistoryEntry, Registry, VersionInfo},
    store::{AliasMove, IfPointedTo, Precondition, Removal, Revised, Terms},
};

/// A change of a published function that is about to be made. Awaiting it makes it.
#[must_use = "the change is made when this is awaited"]
pub struct Change<'a, T> {
    runtime: &'a Runtime,
    name: FunctionName,
    by: Option<String>,
    precondition: Option<Precondition>,
    make: Make<'a, T>,
}

type Make<'a, T> =
    Box<dyn FnOnce(Registry, FunctionName, Option<String>) -> BoxFuture<'a, Result<T, RegistryError>> + Send + 'a>;

impl Runtime {
    /// Points an alias to a version, or to several with weights:
    /// `runtime.set_alias(&name, &prod, AliasTarget::version(3)).by("ada".to_owned()).await?`.
    ///
    /// Each version is checked first: it compiles, and an instance of it can be made. Servers of the same store follow
    /// within two seconds, each as soon as it has loaded the version.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is no such function or version,
    /// [`RegistryErrorKind::Invalid`](crate::RegistryErrorKind::Invalid) where a version cannot be run, and what the
    /// store fails with. Nothing is changed then.
    pub fn set_alias(&self, name: &FunctionName, alias: &AliasName, target: AliasTarget) -> Change<'_, AliasMove> {
        let alias = alias.clone();
        self.change(name, |registry, name, by| {
            Box::pin(async move { registry.set_alias(&name, &alias, target, by).await })
        })
    }

    /// Removes an alias. Calls of it fail from then on. Its history stays, and a rollback brings it back.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is no such alias, and what the
    /// store fails with.
    pub fn remove_alias(&self, name: &FunctionName, alias: &AliasName) -> Change<'_, AliasMove> {
        let alias = alias.clone();
        self.change(name, |registry, name, by| Box::pin(async move { registry.remove_alias(&name, &alias, by).await }))
    }

    /// Takes back the last move of an alias. Each further rollback takes back the move before, and changes nothing
    /// where no earlier target is left. Without a name, it is the only alias that there is. Configuration is a part of
    /// a version, so that it comes back too.
    ///
    /// # Errors
    /// As [`Runtime::set_alias`], and [`RegistryErrorKind::Invalid`](crate::RegistryErrorKind::Invalid) where no alias
    /// is named and there is not exactly one.
    pub fn roll_back(&self, name: &FunctionName, alias: Option<&AliasName>) -> Change<'_, AliasMove> {
        let alias = alias.cloned();
        self.change(name, |registry, name, by| Box::pin(async move { registry.roll_back(&name, alias, by).await }))
    }

    /// Removes one version of a function, or all of them. Calls of it fail from then on. Its number is never used
    /// again.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is no such version,
    /// [`RegistryErrorKind::Invalid`](crate::RegistryErrorKind::Invalid) where an alias points to it and is not to be
    /// released, and what the store fails with.
    pub fn remove(&self, name: &FunctionName, version: Option<u64>, if_pointed_to: IfPointedTo) -> Change<'_, Removal> {
        self.change(name, move |registry, name, by| {
            Box::pin(async move { registry.remove(&name, version, if_pointed_to, by).await })
        })
    }

    /// What is known of a version, as the store has it now, and the revision of its function.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is no such version, and what the
    /// store fails with.
    pub async fn stored(&self, function: &FunctionRef) -> Result<Revised<FunctionInfo>, RegistryError> {
        self.registry.stored_revised(function).await
    }

    /// The aliases of a function, in alphabetical order, as the store has them now.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is no such function, and what
    /// the store fails with.
    pub async fn aliases(&self, name: &FunctionName) -> Result<Vec<AliasInfo>, RegistryError> {
        self.registry.aliases(name).await
    }

    /// All changes of a function, the newest first, as the store has them now. Also of a function that was removed.
    ///
    /// # Errors
    /// As [`Runtime::aliases`].
    pub async fn history(&self, name: &FunctionName) -> Result<Vec<HistoryEntry>, RegistryError> {
        self.registry.history(name).await
    }

    /// All versions of a function, the newest first, as the store has them now.
    ///
    /// # Errors
    /// As [`Runtime::aliases`].
    pub async fn versions(&self, name: &FunctionName) -> Result<Vec<VersionInfo>, RegistryError> {
        self.registry.versions(name).await
    }

    /// How the version `to` differs from the version `from`: grants, settings and exports.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is no such version, and what the
    /// store fails with.
    pub async fn diff(&self, from: &FunctionRef, to: &FunctionRef) -> Result<Difference, RegistryError> {
        self.registry.diff(from, to).await
    }

    fn change<'a, T>(
        &'a self,
        name: &FunctionName,
        make: impl FnOnce(Registry, FunctionName, Option<String>) -> BoxFuture<'a, Result<T, RegistryError>> + Send + 'a,
    ) -> Change<'a, T> {
        Change { runtime: self, name: name.clone(), by: None, precondition: None, make: Box::new(make) }
    }
}

impl<'a, T: Send + 'a> Change<'a, T> {
    /// Who makes the change, for the function's history: `ada@laptop`.
    pub fn by(self, name: impl Into<Option<String>>) -> Self {
        Self { by: name.into(), ..self }
    }

    /// Makes the change only if this holds of the function then. Otherwise it fails with
    /// [`RegistryErrorKind::Stale`](crate::RegistryErrorKind::Stale), and nothing is changed.
    pub fn only_if(self, precondition: impl Into<Option<Precondition>>) -> Self {
        Self { precondition: precondition.into(), ..self }
    }

    /// Makes the change, and also returns the revision that the function has after it.
    ///
    /// # Errors
    /// As the change itself.
    pub async fn revised(self) -> Result<Revised<T>, RegistryError> {
        let Self { runtime, name, by, precondition, make } = self;
        let terms = Terms::of(precondition);
        let value = make(runtime.registry.under(&terms), name.clone(), by).await?;
        // Where this fails, the next call reads the store.
        drop(runtime.deployments.take_up(&name).await);
        Ok(Revised { value, revision: terms.revision() })
    }
}

impl<'a, T: Send + 'a> IntoFuture for Change<'a, T> {
    type Output = Result<T, RegistryError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.revised().await?.value) })
    }
}
