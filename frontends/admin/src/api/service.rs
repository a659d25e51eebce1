//! The service that a request is about, and what it names there.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use nebula_runtime::ServiceName;

use crate::{
    audit::Line,
    caller::Caller,
    problem::{Kind, Problem},
};

/// The service in the path of a request.
pub(super) struct Service(pub(super) ServiceName);

impl<S: Send + Sync> FromRequestParts<S> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Path(mut named) = path.map_err(|rejection| Problem::new(Kind::Malformed, rejection.body_text()))?;
        let name = named.remove("service").unwrap_or_default();
        name.parse().map(Self).map_err(|invalid| Problem::new(Kind::Malformed, format!("{invalid}")))
    }
}

impl Service {
    /// What the audit says of an attempt to change what the service keeps under this name.
    pub(super) fn line(&self, caller: &Caller, action: &'static str, name: &str) -> Line {
        Line { service: Some(self.0.clone()), key: Some(name.to_owned()), ..caller.line(action, None) }
    }
}

/// Checks the length of a key or of a blob's name.
pub(super) fn check_length(parameter: &str, text: &str, most: usize) -> Result<(), Problem> {
    match text.len() {
        length if (1..=most).contains(&length) => Ok(()),
        length => {
            let detail = format!("{parameter}: expected 1 to {most} bytes, and it has {length}");
            Err(Problem::new(Kind::Malformed, detail))
        }
    }
}

/// The media type of values and blobs.
pub(super) const OCTETS: &str = "application/octet-stream";
