//! Runs WebAssembly functions behind one frontend-agnostic seam: [`Invoker`].
//!
//! ```
//! use nebula_runtime::{Event, FunctionName, Runtime, Store};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::builder(Store::memory()).build()?;
//! let wasm = r#"(module (func (export "double") (param i32) (result i32)
//!     (i32.mul (local.get 0) (i32.const 2))))"#;
//! let name: FunctionName = "double".parse()?;
//! runtime.publish(&name, wasm).await?;
//!
//! assert_eq!(runtime.call("double", Event::json("21")).await?, "42");
//! # Ok(())
//! # }
//! ```
//!
//! A **function** is a plain Wasm file under a name. A **frontend** turns what it hears (a request, a line, a Lambda event)
//! into an [`Invocation`] and the [`Response`] back; it knows only an `Arc<dyn Invoker>`. A **layer** is an invoker around
//! another: [`Admission`], [`MemoryAdmission`], [`Observed`]. The [`Runtime`] is the innermost one: it finds the version that a [`FunctionRef`]
//! means in its [`Store`], loads its code once, and gives each invocation a fresh instance under its [`Limits`]. Every
//! invocation yields a [`Report`], and every failure is of one [`ErrorKind`].
//!
//! # Features
//! - `compiler` (on by default): publishes, compiles and packages functions. Without it, a runtime only runs the functions of
//!   a [`Package`], which come compiled.
//! - `s3`, `gcs`, `azure`: stores in the buckets of these services. `s3` also brings key-value stores.
//! - `redb`, `redis`, `nats`: key-value stores in a file, in Redis and Valkey, and in NATS: see [`keyvalue`].
//! - `folder`: containers of blobs that are folders.
//! - `test-kit`: what tests of frontends, layers and stores need.

/// The examples of README.md, which are tested with those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod call;
mod engine;
mod function;
mod guest;
mod host;
mod layers;
mod registry;
mod runtime;
pub mod store;
mod sync;
#[cfg(any(test, feature = "test-kit"))]
pub mod test_kit;

pub use bytesize::ByteSize;
pub use call::{
    AfterResponse, AttributeValue, Attributes, Body, Buffering, ErrorKind, Event, Guards, Input, Invocation,
    InvocationId, InvokeError, Invoker, Link, Occupancy, Outcome, Overload, QUEUE_TIMEOUT, RateLimit, Report,
    ReportHandle, Resolved, Response, ServiceUse, Span, SpanContext, SpanEvent, SpanId, SpanKind, SpanScope,
    SpanStatus, StackFrame, Start, StderrLines, TraceContext, TraceId, Tracer, append_json_value, invoker_fn, is_text,
    with_causes,
};
#[cfg(feature = "compiler")]
pub use call::{Profile, ProfileFrame, ProfileSample};
#[cfg(feature = "compiler")]
pub use engine::{CodeCacheFolder, CompilerProcess};
pub use engine::{CodeLoads, EngineError, PoolUse};
pub use function::{
    AliasName, AliasTarget, AzureConfig, Batch, Caching, Catalog, Composition, ConfigValue, Cors, Destination, Digest,
    DirGrant, Export, FunctionConfig, FunctionInfo, FunctionName, FunctionRef, Grant, HeldBack, HostPattern,
    InvalidAliasTarget, InvalidDestination, InvalidDigest, InvalidFunctionRef, InvalidHost, InvalidOrigin, InvalidRate,
    InvalidServiceName, InvalidTimestamp, Kind, LimitSettings, Limits, LinkedImport, ListedFunction, OriginPattern,
    Protocol, Rate, RegistryError, RegistryErrorKind, Reuse, ServiceGrant, ServiceName, Snapshot, SnapshotImage,
    Timestamp, TypedExport, TypedParam, UnreadableFunction, VersionRef, default_export, nearest, schema, shortened,
    without_byte_order_mark,
};
pub use guest::ResultCacheUse;
pub use host::{
    GuestStderr, InvalidService, Node, NotThere, Reach, ServiceConfig, ServiceError, ServiceErrorKind, ServicePlace,
    Services, ServicesConfig, blobs, keyvalue,
    process::{stderr, tokio_start, turn_off_core_dumps},
};
pub use layers::{Admission, MemoryAdmission, Observed, Observer};
#[cfg(feature = "compiler")]
pub use registry::{
    AliasInfo, Difference, HistoryChange, HistoryEntry, NewPackage, PackagedFunction, Parts, Precompiled,
    PrecompiledVersion, Published, Setting, Version, VersionInfo,
};
pub use registry::{Architecture, InvalidArchitecture, Package, PackageError, PackageSettings};
#[cfg(feature = "compiler")]
pub use runtime::{Change, Publication};
pub use runtime::{Resources, Runtime, RuntimeBuilder};
#[cfg(feature = "compiler")]
pub use store::trust::{Trust, TrustedKey};
pub use store::{
    AliasMove, IfPointedTo, Origin, Precondition, Removal, Revised, Store, StoreAccess, StoreError, StoreHealth,
    StoreUrl,
};
#[cfg(feature = "compiler")]
pub use store::{
    Garbage, GarbageFate, GcOptions, GcReport, Progress, StoreProblem, StoreProblemKind, Total, Verification,
};
