//! Nebula's functions over HTTP: an Axum router for any [`Invoker`](nebula_runtime::Invoker), and a server for it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{body::{Body, to_bytes}, http::{HeaderValue, Request}};
//! use nebula_runtime::{Invocation, Response, invoker_fn};
//! use tower::ServiceExt as _;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In a real program this is a `nebula_runtime::Runtime`. Here it is a closure that returns its arguments.
//! let echo = invoker_fn(async |invocation: Invocation| {
//!     let text = invocation.event.arguments().join(" ");
//!     Ok(Response::new(HeaderValue::from_static("text/plain"), text, invocation.report))
//! });
//! let app = nebula_http::router(Arc::new(echo));
//!
//! let response = app.oneshot(Request::get("/api/echo/hello/a%2Fb").body(Body::empty())?).await?;
//! assert_eq!(response.status(), 200);
//! assert_eq!(to_bytes(response.into_body(), 100).await?, "hello a/b");
//! # Ok(())
//! # }
//! ```
//!
//! - [`router`] and [`Api`] are the functions alone, for an app of your own.
//! - [`Site`] adds the list of functions, health checks and [`Metrics`].
//! - [`Document`] is a page for people, with the style and the scripts of the page that lists the functions.
//! - [`bind`], [`serve`] and [`Shutdown`] are the server. It ends clients that are slow on purpose, lets connections
//!   wait when file descriptors run out, and finishes running requests before it stops.
//!
//! A client that disconnects stops its function: a request runs in the task of its connection, and is dropped with it.
//!
//! # Features
//! - `http2`: the server speaks HTTP/2 with clients that do: those that begin with it, and with TLS those that choose it.
//! - `tls`: `Listener::with_tls` makes listeners with TLS, whose certificates may be replaced while they run.

/// The examples of README.md, which are tested with those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod api;
mod app;
mod bounded_catalog;
mod client_rate;
mod console;
mod context;
mod file_backed;
mod header_text;
mod index;
mod metrics;
mod openapi;
mod paths;
mod peer;
mod problem;
mod proxies;
mod reply;
mod routes;
mod selection;
mod server;
mod shutdown;
mod site;
mod target;
mod upload;

pub use api::{Api, BODY_STALL, refusal, router};
pub use app::App;
pub use console::Document;
pub use context::{ClientAddress, InvocationContext, trace_context};
pub use file_backed::FileBacked;
pub use metrics::{Metrics, Number, Reading, VersionCalls};
pub use problem::error_status;
pub use proxies::{InvalidNetwork, Network, TrustedProxies};
pub use routes::{InvalidRoute, Route, Routes};
pub use server::{
    BindError, InvalidListenAddress, ListenAddress, Listener, LocalAddress, OpenConnections, ServerConfig, Stopped,
    bind, raise_descriptor_limit, serve,
};
#[cfg(feature = "tls")]
pub use server::{Tls, TlsError};
pub use shutdown::{Shutdown, may_take_hangup};
pub use site::Site;
