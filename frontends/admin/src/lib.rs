//! Publishes Nebula's functions over HTTP, for those who have a token.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{body::Body, http::Request};
//! use nebula_admin::{Admin, NewToken, Right, TokenFile};
//! use nebula_runtime::{Event, Runtime, Store};
//! use tower::ServiceExt as _;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("tokens.json");
//! let tokens = TokenFile::at(path);
//! let rights = [Right::Publish].into();
//! let ci = NewToken { name: "ci".parse()?, rights, functions: Default::default(), expires_at: None };
//! let secret = tokens.create(ci)?;
//!
//! let runtime = Arc::new(Runtime::builder(Store::memory()).build()?);
//! let app = Admin::new(Arc::clone(&runtime), tokens).router();
//! let wasm = "(module (func (export \"one\") (result i32) (i32.const 1)))";
//! let request = Request::put("/functions/one").header("authorization", format!("Bearer {}", secret.reveal()));
//! let response = app.oneshot(request.body(Body::from(wasm))?).await?;
//! assert_eq!(response.status(), 201);
//! assert_eq!(runtime.call("one", Event::json("")).await?, "1");
//! # Ok(())
//! # }
//! ```
//!
//! - [`Admin`] is the API, as a router for a listener of its own. `GET /openapi.json` describes it.
//! - [`RecentInvocations`] keeps the last invocations of a server. The page for operators at `/` shows them.
//! - [`TokenFile`] is the file of the server that says who may do what. No store holds it.
//!
//! Every change is a line of the log with the target `nebula::audit`, and so is every attempt that was refused.

/// The examples of README.md, which are tested with those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod admin;
mod api;
mod audit;
mod caller;
mod changes;
mod console;
mod content_digest;
mod openapi;
mod origin;
mod passage;
mod precondition;
mod problem;
mod recent;
mod tokens;
mod upload;

pub use admin::Admin;
pub use changes::Changes;
pub use recent::{LogLine, RecentInvocations};
pub use tokens::{
    FunctionPattern, InvalidPattern, InvalidRight, InvalidTokenName, NewToken, Right, Secret, Token, TokenFile,
    TokenFileError, TokenName,
};
