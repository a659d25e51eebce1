//! Publishing functions.

use std::num::NonZeroU64;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{binary::binary, compose::compose, lookup::Registry, pure::check_cache};
use crate::{
    call::InvokeError,
    engine::CodeKey,
    function::{
        AliasName, AliasTarget, Composition, Digest, Export, FunctionConfig, FunctionInfo, FunctionName, FunctionRef,
        Kind, LinkedImport, RegistryError, RegistryErrorKind, VersionRef, some_of,
    },
    guest::Guest,
    host::Ungranted,
    store::{NewVersion, Origin},
};

/// What a publish did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// The version that is published.
    #[serde(flatten)]
    pub info: FunctionInfo,
    /// Whether anything changed: `false` where exactly this was published already.
    pub changed: bool,
}

/// A version to publish.
pub(crate) struct NewFunction {
    pub(crate) name: FunctionName,
    /// In the binary or in the text format.
    pub(crate) module: Bytes,
    pub(crate) config: FunctionConfig,
    /// The alias that is to point to the version.
    pub(crate) alias: Option<AliasName>,
    /// Who publishes it.
    pub(crate) by: Option<String>,
    /// The registry that it was pulled from, if it was.
    pub(crate) origin: Option<Origin>,
    /// The image of its snapshot, if that was made elsewhere.
    pub(crate) image: Option<Bytes>,
}

/// A version to publish whose imports are linked, if it has any.
struct Composed {
    new: NewFunction,
    composition: Option<Composition>,
}

impl Registry {
    /// Publishes a module as the newest version of its name. A module that cannot be run, or whose configuration does not
    /// fit it, changes nothing.
    pub(crate) async fn publish(&self, new: NewFunction) -> Result<Published, RegistryError> {
        let composed = self.composed(new).await?;
        self.publish_composed(composed).await
    }

    /// As [`Registry::publish`], but nothing is compiled and written if exactly this is published already.
    pub(crate) async fn publish_unless_there(&self, new: NewFunction) -> Result<Published, RegistryError> {
        let composed = self.composed(new).await?;
        match self.published_already(&composed).await? {
            Some(info) => Ok(Published { info, changed: false }),
            None => self.publish_composed(composed).await,
        }
    }

    async fn composed(&self, new: NewFunction) -> Result<Composed, RegistryError> {
        let (module, composition) = self.compose(&new.name, binary(new.module)?, &new.config).await?;
        Ok(Composed { new: NewFunction { module, ..new }, composition })
    }

    async fn publish_composed(&self, composed: Composed) -> Result<Published, RegistryError> {
        check_cache(&composed.new.config, &composed.new.module)?;
        let snapshot = self.image(&composed.new).await?;
        let Composed { new: NewFunction { name, module, config, alias, by, origin, .. }, composition } = composed;
        let wasm = snapshot.as_ref().unwrap_or(&module).clone();
        let (key, code) = (CodeKey::of(Digest::of(&wasm), &config), wasm.clone());
        let guest = self.loader.load(key, async move { Ok::<_, InvokeError>(code) }).await?;
        let (kind, exports) = (guest.kind(), describe(&guest, &wasm).await?);
        check_export(&config, &guest, &exports)?;
        check_reuse(&config, &guest)?;
        check_cors(&config, kind)?;
        check_grants(&name, &config, &guest)?;
        let version = NewVersion { module, kind, exports, config, composition, snapshot, published_by: by, origin };
        let published = self.store.publish(&name, version, alias.as_ref()).await?;
        // Another publisher may have made a newer version since.
        let version = NonZeroU64::new(published.number).map_or(VersionRef::Latest, VersionRef::Number);
        let info = self.stored(&FunctionRef::from(name).with_version(version)).await?;
        Ok(Published { info, changed: published.changed })
    }

    /// The newest version, if it is exactly this and whole. Then there is nothing to compile, and a start with ten thousand
    /// functions that are all published already is quick.
    async fn published_already(
        &self,
        Composed { new, composition }: &Composed,
    ) -> Result<Option<FunctionInfo>, RegistryError> {
        match self.stored(&new.name.clone().into()).await {
            Ok(info) => {
                let digest = Digest::of(&new.module);
                let same = info.digest == digest && info.config == new.config && info.composition == *composition;
                let whole = same
                    && self.points(&new.name, new.alias.as_ref(), info.version).await?
                    && self.store.module(&digest).await.is_ok()
                    && self.has_image(new, &info).await?;
                Ok(whole.then_some(info))
            }
            Err(error) if error.kind() == RegistryErrorKind::Unavailable => Err(error),
            // Not there, or damaged: publishing restores it.
            Err(_) => Ok(None),
        }
    }

