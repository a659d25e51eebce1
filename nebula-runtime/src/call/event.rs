//! The input of one invocation.

use std::net::IpAddr;

use bytes::Bytes;
use http_body::{Body as _, SizeHint};

use super::body::Body;

/// The input of an invocation: a whole HTTP request or a bare payload, optionally with arguments.
#[derive(Debug, Default)]
pub struct Event {
    input: Input,
    arguments: Vec<String>,
    mount: usize,
    client: Option<IpAddr>,
}

/// Where an event's bytes come from.
#[derive(Debug)]
pub enum Input {
    /// An HTTP request, as it came. [`Event::mount`] tells which part of its path is the function's own.
    Http(Box<http::Request<Body>>),
    /// Bytes without a request around them.
    Payload {
        /// The bytes.
        body: Body,
        /// Their media type, where the sender said so.
        media_type: Option<http::HeaderValue>,
        /// More about them from their sender, as header fields. Boxed, because most senders give none.
        fields: Option<Box<http::HeaderMap>>,
    },
}

impl Default for Input {
    fn default() -> Self {
        Self::Payload { body: Body::empty(), media_type: None, fields: None }
    }
}

impl Event {
    /// The methods of HTTP that reach any function at all, as the field `Allow` lists them. CONNECT and TRACE are
    /// for proxies.
    pub const METHODS: &'static str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

    /// An HTTP request.
    pub fn http(request: http::Request<Body>) -> Self {
        Self { input: Input::Http(Box::new(request)), ..Self::default() }
    }

    /// A bare payload of this media type.
    pub fn payload(body: impl Into<Body>, media_type: Option<http::HeaderValue>) -> Self {
        Self { input: Input::Payload { body: body.into(), media_type, fields: None }, ..Self::default() }
    }

    /// A bare payload in JSON.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self::payload(text.into(), Some(http::HeaderValue::from_static("application/json")))
    }

    /// The same event with path arguments: the segments behind the function's name, decoded.
    #[must_use]
    pub fn with_arguments(mut self, arguments: impl IntoIterator<Item: Into<String>>) -> Self {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// The same event for a function that is mounted at the first `length` bytes of the request's path. The rest of the
    /// path is the function's own: `/a/b` of `/api/f/a/b`.
    #[must_use]
    pub fn mounted_at(mut self, length: usize) -> Self {
        self.mount = length;
        self
    }

    /// The same event with the address of the client that sent the request.
    #[must_use]
    pub fn from_client(mut self, client: IpAddr) -> Self {
        self.client = Some(client);
        self
    }

    /// The address of the client that sent the request, if that is known.
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The path at which the function is mounted, `/api/f`: empty where all of a request's path is the function's own.
    pub fn mount(&self) -> &str {
        match &self.input {
            Input::Http(request) => request.uri().path().get(..self.mount).unwrap_or_default(),
            Input::Payload { .. } => "",
        }
    }

    /// The same event with header fields that describe a bare payload. An HTTP handler sees them as the fields of its
    /// request. An HTTP request keeps its own fields.
    #[must_use]
    pub fn with_fields(mut self, said: http::HeaderMap) -> Self {
        if let Input::Payload { fields, .. } = &mut self.input {
            *fields = (!said.is_empty()).then(|| Box::new(said));
        }
        self
    }

    /// The path arguments, in order.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The request or the payload.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// A header field of the request, or of those that describe a bare payload.
    pub fn header(&self, name: &http::HeaderName) -> Option<&http::HeaderValue> {
        match &self.input {
            Input::Http(request) => request.headers().get(name),
            Input::Payload { fields, .. } => fields.as_ref()?.get(name),
        }
    }

    /// How large the body will be, as far as that is known.
    pub fn size_hint(&self) -> SizeHint {
        match &self.input {
            Input::Http(request) => request.body().size_hint(),
            Input::Payload { body, .. } => body.size_hint(),
        }
    }

    /// The header fields of the request, if it is one.
    pub(crate) fn headers_mut(&mut self) -> Option<&mut http::HeaderMap> {
        match &mut self.input {
            Input::Http(request) => Some(request.headers_mut()),
            Input::Payload { .. } => None,
        }
    }

    /// Gives the event another input, and returns the one that it had.
    pub(crate) fn replace_input(&mut self, input: Input) -> Input {
        std::mem::replace(&mut self.input, input)
    }

    /// The event's parts: its input and its arguments.
    pub fn into_parts(self) -> (Input, Vec<String>) {
        (self.input, self.arguments)
    }
}

impl Input {
    /// The bytes of the request or of the payload.
    pub fn into_body(self) -> Body {
        match self {
            Self::Http(request) => request.into_body(),
            Self::Payload { body, .. } => body,
        }
    }
}
