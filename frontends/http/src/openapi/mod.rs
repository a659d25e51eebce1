//! Describes functions in OpenAPI 3.1. The descriptions come from the catalog, so that no function is loaded.

mod call;
mod function;
mod numeric;
mod octets;
mod problems;
mod typed;

use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, Method,
    header::{ACCEPT, CONTENT_TYPE, VARY},
};
use nebula_runtime::{FunctionInfo, ListedFunction};
use serde_json::{Map, Value, json};

/// The media type of a description. It is registered, as is `application/openapi+yaml`.
const MEDIA_TYPE: &str = "application/openapi+json";

/// Whether a request asks for the description of a function instead of calling it.
pub(crate) fn is_wanted(method: &Method, headers: &HeaderMap) -> bool {
    let asks = |value: &http::HeaderValue| value.as_bytes().starts_with(MEDIA_TYPE.as_bytes());
    method == Method::GET && headers.get(ACCEPT).is_some_and(asks)
}

/// The description of the functions of a server. Functions that cannot be read are only named.
pub(crate) fn of_server(listed: &[ListedFunction]) -> Response {
    let functions: Vec<_> = listed.iter().flatten().collect();
    let mut document = document("Nebula", env!("CARGO_PKG_VERSION"), &functions);
    let unreadable: Vec<_> = listed.iter().filter_map(|listed| Some(listed.as_ref().err()?.name.as_str())).collect();
    if !unreadable.is_empty()
        && let Some(info) = document.get_mut("info").and_then(Value::as_object_mut)
    {
        let description = format!("Functions that cannot be read are left out: {}.", unreadable.join(", "));
        info.insert("description".to_owned(), description.into());
    }
    answer(&document)
}

/// The description of one function.
pub(crate) fn of_function(function: &FunctionInfo) -> Response {
    answer(&document(function.name.as_str(), &function.version.to_string(), &[function]))
}

fn answer(document: &Value) -> Response {
    let headers = [(CONTENT_TYPE, MEDIA_TYPE), (VARY, "accept")];
    (headers, document.to_string()).into_response()
}

/// A document. Its keys are sorted, so that it is always the same for the same functions.
fn document(title: &str, version: &str, functions: &[&FunctionInfo]) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    schemas.insert("Problem".to_owned(), problems::schema());
    for function in functions {
        function::describe(function, &mut paths, &mut schemas);
    }
    let tags: Vec<_> = functions.iter().map(|function| json!({"name": function.name})).collect();
    json!({
        "openapi": "3.1.1",
        "info": {"title": title, "version": version},
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas, "responses": problems::responses()},
    })
}

#[cfg(test)]
mod tests;
