//! Why an invocation failed: one closed list of kinds that every frontend maps exactly once.

use std::{any::Any, error::Error, fmt, sync::Arc, time::Duration};

use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::stack::StackFrame;
use crate::function::{RegistryError, RegistryErrorKind};

/// The kind of an error. Frontends turn it into a status or an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// No such function, version or export.
    NotFound,
    /// The event does not fit the function.
    InvalidInput,
    /// The request is over its limit.
    PayloadTooLarge,
    /// Not Wasm, not supported, or imports what is not granted.
    InvalidModule,
    /// A typed function returned `err`.
    GuestError,
    /// The guest trapped, exited with a code other than 0, or broke its output.
    GuestFault,
    /// The deadline passed.
    Timeout,
    /// The guest hit its memory, table, output or call-stack limit.
    LimitExceeded,
    /// Admission was refused: come back later.
    Overloaded,
    /// The store or another dependency is out of reach.
    Unavailable,
    /// A fault of Nebula's own.
    Internal,
}

impl ErrorKind {
    /// Every kind, for tables that must cover them all.
    pub const ALL: [Self; 11] = [
        Self::NotFound,
        Self::InvalidInput,
        Self::PayloadTooLarge,
        Self::InvalidModule,
        Self::GuestError,
        Self::GuestFault,
        Self::Timeout,
        Self::LimitExceeded,
        Self::Overloaded,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The kind's stable name, as callers see it: `not_found`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::InvalidInput => "invalid_input",
            Self::PayloadTooLarge => "payload_too_large",
            Self::InvalidModule => "invalid_module",
            Self::GuestError => "guest_error",
            Self::GuestFault => "guest_fault",
            Self::Timeout => "timeout",
            Self::LimitExceeded => "limit_exceeded",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ErrorKind {
    /// Whether the same event may succeed at a later try: the failure is one of the moment, and not of the event or of
    /// the function.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Timeout | Self::Overloaded | Self::Unavailable | Self::Internal => true,
            Self::NotFound
            | Self::InvalidInput
            | Self::PayloadTooLarge
            | Self::InvalidModule
            | Self::GuestError
            | Self::GuestFault
            | Self::LimitExceeded => false,
        }
    }
}

/// What is too busy when an invocation is [`ErrorKind::Overloaded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    /// The one function is at its own `concurrency` or `rate`.
    Function,
    /// The whole server is at its total.
    Server,
    /// The client sends more requests than one client may.
    Client,
}

/// The failure of one invocation.
///
/// `Display` gives the detail: a plain sentence for the caller. What only the operator should know is in
/// [`Error::source`], which frontends log and never send.
pub struct InvokeError(Box<Failure>);

