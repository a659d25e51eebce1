//! Functions as an Axum router: `/api/{function}` and `/api/{function}/{*input}`.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    routing::any_service,
};
use http::{StatusCode, Uri};
use nebula_runtime::{
    AfterResponse, Catalog, Event, Invocation, InvocationId, InvokeError, Invoker, Rate, ReportHandle,
};

use crate::{
    client_rate::ClientRate,
    context::{ClientAddress, InvocationContext, trace_context},
    metrics::Metrics,
    openapi,
    peer::Peer,
    problem::Problem,
    proxies::TrustedProxies,
    reply,
    routes::RouteMatch,
    target::Target,
    upload,
};

/// How long a client may send nothing before the end of its request's body: 20 s. This is less than the default
/// time-out of a function, so that the error names the client and not the function that waited for it.
pub const BODY_STALL: Duration = Duration::from_secs(20);

/// The functions of `invoker` as a router, which can be merged or nested into any Axum app.
///
/// - `ANY /api/{function}` and `ANY /api/{function}/{*input}`, where `{function}` is a
///   [`FunctionRef`](nebula_runtime::FunctionRef): `treats`, `treats@3`, `calc:add@prod`.
/// - The router has no fallback, so that it can be merged with routers that have one.
pub fn router(invoker: Arc<dyn Invoker>) -> Router {
    Api::new(invoker).router()
}

/// [`router`], with settings.
#[derive(Clone)]
pub struct Api {
    invoker: Arc<dyn Invoker>,
    metrics: Metrics,
    body_stall: Duration,
    after_response: AfterResponse,
    catalog: Option<Arc<dyn Catalog>>,
    proxies: TrustedProxies,
    client_rate: Option<ClientRate>,
}

impl Api {
    /// The functions of `invoker`, with default settings.
    pub fn new(invoker: Arc<dyn Invoker>) -> Self {
        let (metrics, proxies) = (Metrics::new(), TrustedProxies::default());
        Self {
            invoker,
            metrics,
            body_stall: BODY_STALL,
            after_response: AfterResponse::Detach,
            catalog: None,
            proxies,
            client_rate: None,
        }
    }

    /// Counts the invocations that go on in `metrics`. Those that ended are counted by
    /// [`Observed`](nebula_runtime::Observed), which takes the metrics as an observer.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Ends a request's body when the client sends nothing for `stall`, instead of for [`BODY_STALL`].
    #[must_use]
    pub fn with_body_stall(self, stall: Duration) -> Self {
        Self { body_stall: stall, ..self }
    }

    /// Sets whether a response ends with its last byte or when its guest has ended. A process that is stopped or frozen
    /// after the response has to wait for the guest.
    #[must_use]
    pub fn with_after_response(self, after_response: AfterResponse) -> Self {
        Self { after_response, ..self }
    }

