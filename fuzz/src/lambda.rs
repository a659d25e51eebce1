//! An environment of AWS Lambda in this process.

use std::sync::Arc;

use nebula_http::Metrics;
use nebula_lambda::test_kit::Environment;
use nebula_runtime::Runtime;

/// An environment of the functions of a runtime, whose events `function` handles.
pub(crate) fn environment(runtime: &Arc<Runtime>, function: &str) -> Environment {
    let (invoker, catalog, metrics) = (Arc::clone(runtime) as _, Arc::clone(runtime) as _, Metrics::new());
    Environment::new(function.parse().ok(), nebula_lambda::Functions { invoker, catalog, metrics, flush: None })
}
