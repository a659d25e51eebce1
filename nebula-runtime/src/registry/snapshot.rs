//! The snapshots of commands: which of them may have one, and the image of a version that is published.

use bytes::Bytes;
use wasmparser::{Encoding, ExternalKind, Parser, Payload, TypeRef};

use super::{lookup::Registry, publish::NewFunction};
use crate::{
    function::{Digest, FunctionInfo, Limits, RegistryError, RegistryErrorKind, Snapshot},
    guest::Uninitialised,
    store::{FunctionRecord, Manifest, StoreError},
};

/// The exports that initialise a command whose configuration names none: Wizer's own name, and its earlier one.
const INITIALISERS: [&str; 2] = ["wizer-initialize", "wizer.initialize"];

/// The exports that start a command which is initialised, where it has one of them: Wizer's header for C and C++ exports
/// the second. `_start` runs the constructors again that the initialiser has run.
const STARTS: [&str; 2] = ["wizer-resume", "wizer.resume"];

impl Registry {
    /// The image that invocations of a version start from, if its configuration asks for a snapshot. An image that was made
    /// before is used again, so that publishing the same again changes nothing.
    pub(super) async fn image(&self, new: &NewFunction) -> Result<Option<Bytes>, RegistryError> {
        let Some(command) = command(new)? else { return Ok(None) };
        if let Some(image) = &new.image {
            return Ok(Some(image.clone()));
        }
        if let Some(image) = self.earlier_image(new).await? {
            return Ok(Some(image));
        }
        // The semaphore is never closed.
        let _place = self.initialisers.acquire().await;
        Ok(Some(command.image(&self.loader).await?))
    }

    /// Whether a version that is published has the image that a publish of it would use, or needs none.
    pub(super) async fn has_image(&self, new: &NewFunction, info: &FunctionInfo) -> Result<bool, RegistryError> {
        let Some(published) = info.snapshot else { return Ok(true) };
        let image = match &new.image {
            Some(image) => Some(Digest::of(image)),
            None => self.earlier_image(new).await?.map(|image| Digest::of(&image)),
        };
        Ok(image == Some(published.digest) && self.store.module(&published.digest).await.is_ok())
    }

    /// The image of an earlier version with the same module and configuration. A version that is not trusted does not
    /// count: its image may be of anyone.
    async fn earlier_image(&self, new: &NewFunction) -> Result<Option<Bytes>, RegistryError> {
        let module = Digest::of(&new.module);
        let record = match self.store.record(&new.name).await {
            Err(error) if is_unavailable(&error) => return Err(error.into()),
            record => record.ok().flatten().unwrap_or_default(),
        };
        for (number, entry) in FunctionRecord::versions(&record).rev().filter(|(_, entry)| entry.module == module) {
            let manifest = match self.store.manifest(&entry.manifest).await {
                Ok(Manifest { config, snapshot: Some(image), .. }) if config == new.config => image,
                Err(error) if is_unavailable(&error) => return Err(error.into()),
                _ => continue,
            };
            if self.require_trust(&new.name, number, entry).await.is_ok()
                && let Ok(image) = self.store.module(&manifest.digest).await
            {
                return Ok(Some(image));
            }
        }
        Ok(None)
    }
}

/// The command that is to be initialised, if the configuration asks for that.
fn command(new: &NewFunction) -> Result<Option<Uninitialised>, RegistryError> {
    let NewFunction { name, module, config, .. } = new;
    let wanted = match &config.snapshot {
        Snapshot::Off => return Ok(None),
        Snapshot::On => INITIALISERS.as_slice(),
        Snapshot::By(export) => &[export.as_str()],
    };
    let functions = functions(module)?;
    let find = |names: &[&str]| names.iter().find(|name| functions.contains(name)).map(|name| (*name).to_owned());
    if find(&["_start"]).is_none() {
        return Err(refused("the module does not export _start; leave out the key"));
    }
    let Some(initialiser) = find(wanted) else {
        let why = format!("the module exports no function {}", wanted.join(" or "));
        return Err(refused(&(why + "; leave out the key, or name the export: snapshot = \"NAME\"")));
    };
    let memory = Limits::default().with(&config.limits).at_most(&Limits::CEILINGS).memory;
    let (name, module, start) = (name.clone(), module.clone(), find(&STARTS));
    Ok(Some(Uninitialised { name, module, initialiser, start, memory }))
}

/// The functions that a module exports. A binary that is not WebAssembly has none; what it is, the compiler says.
fn functions(module: &[u8]) -> Result<Vec<&str>, RegistryError> {
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err(refused("this is a component, which its own tools can initialise; leave out the key"));
            }
            Payload::ImportSection(imports) => {
                let is_other = |ty| !matches!(ty, TypeRef::Func(_));
                if let Some(import) = imports.into_imports().flatten().find(|import| is_other(import.ty)) {
                    let detail =
                        format!("the module imports {:?} from {:?}, which is no function", import.name, import.module);
                    return Err(refused(&detail));
                }
            }
            Payload::ExportSection(exports) => {
                let exported = exports.into_iter().flatten().filter(|export| export.kind == ExternalKind::Func);
                functions.extend(exported.map(|export| export.name));
            }
            _ => {}
        }
    }
    Ok(functions)
}

fn refused(why: &str) -> RegistryError {
    let detail = format!("snapshot is for commands of WASI preview 1 that export an initialiser: {why}");
    RegistryError::new(RegistryErrorKind::Invalid, detail)
}

fn is_unavailable(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { .. })
}
