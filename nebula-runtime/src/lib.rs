//! Runs WebAssembly functions behind one frontend-agnostic seam: [`Invoker`].
//!
//! ```
//! use nebula_runtime::{Event, FunctionConfig, Invocation, Invoker as _, Runtime, Store};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::builder(Store::memory()).build()?;
//! let wasm = r#"(module (func (export "double") (param i32) (result i32)
//!     (i32.mul (local.get 0) (i32.const 2))))"#;
//! let name = "double".parse()?;
//! runtime.publish(&name, wasm.into(), FunctionConfig::default(), None).await?;
//!
//! let response = runtime.invoke(Invocation::new(name, Event::json("21"))).await?;
//! assert_eq!(response.body.collect(1024).await?, "42");
//! # Ok(())
//! # }
//! ```
//!
//! A **function** is a plain Wasm file under a name. A **frontend** turns what it hears (a request, a line, a Lambda event)
//! into an [`Invocation`] and the [`Response`] back; it knows only an `Arc<dyn Invoker>`. A **layer** is an invoker around
//! another: [`Admission`], [`Observed`]. The [`Runtime`] is the innermost one: it finds the version that a [`FunctionRef`]
//! means in its [`Store`], loads its code once, and gives each invocation a fresh instance under its [`Limits`]. Every
//! invocation yields a [`Report`], and every failure is of one [`ErrorKind`].

mod abi;
mod admission;
mod body;
mod cache;
mod catalog;
mod composition;
mod config;
mod deployments;
mod digest;
mod engine;
mod error;
mod event;
mod flight;
mod function;
mod gate;
mod guards;
mod hosts;
mod invocation;
mod invoker;
mod limits;
mod loader;
mod log;
mod observe;
mod obstacle;
mod overdue;
mod package;
mod report;
mod response;
mod runtime;
pub mod stderr;
pub mod store;
mod sync;
mod text;
pub mod tokio_start;
mod value;

pub use abi::GuestStderr;
pub use admission::Admission;
pub use body::Body;
pub use bytesize::ByteSize;
pub use catalog::{Catalog, Export, FunctionInfo, Listed, TypedExport, TypedParam, Unreadable};
pub use composition::{Composition, Linked};
pub use config::{Batch, DirGrant, FunctionConfig, Reuse};
pub use digest::{Digest, InvalidDigest};
pub use engine::EngineError;
pub use error::{ErrorKind, InvokeError, Overload};
pub use event::{Event, Input};
pub use function::{AliasName, FunctionName, FunctionRef, InvalidFunctionRef, VersionRef};
pub use gate::PATIENCE;
pub use guards::Guards;
pub use hosts::{HostPattern, InvalidHost};
pub use invocation::{Delivery, Ending, Invocation, InvocationId, TraceContext};
pub use invoker::{Invoker, invoker_fn};
pub use limits::{LimitSettings, Limits};
pub use observe::{Observed, ReportSink};
pub use package::{Architecture, InvalidArchitecture, Package, PackageError};
pub use report::{Kind, Outcome, Report, ReportHandle, Start};
pub use response::Response;
#[cfg(feature = "compiler")]
pub use runtime::{NewPackage, PackagedFunction, Published};
pub use runtime::{Runtime, RuntimeBuilder};
pub use store::{Store, StoreError, StoreUrl};
pub use text::without_byte_order_mark;
pub use value::{append_json_value, is_text};
