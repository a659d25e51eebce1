//! A command that is to be initialised, and the run of its initialiser.

use std::{fmt::Write as _, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use bytesize::ByteSize;
use tokio::time::Instant;
use wasmtime::{Instance, InstancePre, Store};
use wasmtime_wasi::{WasiCtxBuilder, p1::WasiP1Ctx};

use crate::{
    call::{Caller, ErrorKind, Event, Invocation, InvokeError},
    engine::{Fault, Host, Symbols, TimeLimit, fault, supervise},
    function::FunctionName,
    guest::{recognise::Guest, source::Source},
    host::KeptOutput,
};

/// How long an initialiser may run. It runs once, and does what is too slow for each call, so the function's own timeout
/// says nothing about it.
const LONGEST: Duration = Duration::from_mins(1);

/// The most memory that an initialiser may have, whatever the function's limit is: the image holds all of it.
const MAX_MEMORY: ByteSize = ByteSize::mib(512);

/// How many frames of a failed initialiser's stack its error shows.
const SHOWN_FRAMES: usize = 8;

/// A command that is to be initialised.
pub(crate) struct Uninitialised {
    /// The function that it is published as.
    pub(crate) name: FunctionName,
    /// The command, a core module.
    pub(crate) module: Bytes,
    /// The export that initialises it.
    pub(crate) initialiser: String,
    /// The export that starts it once it is initialised, if that is not `_start`.
    pub(crate) start: Option<String>,
    /// How much memory it may have.
    pub(crate) memory: ByteSize,
}

/// An instance whose initialiser has run.
pub(super) struct Initialised {
    pub(super) store: Store<Host<WasiP1Ctx>>,
    pub(super) instance: Instance,
}

impl Uninitialised {
    /// Runs the initialiser in an instance of `guest`, which was loaded from the module `instrumented`. It has no arguments,
    /// no variables, no folders, no network and no input.
    pub(super) async fn initialise(&self, guest: &Guest, instrumented: Bytes) -> Result<Initialised, InvokeError> {
        let (engine, Source::Module(pre)) = guest.source() else {
            return Err(InvokeError::new(ErrorKind::InvalidModule, "only a command can have a snapshot"));
        };
        let invocation = Invocation::new(self.name.clone(), Event::default());
        let (output, mut wasi) = (KeptOutput::default(), WasiCtxBuilder::new());
        wasi.stdout(output.clone()).stderr(output.clone());
        let store = engine.store(wasi.build_p1(), self.memory.min(MAX_MEMORY), Caller::of(&invocation));
        let running = pin!(self.run(pre, store));
        let time_limit = TimeLimit { timeout: LONGEST, deadline: None };
        let symbols = Arc::new(Symbols::of_module(instrumented));
        let ran = supervise(running, Instant::now(), time_limit, invocation.report).explained_by(&symbols).await;
        ran.map_err(|error| self.failed(error, &output.text()))
    }

    async fn run(
        &self,
        pre: &InstancePre<Host<WasiP1Ctx>>,
        mut store: Store<Host<WasiP1Ctx>>,
    ) -> Result<Initialised, Fault> {
        match self.call(pre, &mut store).await {
            Ok(instance) => Ok(Initialised { store, instance }),
            Err(error) => Err(fault(error, &store)),
        }
    }

    /// Makes an instance and calls its initialiser, after `_initialize` where there is one: an image has neither.
    async fn call(
        &self,
        pre: &InstancePre<Host<WasiP1Ctx>>,
        store: &mut Store<Host<WasiP1Ctx>>,
    ) -> wasmtime::Result<Instance> {
        let instance = pre.instantiate_async(&mut *store).await?;
        let reactor = instance.get_func(&mut *store, "_initialize").filter(|_| self.initialiser != "_initialize");
        if let Some(initialize) = reactor {
            initialize.typed::<(), ()>(&mut *store)?.call_async(&mut *store, ()).await?;
        }
        let Ok(initialiser) = instance.get_typed_func::<(), ()>(&mut *store, &self.initialiser) else {
            let detail = "it must be a function without arguments and results";
            return Err(InvokeError::new(ErrorKind::InvalidModule, detail).into());
        };
        initialiser.call_async(store, ()).await?;
        Ok(instance)
    }

    /// The error for the publisher, with the stack and the output of the publisher's own code.
    fn failed(&self, error: InvokeError, output: &str) -> InvokeError {
        let (kind, why) = match error.kind() {
            ErrorKind::Timeout => {
                let longest = humantime::format_duration(LONGEST);
                (ErrorKind::LimitExceeded, format!("it did not end within {longest}"))
            }
            kind => (kind, error.detail().to_owned()),
        };
        let mut detail = format!("the snapshot cannot be made: the initialiser {:?} failed: {why}", self.initialiser);
        for frame in error.stack().iter().take(SHOWN_FRAMES) {
            // Writing to a string does not fail.
            let _ = write!(detail, "\n    at {frame}");
        }
        if !output.is_empty() {
            let _ = write!(detail, "\n    its output ends with: {}", output.replace('\n', "\n    "));
        }
        InvokeError::new(kind, detail).with_source(error)
    }
}
