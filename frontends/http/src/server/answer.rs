//! Answers one request of a connection.

use std::{convert::Infallible, sync::Arc};

use axum::body::Body;
use http::{HeaderMap, Request, Response, Version};
use hyper::body::Incoming;

use super::{
    activity::{Activity, Answering},
    body::{AnswerBody, RequestBody},
    compression,
    shared::Shared,
    trailers::{self, Sendable},
    wire,
};
use crate::{context::ClientAddress, peer::Peer};

/// The service of one connection: who sends its requests, and who answers them.
pub(super) struct Service {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Option<Peer>,
    pub(super) activity: Arc<Activity>,
    /// Whether the connection has TLS.
    pub(super) is_secure: bool,
}

impl Service {
    /// Answers one request. `answering` lives until the answer was read.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        answering: Answering,
    ) -> Result<Response<AnswerBody>, Infallible> {
        let (version, activity) = (request.version(), Arc::clone(&self.activity));
        let are_taken = trailers::are_taken(version, request.headers());
        let mut request = request.map(|body| Body::new(RequestBody::new(body, version == Version::HTTP_2, activity)));
        let compress = self.shared.limits.compress;
        let takes_gzip = compress && compression::is_accepted(&request);
        let answer = match wire::refuse(&mut request, self.is_secure) {
            None => self.shared.app.answer_to(self.client(request.headers_mut()), request).await,
            Some(refusal) => refusal,
        };
        let answer = if compress { compression::compress(answer, takes_gzip) } else { answer };
        let sendable = Sendable::of(&answer, version, are_taken, &self.shared.dropped_trailers);
        Ok(answer.map(|body| AnswerBody::new(body, sendable, answering)))
    }

    /// The address of the client. A process of this machine has none, so what it says about others is checked here.
    fn client(&self, headers: &mut HeaderMap) -> Option<ClientAddress> {
        match self.peer? {
            Peer::Address(address) => Some(ClientAddress(address)),
            Peer::Unix => {
                self.shared.app.trusted_proxies().clean(Peer::Unix, headers);
                None
            }
        }
    }
}
