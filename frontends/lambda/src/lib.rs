//! Runs Nebula functions on AWS Lambda. `bootstrap`, the program in a package, is made of this library.
//!
//! ```no_run
//! # async fn bootstrap() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use nebula_lambda::Functions;
//! use nebula_runtime::{Package, Report, Runtime};
//!
//! let config = nebula_lambda::Config::from_vars(|name| std::env::var(name).ok())?;
//! let _flush = nebula_runtime::stderr::FlushAtExit::with_timeout();
//! nebula_lambda::start_log(&config, None)?;
//! let package = Package::open("/var/task".as_ref()).await?;
//! let metrics = nebula_http::Metrics::new();
//! let runtime = Runtime::of_package(&package).concurrency(1).observer(Arc::new(metrics.clone()));
//! let runtime = Arc::new(runtime.observer(Arc::new(Report::log)).build()?);
//! let functions = Functions { invoker: runtime.clone(), catalog: runtime, metrics, flush: None };
//! nebula_lambda::run(config, functions, async {}).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Events
//! - **HTTP requests** come from API Gateway (REST, HTTP and WebSocket APIs), Application Load Balancers and function
//!   URLs. [`nebula_http`] serves them with the same routes, failures and limits as the server. The configured function
//!   is at `/`, and every function at `/api/{function}`. The stage of an API is removed from the path.
//! - **Batches** come from SQS, Kinesis and DynamoDB streams. A function with `batch = "item"` is called for each
//!   record. The answer lists the records that failed, so that only these are delivered again: `FunctionResponseTypes`
//!   has to be `ReportBatchItemFailures`. The records of one shard, or of one group of a FIFO queue, are handled one
//!   after the other, and none is tried after one that failed.
//! - **Every other event** is passed to the function as JSON, and the function's result is the answer. JSON is
//!   unchanged, other text becomes a JSON string, and octets become a base64 string. A failure is a function error
//!   whose `errorType` is its [`ErrorKind`](nebula_runtime::ErrorKind). A response of an HTTP function with a status of
//!   400 or above is a failure too.
//!
//! # Contexts
//! The id of the request is the id of the invocation. The deadline of the invocation is Lambda's deadline minus a
//! margin: a function that runs too long fails with `timeout`, and with a report, before Lambda ends the environment.
//! If a request has no trace context, the X-Ray trace is used. An event that is not a request has the headers of the
//! Runtime API (`Lambda-Runtime-Invoked-Function-Arn`, `-Trace-Id`, `-Client-Context`, `-Cognito-Identity`,
//! `-Aws-Tenant-Id`), which an HTTP function can read.
//!
//! An environment of Lambda Managed Instances runs several invocations at once. Lambda sets their number in
//! `AWS_LAMBDA_MAX_CONCURRENCY`.

/// The examples of README.md, which are tested with those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod answer;
mod batch;
mod config;
mod context;
mod event;
mod extension;
mod flush;
mod functions;
mod handler;
mod init;
mod json;
mod load_balancer;
mod log;
mod middleware;
mod request;
mod stream;
#[cfg(feature = "test-kit")]
pub mod test_kit;

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use lambda_runtime::service_fn;
use lambda_runtime_api_client::PooledClient;
use nebula_http::Shutdown;
use nebula_runtime::{Catalog, FunctionRef, RegistryError};
use tokio::task::yield_now;

pub use config::{Config, InvalidConfig, InvokeMode, LogConfig, LogFormat};
pub use flush::Flush;
pub use functions::Functions;
pub use init::report_init_error;
pub use log::{LogLayer, start_log};

use crate::{flush::Flushing, handler::Handler, middleware::MiddlewareLayer, stream::Streaming};

/// How often the task that runs `meanwhile` yields first: about as often as the request for the first event needs to
/// connect.
const YIELDS: usize = 4;

/// Why an environment has ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The functions could not be listed, or the function that handles events does not exist.
    #[error("failed to find the function that handles events")]
    Function(#[source] RegistryError),
    /// The Runtime API could not be reached, or broke its protocol.
    #[error("the Lambda runtime ended")]
    Runtime(#[source] lambda_runtime::Error),
    /// The Runtime API broke its protocol in a way that makes the Lambda runtime panic.
    #[error("the Lambda runtime panicked at a response of the Runtime API")]
    Panicked,
}

/// Serves the events of an environment until the environment ends. `meanwhile` runs while the first event is requested,
/// and not before, because it would delay that request.
///
/// # Errors
/// If the configured function is not in the catalog, which is also reported to Lambda, or if the Runtime API fails.
pub async fn run(
    config: Config,
    functions: Functions,
    meanwhile: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let flushing = Flushing(functions.flush.clone());
    let function = match function(config.function.clone(), &*functions.catalog).await {
        Ok(function) => function,
        Err(error) => {
            let error = Error::Function(error);
            init::report(&error, config.runtime_api).await;
            return Err(error);
        }
    };
    let shutdown = Shutdown::new();
    let handler = Arc::new(Handler::new(function, functions, config.deadline_margin, shutdown.clone()));
    let client = PooledClient::builder().with_endpoint(config.runtime_api.clone()).build();
    extension::register_shutdown(shutdown, client, flushing.clone()).await;
    tokio::spawn(async move {
        for _ in 0..YIELDS {
            yield_now().await;
        }
        meanwhile.await;
    });
    serve(&config, handler, flushing).await
}

async fn serve(config: &Config, handler: Arc<Handler>, flushing: Flushing) -> Result<(), Error> {
    let service = {
        let handler = Arc::clone(&handler);
        service_fn(move |event| {
            let handler = Arc::clone(&handler);
            async move { handler.handle(event).await }
        })
    };
    let runtime = lambda_runtime::Runtime::new(service);
    flushing.flush().await;
    let ended = match config.invoke_mode {
        InvokeMode::Buffered => {
            AssertUnwindSafe(runtime.layer(MiddlewareLayer(flushing)).run_concurrent()).catch_unwind().await
        }
        InvokeMode::ResponseStream => {
            let client = Arc::new(PooledClient::builder().with_endpoint(config.runtime_api.clone()).build());
            let runtime =
                runtime.layer(MiddlewareLayer(Streaming { handler, client })).layer(MiddlewareLayer(flushing));
            AssertUnwindSafe(runtime.run_concurrent()).catch_unwind().await
        }
    };
    ended.map_err(|_| Error::Panicked)?.map_err(Error::Runtime)
}

/// The function that handles events: the configured one, which has to exist, or the only one.
async fn function(
    configured: Option<FunctionRef>,
    catalog: &dyn Catalog,
) -> Result<Option<FunctionRef>, RegistryError> {
    if let Some(function) = configured {
        catalog.function(&function).await?;
        return Ok(Some(function));
    }
    Ok(match catalog.names().await?.as_slice() {
        [only] => Some(only.clone().into()),
        _ => None,
    })
}
