//! The steps of a call, put together.

use std::sync::Arc;

use super::{
    resolve::{Deployments, Resolve},
    run::Run,
};
use crate::{
    call::Invoker,
    layers::{Observed, Observer},
};

/// Puts an invoker around another one.
pub(super) type Layer = Box<dyn FnOnce(Arc<dyn Invoker>) -> Arc<dyn Invoker> + Send>;

/// All that an invocation passes, from the outside in: the observers, resolving, the layers in their order, and `run`.
pub(super) fn put_together(
    run: Run,
    layers: Vec<Layer>,
    deployments: Deployments,
    observers: Vec<Arc<dyn Observer>>,
) -> Arc<dyn Invoker> {
    let run: Arc<dyn Invoker> = Arc::new(run);
    let layered = layers.into_iter().rev().fold(run, |inner, layer| layer(inner));
    let resolved: Arc<dyn Invoker> = Arc::new(Resolve::new(deployments, layered));
    observers.into_iter().rev().fold(resolved, |inner, observer| Arc::new(Observed::new(inner, observer)))
}
