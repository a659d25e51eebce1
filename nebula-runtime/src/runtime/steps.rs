//! The steps of a call, put together.

use std::sync::Arc;

use bytesize::ByteSize;
use futures_util::future::BoxFuture;

use super::{
    known::KnownResults,
    resolve::{Deployments, Resolve},
    run::Run,
};
use crate::{
    call::{Gate, Invocation, InvokeError, Invoker, Response, Tracer},
    function::Cors,
    layers::{Admission, CrossOrigin, MemoryAdmission, Observed, Observer, RateAdmission, StatusOf, Traced},
};

/// A step between resolving and running.
pub(super) enum Layer {
    Admission(Gate),
    /// Admission by memory, which all guests together have at most.
    Memory(Gate, ByteSize),
    /// An embedder's own.
    Custom(Box<Wrap>),
}

/// Puts an invoker around another one.
pub(super) type Wrap = dyn FnOnce(Arc<dyn Invoker>) -> Arc<dyn Invoker> + Send;

/// All that an invocation passes, from the outside in: the tracer, the observers, resolving, the answers to pages of other origins
/// (`cors` is for functions that set none of their own), the function's rate, the layers in their order, and `run`.
///
/// Results that are kept are known before admission, and behind all layers of an embedder, which see every call.
pub(super) fn put_together(
    run: Run,
    mut layers: Vec<Layer>,
    (deployments, cors): (Deployments, Option<Cors>),
    observers: Vec<Arc<dyn Observer>>,
    tracer: Option<(Arc<dyn Tracer>, StatusOf)>,
) -> Arc<dyn Invoker> {
    let custom = layers.iter().rposition(|layer| matches!(layer, Layer::Custom(_))).map_or(0, |last| last + 1);
    let (inner, code) = (layers.split_off(custom), run.code.clone());
    let admitted = inner.into_iter().rev().fold(Arc::new(run) as Arc<dyn Invoker>, |inner, layer| layer.around(inner));
    let known: Arc<dyn Invoker> = Arc::new(KnownResults::new(admitted, code));
    let layered = layers.into_iter().rev().fold(known, |inner, layer| layer.around(inner));
    let limited = Arc::new(RateAdmission::new(layered));
    let resolved: Arc<dyn Invoker> = Arc::new(Resolve::new(deployments, Arc::new(CrossOrigin::new(limited, cors))));
    let observed = observers.into_iter().rev();
    let observed =
        observed.fold(resolved, |inner, observer| -> Arc<dyn Invoker> { Arc::new(Observed::new(inner, observer)) });
    match tracer {
        Some((tracer, status)) => Arc::new(Traced::new(observed, tracer, status)),
        None => observed,
    }
}

impl Layer {
    fn around(self, inner: Arc<dyn Invoker>) -> Arc<dyn Invoker> {
        match self {
            Self::Admission(gate) => Arc::new(Admission::with_gate(inner, gate)),
            Self::Memory(gate, total) => Arc::new(MemoryAdmission::with_gate(inner, gate, total)),
            Self::Custom(layer) => layer(Arc::new(BehindCustomLayer(inner))),
        }
    }
}

/// A custom layer may wait for something of its own, which must not count into the guest's time.
struct BehindCustomLayer(Arc<dyn Invoker>);

impl Invoker for BehindCustomLayer {
    fn invoke<'a, 'call>(&'a self, mut invocation: Invocation) -> BoxFuture<'call, Result<Response, InvokeError>>
    where
        'a: 'call,
        Self: 'call,
    {
        invocation.ready_since = None;
        self.0.invoke(invocation)
    }
}
