//! Runs WebAssembly functions behind one frontend-agnostic seam: [`Invoker`].

mod admission;
mod body;
mod catalog;
mod config;
mod digest;
mod engine;
mod error;
mod event;
mod function;
mod invocation;
mod invoker;
mod limits;
mod observe;
mod report;
mod response;

pub use admission::{Admission, PATIENCE};
pub use body::Body;
pub use bytesize::ByteSize;
pub use catalog::{Catalog, Export, FunctionInfo};
pub use config::{DirGrant, FunctionConfig};
pub use digest::{Digest, InvalidDigest};
pub use engine::EngineError;
pub use error::{ErrorKind, InvokeError, Overload};
pub use event::{Event, Input, MountPrefix};
pub use function::{AliasName, FunctionName, FunctionRef, InvalidFunctionRef, VersionRef};
pub use invocation::{Delivery, Invocation, InvocationId, TraceContext};
pub use invoker::{Invoker, invoker_fn};
pub use limits::{LimitSettings, Limits};
pub use observe::{Observed, ReportSink};
pub use report::{Kind, Outcome, Report, ReportHandle, Start};
pub use response::Response;