    /// Whether `alias` points to this version alone, where one is given.
    async fn points(
        &self,
        name: &FunctionName,
        alias: Option<&AliasName>,
        version: u64,
    ) -> Result<bool, RegistryError> {
        let Some(alias) = alias else { return Ok(true) };
        let record = self.store.record(name).await?.unwrap_or_default();
        Ok(record.target(alias) == Some(&AliasTarget::version(version)))
    }

    /// The component with its imports linked as its configuration says.
    async fn compose(
        &self,
        name: &FunctionName,
        module: Bytes,
        config: &FunctionConfig,
    ) -> Result<(Bytes, Option<Composition>), RegistryError> {
        if config.imports.is_empty() {
            return Ok((module, None));
        }
        let (mut imports, mut components) = (Vec::new(), Vec::new());
        for (import, function) in &config.imports {
            let info = self.stored(function).await.map_err(|error| {
                let detail = format!("imports: {import:?} is to be function {function}: {}", error.detail());
                RegistryError::new(error.kind(), detail).with_source(error)
            })?;
            components.push(self.store.module(&info.digest).await?);
            imports.push(LinkedImport {
                import: import.clone(),
                function: function.clone(),
                version: info.version,
                digest: info.digest,
            });
        }
        let composition = Composition { component: Digest::of(&module), imports };
        let (name, linked) = (name.clone(), composition.imports.clone());
        let composed =
            spawn_blocking(move || compose(&name, &module, &linked.iter().zip(components).collect::<Vec<_>>()));
        let failed =
            |error| RegistryError::new(RegistryErrorKind::Internal, "linking the component failed").with_source(error);
        Ok((composed.await.map_err(failed)??, Some(composition)))
    }
}

/// What can be called of a guest. On a thread that may be held for a while: a large component is read once more for it.
async fn describe(guest: &Guest, module: &Bytes) -> Result<Vec<Export>, RegistryError> {
    let (guest, module) = (guest.clone(), module.clone());
    let described = spawn_blocking(move || guest.describe(&module)).await;
    described.map_err(|panic| {
        RegistryError::new(RegistryErrorKind::Internal, "failed to describe the module").with_source(panic)
    })
}

fn check_reuse(config: &FunctionConfig, guest: &Guest) -> Result<(), RegistryError> {
    if config.reuse.is_none() || guest.is_reusable() {
        return Ok(());
    }
    let detail = "reuse is for handlers of wasi:http 0.3: every other guest has an instance for each invocation";
    Err(RegistryError::new(RegistryErrorKind::Invalid, detail))
}

fn check_cors(config: &FunctionConfig, kind: Kind) -> Result<(), RegistryError> {
    if config.cors.is_none() || kind != Kind::Http {
        return Ok(());
    }
    let detail =
        "cors is for functions that do not see the HTTP request: an HTTP handler answers pages of other origins itself";
    Err(RegistryError::new(RegistryErrorKind::Invalid, detail))
}

/// Refuses a component that imports a service which its configuration does not grant.
fn check_grants(name: &FunctionName, config: &FunctionConfig, guest: &Guest) -> Result<(), RegistryError> {
    match Ungranted::first(&guest.imports(), config) {
        None => Ok(()),
        Some(Ungranted { import, line }) => {
            let detail = format!(
                "the component imports {import}, which the function is not granted; add to [functions.{name}] of nebula.toml \
                 a line such as: {line}"
            );
            Err(RegistryError::new(RegistryErrorKind::Invalid, detail))
        }
    }
}

fn check_export(config: &FunctionConfig, guest: &Guest, exports: &[Export]) -> Result<(), RegistryError> {
    let Some(export) = &config.export else {
        return Ok(());
    };
    if guest.has_export(export) {
        return Ok(());
    }
    let detail = match exports {
        [] => {
            format!("the configured export {export:?} does not exist: a {} has no exports to choose from", guest.kind())
        }
        exports => format!("the configured export {export:?} does not exist; there are: {}", some_of(exports)),
    };
    let detail = guest.uncallable(export).unwrap_or(detail);
    Err(RegistryError::new(RegistryErrorKind::Invalid, detail))
}
