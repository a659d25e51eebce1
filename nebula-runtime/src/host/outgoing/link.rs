//! Links outgoing HTTP. A request without a path is for `/` (RFC 9110, section 4.2.3), but Wasmtime refuses it. So the
//! functions that send requests are linked here: they add the path and then call those of Wasmtime.

use http::uri::PathAndQuery;
use wasmtime::{
    StoreContextMut,
    component::{Accessor, Linker, Resource},
};
use wasmtime_wasi_http::{
    RequestOptions, WasiHttp, WasiHttpView,
    p2::{
        bindings::{
            LinkOptions,
            http::{outgoing_handler::Host as _, types as plain},
        },
        types::{HostFutureIncomingResponse, HostOutgoingRequest},
    },
    p3::{
        Request, Response,
        bindings::http::{client::HostWithStore as _, types as concurrent},
    },
};

/// Adds the HTTP interfaces for guests of WASI 0.2.
pub(crate) fn link_plain<T: WasiHttpView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    plain::add_to_linker::<_, WasiHttp>(linker, &LinkOptions::default().into(), T::http)?;
    linker.instance("wasi:http/outgoing-handler@0.2.12")?.func_wrap("handle", handle)
}

/// Adds the HTTP interfaces for guests of WASI 0.3.
pub(crate) fn link_concurrent<T: WasiHttpView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    concurrent::add_to_linker::<_, WasiHttp>(linker, |host| host.http())?;
    linker
        .instance("wasi:http/client@0.3.0")?
        .func_wrap_concurrent("send", |accessor, (request,)| Box::pin(send(accessor, request)))
}

type Handled = Result<Resource<HostFutureIncomingResponse>, plain::ErrorCode>;

fn handle<T: WasiHttpView>(
    mut store: StoreContextMut<'_, T>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> wasmtime::Result<(Handled,)> {
    let mut http = store.data_mut().http();
    http.table.get_mut(&request)?.path_with_query.get_or_insert_with(|| "/".to_owned());
    match http.handle(request, options) {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

type Sent = Result<Resource<Response>, concurrent::ErrorCode>;

async fn send<T: WasiHttpView>(accessor: &Accessor<T>, request: Resource<Request>) -> wasmtime::Result<(Sent,)> {
    accessor.with(|mut host| -> wasmtime::Result<()> {
        let request = host.get().http().table.get_mut(&request)?;
        request.path_with_query.get_or_insert(PathAndQuery::from_static("/"));
        Ok(())
    })?;
    match WasiHttp::send(&accessor.with_getter(|host| host.http()), request).await {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}
