//! HTTP handlers: `wasi:http/incoming-handler` 0.2 and `wasi:http/handler` 0.3. The guest gets the request as it came,
//! and the caller gets the response as the guest makes it. Both bodies are streamed.

mod framing;
mod request;
mod response;
mod running;

use std::{
    future::{poll_fn, ready},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use running::{HeadResult, ResponseRules, Running};
use tokio::{sync::oneshot, time::Instant};
use wasmtime::Store;
use wasmtime_wasi_http::{
    WasiBody, WasiHttpView as _,
    p2::bindings::{ProxyPre, http::types::Scheme},
    p3::{
        Request,
        bindings::{Service, ServicePre},
    },
};

#[cfg(feature = "compiler")]
use super::source::Source;
use super::{
    call::{Call, CallFuture},
    deployment::Deployment,
    idle::{IdleInstances, Instance},
};
use crate::{
    call::{Caller, ErrorKind, Invocation, InvokeError},
    engine::{Engine, Host, fault, supervise},
    function::Reuse,
    host::{ComponentPre, Stderr, System},
};

/// A component that handles HTTP requests.
pub(crate) struct Http {
    engine: Arc<Engine>,
    handler: Arc<Handler>,
}

enum Handler {
    /// `wasi:http/incoming-handler` 0.2.
    Plain(ProxyPre<Host<System>>),
    /// `wasi:http/handler` 0.3.
    Concurrent(ServicePre<Host<System>>),
}

/// The longest time for which an instance waits for its next request. A longer `idle` may be too long for a clock.
const MAX_IDLE: Duration = Duration::from_hours(24 * 365);

impl Http {
    pub(super) fn plain(engine: Arc<Engine>, pre: ComponentPre) -> wasmtime::Result<Self> {
        Ok(Self { engine, handler: Arc::new(Handler::Plain(ProxyPre::new(pre)?)) })
    }

    pub(super) fn concurrent(engine: Arc<Engine>, pre: ComponentPre) -> wasmtime::Result<Self> {
        Ok(Self { engine, handler: Arc::new(Handler::Concurrent(ServicePre::new(pre)?)) })
    }

    /// Not an `async fn`, because its future would hold all of `call`, which is large.
    pub(super) fn call(self: Arc<Self>, call: Call) -> CallFuture {
        let caller = Caller::of(&call.invocation);
        let time_limit = call.deployment.time_limit(&caller);
        let Call { invocation, deployment, max_stream, began, stderr, guards } = call;
        let Invocation { function, event, after_response, report, .. } = invocation;
        let limits = deployment.resolved.limits;
        if let Some(export) = function.export() {
            let detail = format!("function {} handles HTTP requests and has no export {export:?}", function.name());
            return Box::pin(ready(Err(InvokeError::new(ErrorKind::NotFound, detail))));
        }
        let (request, upload) = match request::request(event, limits.max_request.as_u64()) {
            Ok(request) => request,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let is_head = request.method() == http::Method::HEAD;
        let rules = ResponseRules {
            is_head,
            max: max_stream.map(|max| max.as_u64()),
            due: time_limit.due(began),
            after_response,
        };
        let idle = self.idle(&deployment);
        Box::pin(async move {
            let mut instance = match idle.as_ref().and_then(|idle| idle.take(began, &caller)) {
                Some(instance) => instance,
                None => {
                    let stderr = Stderr::new(&caller, stderr);
                    let system = System::without_input(&deployment.granted, &stderr, &caller)?;
                    Instance::new(self.engine.store(system, limits.memory, caller), stderr)
                }
            };
            let (answer, mut head) = oneshot::channel();
            let (reading, read) = oneshot::channel();
            let (handler, waits) = (Arc::clone(&self.handler), instance.waits());
            let guest: BoxFuture<'static, _> = Box::pin(async move {
                let ran = handler.run(&mut instance, Exchange { request, answer, read }, began).await;
                ran.map_err(|error| fault(error, &instance.store))?;
                if let Some(idle) = idle {
                    idle.keep(instance);
                }
                Ok(())
            });
            let guest = supervise(guest, began, time_limit, report.clone());
            let symbols = Arc::clone(&deployment.symbols);
            let guest = (guest.with_reader(waits), reading);
            let mut running = Running::new(guest, guards, upload, rules, report, symbols);
            match poll_fn(|context| running.poll_head(&mut head, context)).await {
                Ok(head) => response::respond(running, head).await,
                Err(error) => {
                    let explained = running.with_lines(error);
                    // The guest need not wait for that.
                    drop(running);
                    Err(explained.await)
                }
            }
        })
    }

    /// The linked code that instances of the handler are made from.
    #[cfg(feature = "compiler")]
    pub(super) fn source(&self) -> (&Arc<Engine>, Source<'_>) {
        let pre = match &*self.handler {
            Handler::Plain(pre) => pre.instance_pre(),
            Handler::Concurrent(pre) => pre.instance_pre(),
        };
        (&self.engine, Source::Component(pre))
    }

    /// Whether an instance may serve more than one request. The version of WASI decides that.
    #[cfg(feature = "compiler")]
    pub(super) fn is_reusable(&self) -> bool {
        matches!(&*self.handler, Handler::Concurrent(_))
    }

    /// The waiting instances of a deployment, if its configuration reuses instances.
    fn idle(&self, deployment: &Deployment) -> Option<Arc<IdleInstances>> {
        let (Some(reuse), Handler::Concurrent(_)) = (deployment.resolved.config.reuse, &*self.handler) else {
            return None;
        };
        let idle = deployment.idle.get_or_init(|| {
            let reuse = Reuse { idle: reuse.idle.min(MAX_IDLE), ..reuse };
            Arc::new(IdleInstances::new(Arc::clone(&self.engine), reuse))
        });
        Some(Arc::clone(idle))
    }
}

