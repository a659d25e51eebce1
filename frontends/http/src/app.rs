//! What a server serves.

use std::sync::Arc;

use axum::{Router, extract::Request, response::Response};
use tower::Service as _;

use crate::{Site, api::Api, target};

/// What [`serve`](crate::serve) serves: a [`Site`], or any router.
#[derive(Clone)]
pub struct App {
    api: Option<Arc<Api>>,
    routes: Router,
}

impl App {
    /// Answers one request. A site's functions are called past the router, which would cost a request as much as
    /// everything else that is done for it here: extensions, two boxes, and a match that is made again after it.
    pub async fn answer(&self, request: Request) -> Response {
        match &self.api {
            Some(api) if request.uri().path().starts_with(target::PREFIX) => api.answer(request).await,
            _ => match self.routes.clone().call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
        }
    }
}

impl From<Router> for App {
    fn from(routes: Router) -> Self {
        Self { api: None, routes }
    }
}

impl From<Site> for App {
    fn from(site: Site) -> Self {
        Self { api: Some(Arc::new(site.api().clone())), routes: site.router() }
    }
}
