//! Code that was compiled elsewhere, in a folder of `<flavour>/<digest>.cwasm`.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;

use super::{CodeSource, Engines, Flavour, Loaded};
use crate::{Digest, ErrorKind, InvokeError};

/// A folder of compiled code. What is in it is trusted as this program is, and what is not is never compiled.
pub(crate) struct Precompiled(Arc<Path>);

impl Precompiled {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.into())
    }

    /// Where the code of a module is, as seen from the folder.
    pub(crate) fn path(flavour: Flavour, digest: &Digest) -> PathBuf {
        let folder = match flavour {
            Flavour::Plain => "plain",
            Flavour::Concurrent => "concurrent",
        };
        [folder, &format!("{}.cwasm", digest.hex())].iter().collect()
    }
}

#[async_trait]
impl CodeSource for Precompiled {
    async fn load(
        &self,
        engines: Arc<Engines>,
        digest: Digest,
        _: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<Loaded, InvokeError> {
        let folder = Arc::clone(&self.0);
        let mapped = spawn_blocking(move || map(&folder, &engines, &digest)).await;
        let mapped = mapped.map_err(wasmtime::Error::from).flatten();
        mapped.map_err(|error| {
            let detail =
                "the function's code in the package is missing, or not for this program; make the package again";
            InvokeError::new(ErrorKind::Internal, detail).with_source(error)
        })
    }
}

fn map(folder: &Path, engines: &Engines, digest: &Digest) -> wasmtime::Result<Loaded> {
    for flavour in [Flavour::Plain, Flavour::Concurrent] {
        let path = folder.join(Precompiled::path(flavour, digest));
        if path.exists() {
            let engine = engines.engine(flavour)?;
            let code = engine.map(&path)?;
            return Ok((engine, code));
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no code of {digest} in {}", folder.display())).into())
}
