//! Handles events.

use std::{sync::Arc, time::Duration};

use axum::extract::Request;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, LambdaInvocation};
use nebula_http::{Api, App, InvocationContext, Metrics, Route, Routes, Shutdown, Site};
use nebula_runtime::{
    AfterResponse, Batch, Catalog, ErrorKind, Event, FunctionRef, Invocation, InvocationId, InvokeError, Invoker,
    append_json_value,
};
use serde_json::value::RawValue;

use crate::{
    answer,
    batch::{Record, Records},
    context::{self, FRONTEND},
    event::{Gateway, Payload, Source},
    functions::Functions,
    json::to_json,
};

/// How many records of a batch are handled at once, if the function's concurrency is not lower.
const RECORDS_AT_ONCE: u32 = 16;

/// Handles the events of one environment.
pub(crate) struct Handler {
    /// The function that handles events, if it is known.
    pub(crate) function: Option<FunctionRef>,
    pub(crate) invoker: Arc<dyn Invoker>,
    pub(crate) catalog: Arc<dyn Catalog>,
    /// Answers HTTP requests.
    pub(crate) app: App,
    pub(crate) deadline_margin: Duration,
}

/// A failure as Lambda reports it: the kind is the error's type, and the detail is its message.
#[derive(Debug)]
pub(crate) struct FunctionError(pub(crate) InvokeError);

impl From<FunctionError> for Diagnostic {
    fn from(FunctionError(error): FunctionError) -> Self {
        let error_message = match error.kind() {
            // The cause is for the operator, and in the log.
            ErrorKind::Internal => "Nebula failed; the log says why".to_owned(),
            _ => error.detail().to_owned(),
        };
        Self { error_type: error.kind().to_string(), error_message }
    }
}

impl Handler {
    /// A handler of the events of one environment, whose site is ready until `shutdown` is draining.
    pub(crate) fn new(
        function: Option<FunctionRef>,
        functions: Functions,
        deadline_margin: Duration,
        shutdown: Shutdown,
    ) -> Self {
        let Functions { invoker, catalog, metrics, flush: _ } = functions;
        let app = app(Arc::clone(&invoker), Arc::clone(&catalog), metrics, shutdown, function.as_ref());
        Self { function, invoker, catalog, app, deadline_margin }
    }

    /// The answer to an event, in JSON.
    pub(crate) async fn handle(&self, event: LambdaEvent<Payload>) -> Result<Box<RawValue>, FunctionError> {
        let LambdaEvent { payload, context } = event;
        self.answer(payload, &context).await.map_err(|error| {
            error.log(&InvocationId::given(context.request_id));
            FunctionError(error)
        })
    }

    /// The request in an event, if its answer can be streamed.
    pub(crate) fn streamed(&self, invocation: &LambdaInvocation) -> Option<Request> {
        let json = serde_json::from_slice::<&RawValue>(&invocation.body).ok()?;
        match Source::of(json) {
            // A request that cannot be read is refused later, like any other event.
            Source::Http(gateway) if gateway.streams() => self.request(gateway, json, &invocation.context).ok(),
            _ => None,
        }
    }

    async fn answer(&self, payload: Payload, context: &Context) -> Result<Box<RawValue>, InvokeError> {
        let json = payload.json()?;
        match Source::of(&json) {
            Source::Http(gateway) => self.answer_request(gateway, &json, context).await,
            Source::Records(records) => self.answer_records(records, json, context).await,
            Source::Other => self.call(context)?.answer(json).await,
        }
    }

    async fn answer_request(
        &self,
        gateway: Gateway,
        json: &RawValue,
        context: &Context,
    ) -> Result<Box<RawValue>, InvokeError> {
        let request = self.request(gateway, json, context)?;
        let (method, id) = (request.method().clone(), InvocationId::given(context.request_id.as_str()));
        answer::whole(gateway, &method, self.app.answer(request).await, &id).await
    }

    fn request(&self, gateway: Gateway, json: &RawValue, context: &Context) -> Result<Request, InvokeError> {
        gateway.read(json)?.request(context, self.invocation_context(context))
    }