struct Failure {
    kind: ErrorKind,
    detail: String,
    exit_code: Option<i32>,
    overload: Option<(Overload, Duration)>,
    accepted_codings: Option<&'static str>,
    guest_error: Option<Box<RawValue>>,
    allowed_methods: Option<&'static str>,
    headers: HeaderMap,
    stack: Vec<StackFrame>,
    /// What lines are found by, for those frames of the stack that have none yet.
    code_frames: Option<Arc<dyn Any + Send + Sync>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl InvokeError {
    /// A failure of this kind, with a sentence that says what failed and, where known, what to do next.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            kind,
            detail: detail.into(),
            exit_code: None,
            overload: None,
            accepted_codings: None,
            guest_error: None,
            allowed_methods: None,
            headers: HeaderMap::new(),
            stack: Vec::new(),
            code_frames: None,
            source: None,
        }))
    }

    /// The refusal of a request for its method. The function takes the methods that `allowed` lists.
    pub(crate) fn method_not_allowed(method: &Method, allowed: &'static str) -> Self {
        let detail = format!("the function does not take {method}; it takes {allowed}");
        let mut error = Self::new(ErrorKind::InvalidInput, detail);
        error.0.allowed_methods = Some(allowed);
        error
    }

    /// A refusal because `overload` is busy; a caller may try again after `retry_after`.
    pub fn overloaded(overload: Overload, retry_after: Duration, detail: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Overloaded, detail);
        error.0.overload = Some((overload, retry_after));
        error
    }

    /// A refusal of a body because of its content codings; those in `accepted` can be decoded.
    pub fn unsupported_coding(accepted: &'static str, detail: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::InvalidInput, detail);
        error.0.accepted_codings = Some(accepted);
        error
    }

    /// The same failure with its cause, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same failure with the stack of the guest that failed.
    #[must_use]
    pub(crate) fn with_stack(mut self, stack: Vec<StackFrame>) -> Self {
        self.0.stack = stack;
        self
    }

    /// The same failure with what the engine finds the lines of its stack by.
    #[must_use]
    pub(crate) fn with_code_frames(mut self, frames: Arc<dyn Any + Send + Sync>) -> Self {
        self.0.code_frames = Some(frames);
        self
    }

    /// Takes what the engine finds the lines of its stack by.
    pub(crate) fn take_code_frames(&mut self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.0.code_frames.take()
    }

    /// A copy of an error for one of several callers.
    pub(crate) fn shared(error: Arc<Self>) -> Self {
        Self::new(error.kind(), error.detail()).with_source(error)
    }

    /// The same failure with the code the guest exited with.
    #[must_use]
    pub fn with_exit_code(mut self, code: i32) -> Self {
        self.0.exit_code = Some(code);
        self
    }

    /// The same failure with the error that a typed function returned, as JSON.
    #[must_use]
    pub fn with_guest_error(mut self, error: Box<RawValue>) -> Self {
        self.0.guest_error = Some(error);
        self
    }

    /// The same failure, whose answer over HTTP has these header fields as well.
    #[must_use]
    pub(crate) fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.0.headers = headers;
        self
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence for the caller.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The code the guest exited with, where it did.
    pub fn exit_code(&self) -> Option<i32> {
        self.0.exit_code
    }

    /// The error that a typed function returned, as JSON: what the `e` of its `err(e)` is.
    pub fn guest_error(&self) -> Option<&RawValue> {
        self.0.guest_error.as_deref()
    }

    /// The functions that were running when the guest failed, the innermost call first. Frontends log them and never
    /// send them. Empty if the failure is not the guest's.
    pub fn stack(&self) -> &[StackFrame] {
        &self.0.stack
    }

    /// The methods that the function takes, as the field `Allow` lists them, where it does not take the request's.
    pub fn allowed_methods(&self) -> Option<&'static str> {
        self.0.allowed_methods
    }

    /// Header fields for the answer over HTTP: those of cross-origin requests.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// For [`ErrorKind::Overloaded`]: what is too busy.
    pub fn overload(&self) -> Option<Overload> {
        self.0.overload.map(|(overload, _)| overload)
    }

    /// For [`ErrorKind::InvalidInput`]: where the body's content coding is the reason, the codings that can be decoded,
    /// as `Accept-Encoding` lists them.
    pub fn accepted_codings(&self) -> Option<&'static str> {
        self.0.accepted_codings
    }

    /// How long a caller should wait before the next try, where that would help.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.overload.map(|(_, after)| after)
    }
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl fmt::Debug for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvokeError")
            .field("kind", &self.0.kind)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl Error for InvokeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// The error of an invocation whose function cannot be read.
impl From<RegistryError> for InvokeError {
    fn from(error: RegistryError) -> Self {
        let kind = match error.kind() {
            RegistryErrorKind::NotFound => ErrorKind::NotFound,
            RegistryErrorKind::Invalid => ErrorKind::InvalidModule,
            RegistryErrorKind::Conflict | RegistryErrorKind::Stale | RegistryErrorKind::Unavailable => {
                ErrorKind::Unavailable
            }
            RegistryErrorKind::Forbidden | RegistryErrorKind::Internal => ErrorKind::Internal,
        };
        let failed = Self::new(kind, error.detail());
        match error.into_source() {
            Some(source) => failed.with_source(source),
            None => failed,
        }
    }
}

/// The error of a publish whose module cannot be loaded.
impl From<InvokeError> for RegistryError {
    fn from(error: InvokeError) -> Self {
        let kind = match error.kind() {
            ErrorKind::NotFound => RegistryErrorKind::NotFound,
            ErrorKind::InvalidInput
            | ErrorKind::PayloadTooLarge
            | ErrorKind::InvalidModule
            | ErrorKind::GuestError
            | ErrorKind::GuestFault
            | ErrorKind::LimitExceeded => RegistryErrorKind::Invalid,
            ErrorKind::Timeout | ErrorKind::Overloaded | ErrorKind::Unavailable => RegistryErrorKind::Unavailable,
            ErrorKind::Internal => RegistryErrorKind::Internal,
        };
        let failed = Self::new(kind, error.detail());
        match error.0.source {
            Some(source) => failed.with_source(source),
            None => failed,
        }
    }
}