    /// Describes the functions of `catalog` to clients that ask for `application/openapi+json`.
    #[must_use]
    pub fn with_catalog(self, catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog: Some(catalog), ..self }
    }

    /// Trusts these proxies to say where a request came from. By default, no client with a [`ClientAddress`] is
    /// trusted.
    #[must_use]
    pub fn with_trusted_proxies(self, proxies: TrustedProxies) -> Self {
        Self { proxies, ..self }
    }

    /// Limits how often one client may call functions. Clients are told apart by their [`ClientAddress`], or by the
    /// address that a trusted proxy gives in `X-Forwarded-For`. By default, there is no limit.
    #[must_use]
    pub fn with_client_rate(self, rate: Option<Rate>) -> Self {
        Self { client_rate: rate.map(ClientRate::new), ..self }
    }

    /// The router.
    pub fn router(self) -> Router {
        let api = Arc::new(self);
        // A service and not a handler: Axum boxes a handler's future twice.
        let service = any_service(tower::service_fn(move |request| {
            let api = Arc::clone(&api);
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        }));
        Router::new()
            .route("/api/{function}", service.clone())
            .route("/api/{function}/", service.clone())
            .route("/api/{function}/{*input}", service)
    }

    /// The proxies that it trusts.
    pub(crate) fn trusted_proxies(&self) -> &TrustedProxies {
        &self.proxies
    }

    /// The metrics that count running invocations.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Calls the function that the request's path names.
    pub(crate) async fn answer(&self, request: Request) -> Response {
        let client = request.extensions().get().copied();
        self.answer_at(None, client, request).await
    }

    /// Calls the function of a route, or else the one that the path names.
    pub(crate) async fn answer_at(
        &self,
        place: Option<RouteMatch>,
        client: Option<ClientAddress>,
        mut request: Request,
    ) -> Response {
        // A function with a route answers all requests of the route itself.
        if place.is_none()
            && openapi::is_wanted(request.method(), request.headers())
            && let Some(description) = self.description(request.uri()).await
        {
            return description;
        }
        let given = request.extensions_mut().remove::<InvocationContext>().unwrap_or_default();
        let id = given.id.clone();
        match self.invocation(place, client, request, given) {
            Ok(Some(invocation)) => self.invoke(invocation, &id).await,
            Ok(None) => Problem::of_status(StatusCode::NOT_FOUND, "functions are at /api/{function}").into_response(),
            Err(error) => refuse(&error, &id, None),
        }
    }

    /// The description of a function, for a path that names the function and has no arguments.
    async fn description(&self, uri: &Uri) -> Option<Response> {
        let (catalog, target) = (self.catalog.as_ref()?, Target::of(uri)?);
        if !target.arguments().ok()?.is_empty() {
            return None;
        }
        let described = match target.function() {
            Ok(function) => catalog.function(&function).await.map_err(InvokeError::from),
            Err(error) => Err(error),
        };
        Some(match described {
            Ok(function) => openapi::of_function(&function),
            Err(error) => Problem::of_error(&error, None).into_response(),
        })
    }

    async fn invoke(&self, mut invocation: Invocation, id: &InvocationId) -> Response {
        invocation.attach(self.metrics.enter());
        let report = invocation.report.clone();
        match self.invoker.invoke(invocation).await {
            Ok(response) => {
                let mut sent = reply::send(response, id);
                reply::annotate(sent.headers_mut(), id, Some(&report));
                sent
            }
            Err(error) => refuse(&error, id, Some(&report)),
        }
    }

    /// `None` if another layer has rewritten the path, and it names no function any more.
    fn invocation(
        &self,
        place: Option<RouteMatch>,
        client: Option<ClientAddress>,
        mut request: Request,
        given: InvocationContext,
    ) -> Result<Option<Invocation>, InvokeError> {
        if let (Some(rate), Some(ClientAddress(client))) = (&self.client_rate, client) {
            rate.count(self.proxies.origin(client, request.headers()))?;
        }
        let uri = request.uri();
        let target = place.as_ref().map_or_else(|| Target::of(uri), |place| Target::below(uri, place.mount));
        let Some(target) = target else {
            return Ok(None);
        };
        let (arguments, mount) = (target.arguments()?, target.mount().len());
        let function = place.map_or_else(|| target.function(), |place| Ok(place.function))?;
        if let Some(ClientAddress(client)) = client {
            self.proxies.clean(Peer::Address(client), request.headers_mut());
        }
        let trace = trace_context(request.headers()).unwrap_or(given.trace);
        let request = request.map(|body| upload::receive(body, self.body_stall));
        let mut event = Event::http(request).mounted_at(mount).with_arguments(arguments);
        if let Some(ClientAddress(client)) = client {
            event = event.from_client(client);
        }
        let mut invocation = Invocation::with_id(function, event, given.id).through(given.frontend);
        invocation.trace = trace;
        invocation.deadline = given.deadline;
        invocation.after_response = self.after_response;
        Ok(Some(invocation))
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("body_stall", &self.body_stall).finish_non_exhaustive()
    }
}

/// The answer to a request whose invocation `id` failed before or outside of an [`Api`]. It has the same form as the
/// answers of an [`Api`].
pub fn refusal(error: &InvokeError, id: &InvocationId) -> Response {
    refuse(error, id, None)
}

fn refuse(error: &InvokeError, id: &InvocationId, report: Option<&ReportHandle>) -> Response {
    error.log(id);
    let mut response = Problem::of_error(error, Some(id)).into_response();
    reply::annotate(response.headers_mut(), id, report);
    response
}
