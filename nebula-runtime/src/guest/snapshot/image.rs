//! Makes the image of a command.

use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::task::{JoinError, spawn_blocking};
use wasmtime_wizer::Wizer;

use super::{
    initialise::{Initialised, Uninitialised},
    state::State,
};
use crate::{
    call::{ErrorKind, InvokeError},
    engine::CodeKey,
    function::{Digest, FunctionConfig},
    guest::loader::Loader,
};

impl Uninitialised {
    /// Initialises the command, and makes the image that its invocations start from.
    ///
    /// # Errors
    /// The initialiser fails, or takes too long, or leaves more than an image can hold: an [`ErrorKind`] that is the
    /// guest's.
    pub(crate) async fn image(self, loader: &Loader) -> Result<Bytes, InvokeError> {
        let (wizer, module) = (self.wizer(), self.module.clone());
        let instrumented = spawn_blocking(move || instrumented(&wizer, &module)).await;
        let (digest, instrumented) = instrumented.map_err(panicked)??;
        let key = CodeKey::of(digest, &FunctionConfig::default());
        let guest = loader.load_once(key, instrumented.clone()).await?;
        let initialised = self.initialise(&guest, instrumented).await?;
        let (wizer, module) = (self.wizer(), self.module);
        spawn_blocking(move || image(&wizer, &module, initialised)).await.map_err(panicked)?
    }

    fn wizer(&self) -> Wizer {
        let mut wizer = Wizer::new();
        wizer.init_func(&self.initialiser);
        if let Some(start) = &self.start {
            wizer.func_rename("_start", start);
        }
        wizer
    }
}

/// The module with exports of all its memories and globals, and its digest.
fn instrumented(wizer: &Wizer, module: &[u8]) -> Result<(Digest, Bytes), InvokeError> {
    let (_, instrumented) = wizer.instrument(module).map_err(unsupported)?;
    Ok((Digest::of(&instrumented), instrumented.into()))
}

/// The module with the memory and the globals of an instance. The module is read once more: what Wizer knows of it borrows
/// it, and would be kept while the initialiser runs.
fn image(wizer: &Wizer, module: &[u8], initialised: Initialised) -> Result<Bytes, InvokeError> {
    let (context, _) = wizer.instrument(module).map_err(unsupported)?;
    let mut state = State::of(initialised);
    match wizer.snapshot(&context, &mut state).now_or_never() {
        Some(Ok(image)) if state.was_read() => Ok(image.into()),
        Some(Err(error)) => Err(unsupported(error)),
        Some(Ok(_)) | None => Err(InvokeError::new(ErrorKind::Internal, "the state of the command cannot be read")),
    }
}

fn unsupported(error: wasmtime::Error) -> InvokeError {
    let detail = format!("the module cannot have a snapshot: {error:#}; leave out snapshot");
    InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
}

fn panicked(panic: JoinError) -> InvokeError {
    let detail = "the module cannot have a snapshot: it cannot be read; leave out snapshot";
    InvokeError::new(ErrorKind::InvalidModule, detail).with_source(panic)
}
