//! One request of the admin API.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Serialize;

use super::upload::Upload;

/// How long the client waits for an answer. A server that compiles a module first may take longer.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_FOR_COMPILING: Duration = Duration::from_secs(600);

/// One request of the admin API.
pub(crate) struct Call {
    pub(super) method: Method,
    /// The segments of its path, which are not encoded yet.
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Upload>,
    /// How long nothing may be sent or received.
    pub(super) patience: Duration,
}

impl Call {
    pub(crate) fn get<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn put<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(crate) fn post<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn delete<'a>(path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::DELETE, path)
    }

    fn new<'a>(method: Method, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().map(str::to_owned).collect();
        Self { method, path, query: Vec::new(), body: None, patience: PATIENCE }
    }

    /// Adds a parameter of the query, if there is a value for it.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// Sends a value as JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Self {
        // A value of texts and numbers always serializes.
        let json = serde_json::to_vec(value).unwrap_or_default();
        self.upload(Upload::of("application/json", Bytes::from(json)))
    }

    /// Sends this body.
    pub(crate) fn upload(self, body: Upload) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Waits longer for the answer, because the server compiles a module first.
    pub(crate) fn compiles(self) -> Self {
        Self { patience: PATIENCE_FOR_COMPILING, ..self }
    }
}
