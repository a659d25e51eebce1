//! Failures of the admin API (RFC 9457, "Problem Details for HTTP APIs").

use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, WWW_AUTHENTICATE},
};
use nebula_runtime::{NotThere, RegistryError, RegistryErrorKind, ServiceError, ServiceErrorKind};
use serde::Serialize;

/// A failure, in the form of its response's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    uri: String,
    title: &'static str,
    status: u16,
    detail: String,
    kind: Kind,
    /// What a client that is not known is told of how to become known (RFC 6750, section 3).
    #[serde(skip)]
    challenge: Option<&'static str>,
}

/// The kind of a failure: one of the registry's, or one of HTTP itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    NotFound,
    Invalid,
    Conflict,
    Stale,
    Forbidden,
    Unavailable,
    Internal,
    Unauthorized,
    Malformed,
    BrokenOff,
    TooLarge,
    TooSlow,
    MethodNotAllowed,
    UnsupportedCoding,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 14] = [
        Self::NotFound,
        Self::Invalid,
        Self::Conflict,
        Self::Stale,
        Self::Forbidden,
        Self::Unavailable,
        Self::Internal,
        Self::Unauthorized,
        Self::Malformed,
        Self::BrokenOff,
        Self::TooLarge,
        Self::TooSlow,
        Self::MethodNotAllowed,
        Self::UnsupportedCoding,
    ];

    /// The kind's name: `not_found`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => RegistryErrorKind::NotFound.as_str(),
            Self::Invalid => RegistryErrorKind::Invalid.as_str(),
            Self::Conflict => RegistryErrorKind::Conflict.as_str(),
            Self::Stale => RegistryErrorKind::Stale.as_str(),
            Self::Forbidden => RegistryErrorKind::Forbidden.as_str(),
            Self::Unavailable => RegistryErrorKind::Unavailable.as_str(),
            Self::Internal => RegistryErrorKind::Internal.as_str(),
            Self::Unauthorized => "unauthorized",
            Self::Malformed => "malformed",
            Self::BrokenOff => "broken_off",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedCoding => "unsupported_coding",
        }
    }

    /// The one place where kinds become statuses.
    pub(crate) fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "There is no such thing"),
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "It cannot be done"),
            Self::Conflict => (StatusCode::CONFLICT, "Others changed the function at the same time"),
            Self::Stale => (StatusCode::PRECONDITION_FAILED, "The function was changed meanwhile"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "The token does not allow it"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Something that the server needs is out of reach"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "The server failed"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "A valid token is needed"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "The request is malformed"),
            Self::BrokenOff => (StatusCode::BAD_REQUEST, "The request is not complete"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The request came too slowly"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here"),
            Self::UnsupportedCoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The content coding is not supported"),
        }
    }
}

impl From<RegistryErrorKind> for Kind {
    fn from(kind: RegistryErrorKind) -> Self {
        match kind {
            RegistryErrorKind::NotFound => Self::NotFound,
            RegistryErrorKind::Invalid => Self::Invalid,
            RegistryErrorKind::Conflict => Self::Conflict,
            RegistryErrorKind::Stale => Self::Stale,
            RegistryErrorKind::Forbidden => Self::Forbidden,
            RegistryErrorKind::Unavailable => Self::Unavailable,
            RegistryErrorKind::Internal => Self::Internal,
        }
    }
}

impl Problem {
    /// A failure with a plain sentence for the caller.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, title) = kind.status();
        let uri = format!("urn:nebula:error:{}", kind.as_str());
        Self { uri, title, status: status.as_u16(), detail: detail.into(), kind, challenge: None }
    }

    /// The caller is not known. `challenge` says how it becomes known.
    pub(crate) fn unauthorized(challenge: &'static str, detail: impl Into<String>) -> Self {
        Self { challenge: Some(challenge), ..Self::new(Kind::Unauthorized, detail) }
    }

    /// What kind of failure it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence for the caller.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

/// The cause is for the operator, and goes to the log.
impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        if matches!(error.kind(), RegistryErrorKind::Unavailable | RegistryErrorKind::Internal) {
            tracing::warn!(error = &error as &dyn std::error::Error, "a request of the admin API failed");
        }
        Self::new(error.kind().into(), error.detail())
    }
}

/// The cause is for the operator, and goes to the log.
impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let kind = match error.kind() {
            ServiceErrorKind::Denied => Kind::Forbidden,
            ServiceErrorKind::Unavailable => Kind::Unavailable,
            // A value that the service cannot keep, or that is over a limit of it.
            _ => Kind::Invalid,
        };
        if kind == Kind::Unavailable {
            tracing::warn!(error = &error as &dyn std::error::Error, "a service failed");
        }
        Self::new(kind, error.to_string())
    }
}

impl From<NotThere> for Problem {
    fn from(error: NotThere) -> Self {
        Self::new(Kind::NotFound, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A value of strings and numbers always serializes.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.kind.status().0, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_it_is_named() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