    /// Calls the function once for the whole batch, or once for each record: the function's configuration decides.
    async fn answer_records(
        &self,
        records: Records,
        json: Box<RawValue>,
        context: &Context,
    ) -> Result<Box<RawValue>, InvokeError> {
        let call = self.call(context)?;
        let config = self.catalog.function(call.function).await?.config;
        match config.batch {
            None => call.answer(json).await,
            Some(Batch::Item) => {
                let allowed = config.limits.concurrency.unwrap_or(RECORDS_AT_ONCE).min(RECORDS_AT_ONCE);
                let each = records.each(allowed as usize, |record| call.take(record));
                to_json(&each.await)
            }
        }
    }

    /// A call of the function that handles events.
    fn call(&self, context: &Context) -> Result<Call<'_>, InvokeError> {
        let function = self.function.as_ref().ok_or_else(|| {
            let detail = "the package has several functions: name the one that handles events in NEBULA_FUNCTION";
            InvokeError::new(ErrorKind::NotFound, detail)
        })?;
        Ok(Call {
            invoker: &*self.invoker,
            function,
            context: self.invocation_context(context),
            fields: context::fields(context),
        })
    }

    fn invocation_context(&self, context: &Context) -> InvocationContext {
        context::invocation_context(context, self.deadline_margin)
    }
}

/// The site that answers HTTP requests.
fn app(
    invoker: Arc<dyn Invoker>,
    catalog: Arc<dyn Catalog>,
    metrics: Metrics,
    shutdown: Shutdown,
    function: Option<&FunctionRef>,
) -> App {
    // Lambda freezes an environment after the answer. The guest has to end before that.
    let api = Api::new(invoker).with_metrics(metrics).with_after_response(AfterResponse::Wait);
    let routes = Routes::default();
    // Every function can have the path `/`.
    let root = function.and_then(|function| Route::new(None, "/", function.clone()).ok());
    routes.replace(root.into_iter().collect());
    Site::new(api, catalog, shutdown).with_routes(routes).into()
}

/// A call with an event that is not an HTTP request.
struct Call<'a> {
    invoker: &'a dyn Invoker,
    function: &'a FunctionRef,
    context: InvocationContext,
    fields: HeaderMap,
}

impl Call<'_> {
    /// The function's result as a JSON value.
    async fn answer(&self, event: Box<RawValue>) -> Result<Box<RawValue>, InvokeError> {
        let (media_type, body) = self.invoke(self.context.id.clone(), event).await?;
        let mut value = Vec::new();
        append_json_value(&mut value, media_type.as_ref(), &body);
        if value.len() > answer::MAX_BUFFERED {
            return Err(answer::too_large());
        }
        let internal = |error| InvokeError::new(ErrorKind::Internal, "the result is not JSON").with_source(error);
        serde_json::from_slice(&value).map_err(internal)
    }

    /// Calls the function for one record of a batch.
    async fn take(&self, record: Record) -> Result<(), ()> {
        let id = InvocationId::given(format!("{}/{}", self.context.id, record.id));
        self.invoke(id.clone(), record.json).await.map(drop).map_err(|error| error.log(&id))
    }

    /// The whole result and its media type. A response with an error status is a failure: otherwise a queue would count
    /// the event as handled.
    async fn invoke(
        &self,
        id: InvocationId,
        event: Box<RawValue>,
    ) -> Result<(Option<HeaderValue>, Bytes), InvokeError> {
        let event = Event::json(String::from(Box::<str>::from(event))).with_fields(self.fields.clone());
        let mut invocation = Invocation::with_id(self.function.clone(), event, id).through(FRONTEND);
        invocation.deadline = self.context.deadline;
        invocation.trace = self.context.trace.clone();
        let mut response = self.invoker.invoke(invocation).await?;
        let (status, media_type) = (response.status, response.take_headers().remove(CONTENT_TYPE));
        let body = response.body.collect_or(answer::MAX_BUFFERED as u64, answer::too_large).await?;
        if status.is_client_error() || status.is_server_error() {
            let detail = format!("the function answered the event with the status {}", status.as_u16());
            return Err(InvokeError::new(ErrorKind::GuestError, detail));
        }
        Ok((media_type, body))
    }
}