/// A request for a guest, and the channels for its response.
struct Exchange {
    request: http::Request<WasiBody>,
    /// Takes the response.
    answer: oneshot::Sender<HeadResult>,
    /// Closes when the response has been read, or its reader has gone.
    read: oneshot::Receiver<()>,
}

impl Handler {
    /// Runs the guest until it ends, which may be long after its response.
    async fn run(&self, instance: &mut Instance, exchange: Exchange, began: Instant) -> wasmtime::Result<()> {
        match self {
            Self::Plain(pre) => run_plain(pre, &mut instance.store, exchange, began).await,
            Self::Concurrent(pre) => {
                let service = match instance.service.take() {
                    Some(service) => service,
                    None => {
                        let service = pre.instantiate_async(&mut instance.store).await?;
                        instance.store.data().instantiated(began);
                        service
                    }
                };
                let takes_more = run_concurrent(&service, &mut instance.store, exchange).await?;
                instance.service = takes_more.then_some(service);
                Ok(())
            }
        }
    }
}

async fn run_plain(
    pre: &ProxyPre<Host<System>>,
    store: &mut Store<Host<System>>,
    Exchange { request, answer, .. }: Exchange,
    began: Instant,
) -> wasmtime::Result<()> {
    let proxy = pre.instantiate_async(&mut *store).await?;
    store.data().instantiated(began);
    let mut view = store.data_mut().http();
    let is_secure = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS);
    let request = view.new_incoming_request(if is_secure { Scheme::Https } else { Scheme::Http }, request)?;
    let answer = view.new_response_outparam_from_callback(move |head| {
        // The caller may be gone.
        drop(answer.send(head.map_err(|code| answered_with_error(&code))));
    })?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, answer).await
}

/// Returns whether the guest can take a further call.
async fn run_concurrent(
    service: &Service,
    store: &mut Store<Host<System>>,
    Exchange { request, answer, read }: Exchange,
) -> wasmtime::Result<bool> {
    let handler = *service.wasi_http_handler().func_handle().func();
    let ran = store.run_concurrent(async |accessor| {
        let (request, sent) = accessor.with(|mut host| {
            let (request, sent) = Request::from_http(host.get().http().hooks, request);
            (request, sent.boxed())
        });
        let head = match service.handle(accessor, request).await? {
            Ok(response) => Ok(accessor.with(|host| response.into_http(host, sent))?),
            Err(code) => Err(answered_with_error(&code)),
        };
        drop(answer.send(head));
        // Waits for the guest's tasks: those that write the body, and others.
        poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
        // The response's trailers pass through the store even after the guest's tasks have ended.
        let _ = read.await;
        // None of the guest's tasks is left, so a guest that cannot take a call now never can.
        let takes_more = poll_fn(|context| accessor.poll_ready_for_concurrent_call(handler, context));
        Ok(takes_more.now_or_never().is_some())
    });
    ran.await?
}

/// The error for a guest that answered with an error code instead of a response.
fn answered_with_error(code: &impl std::fmt::Debug) -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, format!("the function answered with an error and no response: {code:?}"))
}
