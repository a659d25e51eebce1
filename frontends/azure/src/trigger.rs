//! Calls a function with an event that is not an HTTP request.

use axum::{
    extract::Request,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderValue, header::CONTENT_TYPE};
use nebula_http::trace_context;
use nebula_runtime::{
    ErrorKind, FunctionName, Invocation, InvocationId, InvokeError, Invoker, StderrLines, append_json_value,
};
use serde_json::value::RawValue;

use crate::{
    answer::{Answer, Failure},
    bindings::Bindings,
    data::EventRequest,
};

/// The name of this frontend in reports.
pub(crate) const FRONTEND: &str = "azure";

/// The largest event and the largest result, in bytes. Azure's own limit for a request.
const MAX_SIZE: usize = 100 << 20;

/// A call of one function.
pub(crate) struct Trigger<'a> {
    pub(crate) invoker: &'a dyn Invoker,
    pub(crate) function: FunctionName,
    pub(crate) bindings: Bindings,
    pub(crate) id: InvocationId,
}

impl Trigger<'_> {
    /// The answer to the host.
    pub(crate) async fn answer(self, request: Request) -> Response {
        let stderr = StderrLines::default();
        match self.result(request, &stderr).await {
            Ok(result) => Answer::new(&self.bindings, &result, stderr.take()).into_response(),
            Err(error) => {
                error.log(&self.id);
                Failure::new(&error, &self.id).into_response()
            }
        }
    }

    /// The function's result as a JSON value.
    async fn result(&self, request: Request, stderr: &StderrLines) -> Result<Box<RawValue>, InvokeError> {
        let mut invocation = self.invocation(request).await?;
        invocation.stderr = Some(stderr.clone());
        let (media_type, body) = self.invoke(invocation).await?;
        let mut value = Vec::new();
        append_json_value(&mut value, media_type.as_ref(), &body);
        let internal = |error| InvokeError::new(ErrorKind::Internal, "the result is not JSON").with_source(error);
        serde_json::from_slice(&value).map_err(internal)
    }

    async fn invocation(&self, request: Request) -> Result<Invocation, InvokeError> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, MAX_SIZE).await.map_err(|error| {
            InvokeError::new(ErrorKind::PayloadTooLarge, "the event is too large, or did not arrive").with_source(error)
        })?;
        let request: EventRequest<'_> = serde_json::from_slice(&body).map_err(|error| {
            let detail = format!("the event is not one of Azure Functions' host: {error}");
            InvokeError::new(ErrorKind::InvalidInput, detail)
        })?;
        let event = request.event(&self.bindings)?;
        let mut invocation = Invocation::with_id(self.function.clone(), event, self.id.clone()).through(FRONTEND);
        invocation.trace = trace_context(&parts.headers).unwrap_or_default();
        Ok(invocation)
    }

    /// The whole result and its media type. A response with an error status is a failure: otherwise a queue would count
    /// the event as handled.
    async fn invoke(&self, invocation: Invocation) -> Result<(Option<HeaderValue>, Bytes), InvokeError> {
        let mut response = self.invoker.invoke(invocation).await?;
        let (status, media_type) = (response.status, response.take_headers().remove(CONTENT_TYPE));
        let body = response.body.collect(MAX_SIZE as u64).await?;
        if status.is_client_error() || status.is_server_error() {
            let detail = format!("the function answered the event with the status {}", status.as_u16());
            return Err(InvokeError::new(ErrorKind::GuestError, detail));
        }
        Ok((media_type, body))
    }
}
