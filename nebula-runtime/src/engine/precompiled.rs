//! Code that was compiled on another machine, in a folder with files `<flavour>/<digest>.cwasm`.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::{CodeKey, CodeSource, Engines, Flavour, LoadedCode, SerializedCode};
use crate::{
    call::{ErrorKind, InvokeError},
    function::Digest,
};

/// A folder of compiled code, which is trusted as this program is. A module whose code is missing there is not
/// compiled.
pub(crate) struct Precompiled(Arc<Path>);

impl Precompiled {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.into())
    }

    /// The path of a module's code, relative to the folder.
    pub(crate) fn path(flavour: Flavour, digest: &Digest) -> PathBuf {
        let folder = match flavour {
            Flavour::Plain => "plain",
            Flavour::Concurrent => "concurrent",
            Flavour::ManyStacks => "many-stacks",
            Flavour::Deterministic => "deterministic",
        };
        [folder, &format!("{}.cwasm", digest.hex())].iter().collect()
    }
}

#[async_trait]
impl CodeSource for Precompiled {
    async fn load(
        &self,
        engines: Arc<Engines>,
        key: CodeKey,
        _: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<LoadedCode, InvokeError> {
        let folder = Arc::clone(&self.0);
        let mapped = spawn_blocking(move || map(&folder, &engines, &key)).await;
        mapped.map_err(|panic| unusable(panic.into())).flatten()
    }
}

fn map(folder: &Path, engines: &Engines, key: &CodeKey) -> Result<LoadedCode, InvokeError> {
    let CodeKey { digest, is_deterministic } = key;
    for &flavour in Flavour::of_code(*is_deterministic) {
        let path = folder.join(Precompiled::path(flavour, digest));
        if path.exists() {
            return map_as(flavour, engines, &path);
        }
    }
    let detail = format!("there is no code of {digest} in {}", folder.display());
    Err(unusable(io::Error::new(io::ErrorKind::NotFound, detail).into()))
}

fn map_as(flavour: Flavour, engines: &Engines, path: &Path) -> Result<LoadedCode, InvokeError> {
    let engine = engines.engine(flavour).map_err(|error| unusable(error.into()))?;
    engines.load(flavour, SerializedCode::File(path)).map_err(|error| match engine.is_unreserved() {
        true => InvokeError::new(ErrorKind::Internal, NO_ADDRESS_SPACE).with_source(error),
        false => unusable(error),
    })
}

const NO_ADDRESS_SPACE: &str = "the code in the package is for a machine with address space, which is short here; raise its \
                                limit (ulimit -v), or lower the number of invocations at once";

fn unusable(error: wasmtime::Error) -> InvokeError {
    let detail = "the function's code in the package is missing, or not for this program; make the package again";
    InvokeError::new(ErrorKind::Internal, detail).with_source(error)
}
