//! Runs Nebula functions on Azure Functions, as a [custom
//! handler](https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers): a server on the loopback, to
//! which the host of Azure Functions sends each event.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{body::Body, http::Request};
//! use nebula_azure::{Bindings, Triggers, app};
//! use nebula_http::{Api, App, Shutdown, Site};
//! use nebula_runtime::{Runtime, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Arc::new(Runtime::builder(Store::memory()).concurrency(1).build()?);
//! let wat = r#"(module (func (export "double") (param i32) (result i32) (i32.add (local.get 0) (local.get 0))))"#;
//! runtime.publish(&"double".parse()?, wat).await?;
//!
//! let bindings = br#"{ "bindings": [
//!     { "type": "queueTrigger", "direction": "in", "name": "item", "queueName": "numbers" },
//!     { "type": "queue", "direction": "out", "name": "doubled", "queueName": "doubled" }
//! ] }"#;
//! let triggers = Triggers::new([("double".parse()?, Bindings::parse(bindings)?)]);
//! let site = Site::new(Api::new(runtime.clone()), runtime.clone(), Shutdown::new());
//! let app: App = app(runtime, triggers, site);
//!
//! // The host encodes the text of a queue's message as JSON, and puts that into a JSON string.
//! let event = r#"{ "Data": { "item": "\"21\"" }, "Metadata": {} }"#;
//! let answer = app.answer(Request::post("/double").body(Body::from(event))?).await;
//! let answer = axum::body::to_bytes(answer.into_body(), 1000).await?;
//! assert_eq!(answer, r#"{"Outputs":{"doubled":42},"Logs":[],"ReturnValue":42}"#);
//! # Ok(())
//! # }
//! ```
//!
//! # Requests of the host
//! - **HTTP requests** of a function whose bindings are an `httpTrigger` and an `http` output. The host forwards them
//!   as they came (`enableForwardingHttpRequest`), and [`nebula_http`] answers them.
//! - **Events of every other trigger** come as `POST /{function}` with `Data` and `Metadata`. The function is called
//!   with the data of its trigger. `ReturnValue` is its result, and `Logs` has the lines that it wrote to stderr. If the function has one `out` binding, `Outputs` has
//!   the result under the binding's name. If it has several, the result is an object, and each binding gets the member
//!   of its name. An HTTP handler reads `Metadata` in the header field `azure-functions-metadata`.
//! - An error is a 500, with its kind, so that the host tries the event again or puts it aside.

/// The examples of README.md, which are tested with those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod answer;
mod bindings;
mod data;
mod trigger;

use std::{collections::BTreeMap, sync::Arc};

use axum::{Router, extract::Request};
use http::{HeaderName, Method};
use nebula_http::{App, InvocationContext};
use nebula_runtime::{FunctionName, InvocationId, Invoker};

pub use bindings::{Binding, Bindings, InvalidBindings};

use crate::trigger::{FRONTEND, Trigger};

/// The functions that events call, and their bindings.
#[derive(Debug, Clone, Default)]
pub struct Triggers(BTreeMap<FunctionName, Bindings>);

impl Triggers {
    /// The functions among these whose requests the host does not forward.
    pub fn new(functions: impl IntoIterator<Item = (FunctionName, Bindings)>) -> Self {
        Self(functions.into_iter().filter(|(_, bindings)| !bindings.are_forwarded()).collect())
    }

    /// The function that a request is an event for, and its bindings.
    fn find(&self, request: &Request) -> Option<(FunctionName, Bindings)> {
        let path = request.uri().path().strip_prefix('/').filter(|_| request.method() == Method::POST)?;
        let name = path.parse().ok()?;
        self.0.get(&name).cloned().map(|bindings| (name, bindings))
    }
}

/// The application of a custom handler: events of `triggers` call functions of `invoker`, and `site` answers all other
/// requests.
pub fn app(invoker: Arc<dyn Invoker>, triggers: Triggers, site: impl Into<App>) -> App {
    let (site, triggers) = (site.into(), Arc::new(triggers));
    let answer = move |mut request: Request| {
        let (invoker, triggers, site) = (Arc::clone(&invoker), Arc::clone(&triggers), site.clone());
        async move {
            let id = take_invocation_id(&mut request);
            match triggers.find(&request) {
                Some((function, bindings)) => {
                    Trigger { invoker: &*invoker, function, bindings, id }.answer(request).await
                }
                None => site.answer(with_context(request, id)).await,
            }
        }
    };
    Router::new().fallback(answer).into()
}

/// Takes the id that the host gave to the invocation, or makes a new one. The function sees a request without the
/// host's own fields, as on every other platform.
fn take_invocation_id(request: &mut Request) -> InvocationId {
    const INVOCATION_ID: HeaderName = HeaderName::from_static("x-azure-functions-invocationid");
    const HOST_VERSION: HeaderName = HeaderName::from_static("x-azure-functions-hostversion");

    request.headers_mut().remove(HOST_VERSION);
    let id = request.headers_mut().remove(INVOCATION_ID);
    id.as_ref().and_then(|id| id.to_str().ok()).map_or_else(InvocationId::random, InvocationId::given)
}

fn with_context(mut request: Request, id: InvocationId) -> Request {
    let context = InvocationContext { id, frontend: FRONTEND, ..InvocationContext::default() };
    request.extensions_mut().insert(context);
    request
}
