//! The list of functions at `/`, for people and for programs.

mod grants;
mod page;

use std::{collections::BTreeMap, sync::LazyLock};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue,
    header::{LINK, VARY},
};
use nebula_runtime::{
    AliasName, AliasTarget, Digest, Export, FunctionInfo, FunctionName, Kind, ListedFunction, UnreadableFunction,
};
use serde::Serialize;

use self::grants::Grants;
use crate::{console::Document, metrics::VersionCalls, selection::Page};

/// A page of functions, as JSON.
pub(crate) fn json(page: &Page) -> Response {
    #[derive(Serialize)]
    struct List<'a> {
        functions: Vec<Shown<'a>>,
    }
    let functions = page.functions.iter().map(|listed| Shown::of(listed, page)).collect();
    linked(page, ([(VARY, "accept")], Json(List { functions })))
}

/// Adds a link to the next page (RFC 8288). The link is relative, because the server may be behind a proxy and below a
/// path.
fn linked(page: &Page, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    let link = page.next.as_ref().and_then(|next| HeaderValue::try_from(format!("<{next}>; rel=\"next\"")).ok());
    response.headers_mut().extend(link.map(|link| (LINK, link)));
    response
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Function(Box<Public<'a>>),
    Unreadable(&'a UnreadableFunction),
}

impl<'a> Shown<'a> {
    fn of(listed: &'a ListedFunction, page: &'a Page) -> Self {
        match listed {
            Ok(info) => Self::Function(Box::new(Public::of(info, page.calls_of(info)))),
            Err(unreadable) => Self::Unreadable(unreadable),
        }
    }
}

/// The public facts about a function. Of its configuration only the names of its grants and their limits are public: the
/// environment may have secrets, and folders belong to the host.
#[derive(Serialize)]
struct Public<'a> {
    name: &'a FunctionName,
    version: u64,
    aliases: &'a [AliasName],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    targets: &'a BTreeMap<AliasName, AliasTarget>,
    digest: Digest,
    size: u64,
    kind: Kind,
    exports: &'a [Export],
    #[serde(skip_serializing_if = "Grants::is_empty")]
    grants: Grants<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    calls: &'a [VersionCalls],
}

impl<'a> Public<'a> {
    fn of(info: &'a FunctionInfo, calls: &'a [VersionCalls]) -> Self {
        let FunctionInfo { name, version, aliases, targets, digest, size, kind, exports, config, .. } = info;
        let (version, digest, size, kind, grants) = (*version, *digest, *size, *kind, Grants::of(config));
        Self { name, version, aliases, targets, digest, size, kind, exports, grants, calls }
    }
}

/// A page of functions, as HTML.
pub(crate) fn html(page: &Page) -> Response {
    let html = page::Html(page);
    let response = DOCUMENT.response(format_args!("Nebula: {}", html.count()), &html);
    linked(page, ([(VARY, "accept")], response))
}

/// The page's own style and scripts. Each script is a part of one script, so that the parts know each other.
static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let scripts = [
        include_str!("script/json.js"),
        include_str!("script/answer.js"),
        include_str!("script/simple_fields.js"),
        include_str!("script/compound_fields.js"),
        include_str!("script/form.js"),
        include_str!("script/counts.js"),
        include_str!("script/live.js"),
        include_str!("script/start.js"),
    ];
    Document::new(&[include_str!("page.css")], &scripts)
});

/// Whether these `Accept` headers name JSON.
pub(crate) fn names_json<'a>(accept: impl IntoIterator<Item = &'a HeaderValue>) -> bool {
    weights(accept).1 > 0.0
}

/// Whether these `Accept` headers name HTML, and do not prefer JSON (RFC 9110, section 12.5.1). Browsers send such
/// headers. Most programs send only `*/*`.
pub(crate) fn prefers_html<'a>(accept: impl IntoIterator<Item = &'a HeaderValue>) -> bool {
    let (html, json) = weights(accept);
    html > 0.0 && html >= json
}

/// How much HTML and JSON are preferred.
fn weights<'a>(accept: impl IntoIterator<Item = &'a HeaderValue>) -> (f32, f32) {
    let (mut html, mut json) = (0.0, 0.0);
    for range in accept.into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
        let (media_type, parameters) = range.split_once(';').unwrap_or((range, ""));
        match media_type.trim() {
            "text/html" => html = weight(parameters),
            "application/json" => json = weight(parameters),
            _ => {}
        }
    }
    (html, json)
}

fn weight(parameters: &str) -> f32 {
    let weight = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
    weight.map_or(1.0, |weight| weight.parse().unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A function, as a catalog could list it.
    pub(crate) fn function(name: &str, kind: &str, exports: &Value) -> FunctionInfo {
        let (digest, config) = (Digest::of(b"module"), json!({"limits": {}}));
        let aliases = ["prod"];
        serde_json::from_value(json!({
            "name": name, "version": 3, "aliases": aliases, "digest": digest, "size": 2_048, "kind": kind,
            "exports": exports, "config": config,
        }))
        .unwrap()
    }

    #[test]
    fn a_browser_prefers_html_and_a_program_does_not() {
        let cases = [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.5", false),
            ("application/json;q=0.5, text/html; level=1; q=0.5", true),
            ("text/html;q=0", false),
            ("", false),
        ];
        for (accept, html) in cases {
            assert_eq!(prefers_html([&HeaderValue::from_static(accept)]), html, "{accept}");
        }
    }
}
