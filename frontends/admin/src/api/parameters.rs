//! What the path and the query of a request say.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use nebula_runtime::{AliasName, FunctionName, FunctionRef, VersionRef};
use serde::de::DeserializeOwned;

use crate::problem::{Kind, Problem};

/// What the path of a request names.
pub(super) struct Named {
    /// The function.
    pub(super) function: FunctionName,
    version: Option<String>,
    alias: Option<String>,
}

impl Named {
    /// The version in the path, as a reference.
    pub(super) fn reference(self) -> Result<FunctionRef, Problem> {
        let version = self.version.unwrap_or_default();
        reference(&self.function, &version)
    }

    /// The version in the path, which has to be a number.
    pub(super) fn number(&self) -> Result<u64, Problem> {
        let version = self.version.as_deref().unwrap_or_default();
        version.parse().map_err(|_| malformed(format!("{version:?} is not the number of a version")))
    }

    /// The alias in the path.
    pub(super) fn alias(&self) -> Result<AliasName, Problem> {
        alias(self.alias.as_deref().unwrap_or_default())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Path(mut named) = path.map_err(|rejection| malformed(rejection.body_text()))?;
        let function = named.remove("function").unwrap_or_default();
        let function = function.parse().map_err(|invalid| malformed(format!("{invalid}")))?;
        Ok(Self { function, version: named.remove("version"), alias: named.remove("alias") })
    }
}

/// The query of a request. A parameter that is not known is an error.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(asked)| Self(asked)).map_err(|rejection| malformed(rejection.body_text()))
    }
}

/// A version of a function: a number, an alias, or `sha256:HEX`.
pub(super) fn reference(function: &FunctionName, version: &str) -> Result<FunctionRef, Problem> {
    let version: VersionRef = version.parse().map_err(|invalid| malformed(format!("{invalid}")))?;
    Ok(FunctionRef::from(function.clone()).with_version(version))
}

/// The name of an alias.
pub(super) fn alias(text: &str) -> Result<AliasName, Problem> {
    text.parse().map_err(|invalid| malformed(format!("{invalid}")))
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::Malformed, detail)
}
