//! Publishing and packaging functions.

use std::future::IntoFuture;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::Runtime;
use crate::{
    function::{AliasName, FunctionConfig, FunctionName, FunctionRef, RegistryError},
    registry::{Architecture, NewFunction, NewPackage, PackageSettings, Published},
    store::{Origin, Precondition, Revised, Terms},
};

/// A function that is about to be published, by [`Runtime::publish`]. Awaiting it publishes it.
#[must_use = "a function is published when this is awaited"]
pub struct Publication<'a> {
    runtime: &'a Runtime,
    new: NewFunction,
    precondition: Option<Precondition>,
}

impl Runtime {
    /// Publishes a module, in the binary or in the text format, as the newest version of `name`:
    /// `runtime.publish(&name, wasm).config(config).alias(prod).await?`.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Invalid`](crate::RegistryErrorKind::Invalid) where the module cannot be run or its
    /// configuration does not fit it, and what the store fails with. Nothing is changed then.
    pub fn publish(&self, name: &FunctionName, module: impl Into<Bytes>) -> Publication<'_> {
        let (name, module) = (name.clone(), module.into());
        let (config, alias, by, origin, image) = (FunctionConfig::default(), None, None, None, None);
        let new = NewFunction { name, module, config, alias, by, origin, image };
        Publication { runtime: self, new, precondition: None }
    }

    /// Makes a package of published functions, which run under `settings`.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is no such function,
    /// [`RegistryErrorKind::Invalid`](crate::RegistryErrorKind::Invalid) where one of its exports is named or the ceilings
    /// have no room for a module, and what the store fails with.
    pub async fn package(
        &self,
        functions: &[FunctionRef],
        architecture: Architecture,
        settings: PackageSettings,
    ) -> Result<NewPackage, RegistryError> {
        self.registry.package(functions, architecture, settings).await
    }

    async fn take_up_published(&self, name: &FunctionName, published: &Published) {
        if published.changed {
            // Where this fails, the next call reads the store.
            drop(self.deployments.take_up(name).await);
        }
    }
}

impl Publication<'_> {
    /// How the function is run. The default grants nothing.
    pub fn config(mut self, config: FunctionConfig) -> Self {
        self.new.config = config;
        self
    }

    /// The alias that is to point to the new version.
    pub fn alias(mut self, alias: impl Into<Option<AliasName>>) -> Self {
        self.new.alias = alias.into();
        self
    }

    /// Who publishes it, for the function's history: `ada@laptop`.
    pub fn by(mut self, name: impl Into<Option<String>>) -> Self {
        self.new.by = name.into();
        self
    }

    /// The registry that the module was pulled from, if it was.
    pub fn origin(mut self, origin: impl Into<Option<Origin>>) -> Self {
        self.new.origin = origin.into();
        self
    }

    /// The image of its snapshot, if that was made elsewhere: of the same module, with the same configuration. Without it,
    /// the publish makes one where the configuration asks for it.
    pub fn image(mut self, image: impl Into<Option<Bytes>>) -> Self {
        self.new.image = image.into();
        self
    }

    /// Publishes it only if this holds of the function then. Otherwise it fails with
    /// [`RegistryErrorKind::Stale`](crate::RegistryErrorKind::Stale), and nothing is changed.
    pub fn only_if(self, precondition: impl Into<Option<Precondition>>) -> Self {
        Self { precondition: precondition.into(), ..self }
    }

    /// Publishes it, and also returns the revision that the function has after that.
    ///
    /// # Errors
    /// As [`Runtime::publish`].
    pub async fn revised(self) -> Result<Revised<Published>, RegistryError> {
        let Self { runtime, new, precondition } = self;
        let (name, terms) = (new.name.clone(), Terms::of(precondition));
        let value = runtime.registry.under(&terms).publish(new).await?;
        runtime.take_up_published(&name, &value).await;
        Ok(Revised { value, revision: terms.revision() })
    }
}

impl<'a> IntoFuture for Publication<'a> {
    type Output = Result<Published, RegistryError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            if self.precondition.is_some() {
                return Ok(self.revised().await?.value);
            }
            let name = self.new.name.clone();
            let published = self.runtime.registry.publish_unless_there(self.new).await?;
            self.runtime.take_up_published(&name, &published).await;
            Ok(published)
        })
    }
}
