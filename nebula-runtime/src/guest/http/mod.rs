//! HTTP handlers: `wasi:http/incoming-handler` 0.2 and `wasi:http/handler` 0.3. The request goes in as it came, the
//! response comes out as the guest makes it, and both bodies stream.

mod answer;
mod framing;
mod request;
mod running;

use std::{
    future::{poll_fn, ready},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use running::{Head, Running, Terms};
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

use super::{
    call::{Answer, Call},
    deployment::Deployment,
    idle::{Idle, Instance},
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

/// No instance waits for longer, and a clock can still tell when that is.
const FOREVER: Duration = Duration::from_hours(24 * 365);

impl Http {
    pub(super) fn plain(engine: Arc<Engine>, pre: ComponentPre) -> wasmtime::Result<Self> {
        Ok(Self { engine, handler: Arc::new(Handler::Plain(ProxyPre::new(pre)?)) })
    }

    pub(super) fn concurrent(engine: Arc<Engine>, pre: ComponentPre) -> wasmtime::Result<Self> {
        Ok(Self { engine, handler: Arc::new(Handler::Concurrent(ServicePre::new(pre)?)) })
    }

    /// Not an `async fn`: that would carry the whole of `call`, which is large, and the futures of both ways.
    pub(super) fn call(self: Arc<Self>, call: Call) -> Answer {
        let caller = Caller::of(&call.invocation);
        let time_limit = call.deployment.time_limit(&caller);
        let Call { invocation, deployment, max_stream, began, stderr, held } = call;
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
        let terms =
            Terms { is_head, max: max_stream.map(|max| max.as_u64()), due: time_limit.due(began), after_response };
        let idle = self.idle(&deployment);
        Box::pin(async move {
            let mut instance = match idle.as_ref().and_then(|idle| idle.take(began, &caller)) {
                Some(instance) => instance,
                None => {
                    let stderr = Stderr::new(&caller.id, stderr);
                    let system = System::without_input(&deployment.services, &stderr, &caller)?;
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
            let guest = supervise(guest, began, time_limit, report.clone()).with_reader(waits);
            let mut running = Running::new((guest, reading), held, upload, terms, report);
            let head = poll_fn(|context| running.poll_head(&mut head, context)).await?;
            answer::respond(running, head).await
        })
    }

    /// Whether its standard lets an instance serve more than one request.
    #[cfg(feature = "compiler")]
    pub(super) fn is_reusable(&self) -> bool {
        matches!(&*self.handler, Handler::Concurrent(_))
    }

    /// The waiting instances of a deployment that reuses them.
    fn idle(&self, deployment: &Deployment) -> Option<Arc<Idle>> {
        let (Some(reuse), Handler::Concurrent(_)) = (deployment.resolved.config.reuse, &*self.handler) else {
            return None;
        };
        let idle = deployment.idle.get_or_init(|| {
            let reuse = Reuse { idle: reuse.idle.min(FOREVER), ..reuse };
            Arc::new(Idle::new(Arc::clone(&self.engine), reuse))
        });
        Some(Arc::clone(idle))
    }
}

/// A request on its way to a guest, and what comes back.
struct Exchange {
    request: http::Request<WasiBody>,
    answer: oneshot::Sender<Head>,
    /// Ends when the response has been read, or its reader has gone.
    read: oneshot::Receiver<()>,
}

impl Handler {
    /// Runs the guest to its end, which may be long after it has answered.
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
        // Whoever waited for it may be gone.
        drop(answer.send(head.map_err(|code| refused(&code))));
    })?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, answer).await
}

/// Gives back whether the guest takes a further call.
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
            Err(code) => Err(refused(&code)),
        };
        drop(answer.send(head));
        // The tasks that write the body, and what else the guest has to do.
        poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
        // Trailers that nobody but the host holds any more still pass through the store.
        let _ = read.await;
        // A guest that takes no call now never will, for nothing of it goes on.
        let takes_more = poll_fn(|context| accessor.poll_ready_for_concurrent_call(handler, context));
        Ok(takes_more.now_or_never().is_some())
    });
    ran.await?
}

/// The failure of a guest that answered with an error code instead of a response.
fn refused(code: &impl std::fmt::Debug) -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, format!("the function answered with an error and no response: {code:?}"))
}
