//! Runs Nebula functions on AWS Lambda: what `bootstrap`, the program in a package, is made of.
//!
//! ```no_run
//! # async fn bootstrap() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use nebula_lambda::Functions;
//! use nebula_runtime::{Package, Report, Runtime};
//!
//! let config = nebula_lambda::Config::from_vars(|name| std::env::var(name).ok())?;
//! let _flush = nebula_runtime::stderr::FlushAtExit::within_patience();
//! nebula_lambda::start_log(&config)?;
//! let package = Package::open("/var/task".as_ref()).await?;
//! let metrics = nebula_http::Metrics::new();
//! let runtime = Runtime::of_package(&package).concurrency(1).observer(Arc::new(metrics.clone()));
//! let runtime = Arc::new(runtime.observer(Arc::new(Report::log)).build()?);
//! let functions = Functions { invoker: runtime.clone(), catalog: runtime, metrics };
//! nebula_lambda::run(config, functions, async {}).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Events
//! - **HTTP requests**, of API Gateway (REST, HTTP and WebSocket APIs), Application Load Balancers and function URLs, are
//!   served by [`nebula_http`]: every route, failure and limit is the one of the server. The function that is configured is
//!   at `/`, and each at `/api/{function}`. A request is served without its API's stage.
//! - **Batches** of SQS, Kinesis and DynamoDB streams reach a function that is configured with `batch = "item"` record by
//!   record. What fails is named in the answer, so that it alone is delivered again; a function's
//!   `FunctionResponseTypes` has to be `ReportBatchItemFailures`. Records of one shard, and those of one group of a FIFO
//!   queue, follow each other, and none is tried after one that failed.
//! - **Every other event** is the function's JSON event, and its result the invocation's: JSON as it is, other text as a JSON
//!   string, octets as a base64 string. A failure is a function error whose `errorType` is its
//!   [`ErrorKind`](nebula_runtime::ErrorKind). So is an answer of a function that speaks HTTP whose status is 400 or above.
//!
//! # Contexts
//! The request's id is the invocation's. Lambda's deadline, less a margin, is its deadline: a function that spins fails as
//! `timeout`, with its report, before Lambda ends the environment. The X-Ray trace is its trace context where the request
//! has none. An event that is no request comes with the Runtime API's fields (`Lambda-Runtime-Invoked-Function-Arn`,
//! `-Trace-Id`, `-Client-Context`, `-Cognito-Identity`, `-Aws-Tenant-Id`): a function that speaks HTTP sees them as header
//! fields.
//!
//! An environment of Lambda Managed Instances serves as many invocations at once as Lambda says
//! (`AWS_LAMBDA_MAX_CONCURRENCY`).

mod answer;
mod batch;
mod config;
mod context;
mod event;
mod extension;
mod flush;
mod handler;
mod init;
mod json;
mod load_balancer;
mod log;
mod middleware;
mod request;
mod stream;

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use lambda_runtime::service_fn;
use lambda_runtime_api_client::PooledClient;
use nebula_http::{Api, App, Metrics, Route, Routes, Shutdown, Site};
use nebula_runtime::{AfterResponse, Catalog, FunctionRef, Invoker, RegistryError};
use tokio::task::yield_now;

pub use config::{Config, InvalidConfig, InvokeMode, LogConfig, LogFormat};
pub use init::report_init_error;
pub use log::start_log;

use crate::{
    flush::{Flushing, flush},
    handler::Handler,
    middleware::MiddlewareLayer,
    stream::Streaming,
};

/// How many turns of its thread the question for the first event has to itself: about as many as its connection takes.
const AHEAD: usize = 4;

/// Why an environment ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The functions could not be listed, or the one that events are for is not there.
    #[error("failed to find the function that events are for")]
    Function(#[source] RegistryError),
    /// The Runtime API was out of reach, or said something that is not its protocol.
    #[error("the Lambda runtime ended")]
    Runtime(#[source] lambda_runtime::Error),
    /// The same, where the Lambda runtime panics over it.
    #[error("the Lambda runtime panicked over what the Runtime API said")]
    Panicked,
}

/// The functions that events are for.
#[derive(Clone)]
pub struct Functions {
    /// Calls them. Its observers log the reports and keep the metrics.
    pub invoker: Arc<dyn Invoker>,
    /// Lists them.
    pub catalog: Arc<dyn Catalog>,
    /// What `/metrics` shows.
    pub metrics: Metrics,
}

/// Serves the events of an environment until the environment ends. `meanwhile` is done while the first event is asked for, and not before: it would slow that down.
///
/// # Errors
/// Where the function that is configured is not in the catalog, of which Lambda is told, and where the Runtime API fails.
pub async fn run(
    config: Config,
    functions: Functions,
    meanwhile: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let Functions { invoker, catalog, metrics } = functions;
    let function = match function(config.function.clone(), &*catalog).await {
        Ok(function) => function,
        Err(error) => {
            let error = Error::Function(error);
            init::report(&error, config.runtime_api).await;
            return Err(error);
        }
    };
    let shutdown = Shutdown::new();
    let handler = Arc::new(Handler {
        app: app(Arc::clone(&invoker), Arc::clone(&catalog), metrics, shutdown.clone(), function.as_ref()),
        invoker,
        catalog,
        function,
        deadline_margin: config.deadline_margin,
    });
    let client = PooledClient::builder().with_endpoint(config.runtime_api.clone()).build();
    extension::register_shutdown(shutdown, client).await;
    tokio::spawn(async move {
        for _ in 0..AHEAD {
            yield_now().await;
        }
        meanwhile.await;
    });
    serve(&config, handler).await
}

async fn serve(config: &Config, handler: Arc<Handler>) -> Result<(), Error> {
    let service = {
        let handler = Arc::clone(&handler);
        service_fn(move |event| {
            let handler = Arc::clone(&handler);
            async move { handler.handle(event).await }
        })
    };
    let runtime = lambda_runtime::Runtime::new(service);
    flush().await;
    let ended = match config.invoke_mode {
        InvokeMode::Buffered => {
            AssertUnwindSafe(runtime.layer(MiddlewareLayer(Flushing)).run_concurrent()).catch_unwind().await
        }
        InvokeMode::ResponseStream => {
            let client = Arc::new(PooledClient::builder().with_endpoint(config.runtime_api.clone()).build());
            let runtime =
                runtime.layer(MiddlewareLayer(Streaming { handler, client })).layer(MiddlewareLayer(Flushing));
            AssertUnwindSafe(runtime.run_concurrent()).catch_unwind().await
        }
    };
    ended.map_err(|_| Error::Panicked)?.map_err(Error::Runtime)
}

/// The function that events are for: the configured one, which has to be there, or the only one there is.
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

/// The site that HTTP requests are served by.
fn app(
    invoker: Arc<dyn Invoker>,
    catalog: Arc<dyn Catalog>,
    metrics: Metrics,
    shutdown: Shutdown,
    function: Option<&FunctionRef>,
) -> App {
    // Lambda freezes an environment once it has the answer: whatever a function still does has to be done by then.
    let api = Api::new(invoker).with_metrics(metrics).with_after_response(AfterResponse::Wait);
    let routes = Routes::default();
    // The root is a place that every function can have.
    let root = function.and_then(|function| Route::new(None, "/", function.clone()).ok());
    routes.replace(root.into_iter().collect());
    Site::new(api, catalog, shutdown).with_routes(routes).into()
}
