//! The application that a server serves.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header::ALLOW};
use nebula_runtime::Event;
use tower::Service as _;

use crate::{
    context::ClientAddress,
    proxies::TrustedProxies,
    site::{self, Site},
    target::Target,
};

/// The application for [`serve`](crate::serve): a [`Site`], or any router.
#[derive(Clone)]
pub struct App {
    site: Option<Arc<Site>>,
    router: Router,
    trusted_proxies: TrustedProxies,
}

impl App {
    /// Answers one request. The functions of a site are called without the router. The router would take as long as
    /// everything else that this crate does for a request: extensions, two boxes, and a match of the path that is
    /// repeated afterwards.
    pub async fn answer(&self, request: Request) -> Response {
        self.answer_to(None, request).await
    }

    /// Answers one request of `client`.
    pub(crate) async fn answer_to(&self, client: Option<ClientAddress>, mut request: Request) -> Response {
        if let Some(site) = &self.site {
            let place = site.routes().find(request.uri(), request.headers());
            if place.is_some() || Target::of(request.uri()).is_some() {
                return site.api().answer_at(place, client, request).await;
            }
            if request.uri().path() == "*" {
                return options_of_all();
            }
            if let Some(page) = site::page_of(request.uri()) {
                *request.uri_mut() = page;
            }
        }
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        match self.router.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl App {
    /// The proxies that the functions of a site trust. Those that a router trusts are not known.
    pub(crate) fn trusted_proxies(&self) -> &TrustedProxies {
        &self.trusted_proxies
    }
}

/// The answer to `OPTIONS *`: the methods that a function can take (RFC 9110, section 9.3.7).
fn options_of_all() -> Response {
    let allow = HeaderValue::from_static(Event::METHODS);
    (StatusCode::NO_CONTENT, [(ALLOW, allow)]).into_response()
}

impl From<Router> for App {
    fn from(router: Router) -> Self {
        Self { site: None, router, trusted_proxies: TrustedProxies::default() }
    }
}

impl From<Site> for App {
    fn from(site: Site) -> Self {
        let trusted_proxies = site.api().trusted_proxies().clone();
        Self { router: site.clone().router(), site: Some(Arc::new(site)), trusted_proxies }
    }
}
