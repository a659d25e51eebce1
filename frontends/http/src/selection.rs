//! The functions that a request asks for.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Query};
use http::{StatusCode, request::Parts};
use nebula_runtime::{FunctionInfo, FunctionName, ListedFunction};
use serde::Deserialize;

use crate::{metrics::VersionCalls, problem::Problem};

/// How many functions a page has by default.
const LIMIT: usize = 100;

/// How many functions a page has at most.
const MAX_LIMIT: usize = 1_000;

/// The functions that a request asks for: `?prefix=shop-&after=shop-cart&limit=50`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    prefix: String,
    after: Option<FunctionName>,
    limit: Option<usize>,
}

/// A page of the functions that a request asks for.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) functions: Vec<ListedFunction>,
    /// The calls of their versions since the server was started, for those that were called.
    pub(crate) calls: HashMap<FunctionName, Vec<VersionCalls>>,
    /// The number of functions on all pages.
    pub(crate) total: usize,
    /// The query of the next page's address, if there is a next page.
    pub(crate) next: Option<String>,
}

impl Page {
    /// The calls of a function's versions.
    pub(crate) fn calls_of(&self, function: &FunctionInfo) -> &[VersionCalls] {
        self.calls.get(&function.name).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A page of names, before the functions are read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) names: Vec<FunctionName>,
    pub(crate) total: usize,
    pub(crate) next: Option<String>,
}

impl Selection {
    /// The names that the request asks for, on all pages.
    pub(crate) fn all(&self, mut names: Vec<FunctionName>) -> Vec<FunctionName> {
        names.retain(|name| name.as_str().starts_with(&self.prefix));
        names
    }

    /// The page that the request asks for, out of all names in alphabetical order. The function after whose name the
    /// page begins may have been removed.
    pub(crate) fn page(&self, names: Vec<FunctionName>) -> Names {
        let mut names = self.all(names);
        let total = names.len();
        let start = self.after.as_ref().map_or(0, |after| names.partition_point(|name| name <= after));
        names.drain(..start);
        let more = names.len() > self.limit();
        names.truncate(self.limit());
        let next = names.last().filter(|_| more).map(|last| self.next(last));
        Names { names, total, next }
    }

    fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT)
    }

    /// The query of the page after `last`. A prefix of names needs no escaping.
    fn next(&self, last: &FunctionName) -> String {
        let limit = self.limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
        let prefix = if self.prefix.is_empty() { String::new() } else { format!("&prefix={}", self.prefix) };
        format!("?after={last}{limit}{prefix}")
    }
}

/// The parameters of the query.
#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
    limit: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Selection {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::<Parameters>::try_from_uri(&parts.uri);
        let Query(parameters) = query.map_err(|rejection| refuse(rejection.body_text()))?;
        Self::try_from(parameters).map_err(refuse)
    }
}

impl TryFrom<Parameters> for Selection {
    /// What is wrong with the parameters.
    type Error = String;

    fn try_from(Parameters { prefix, after, limit }: Parameters) -> Result<Self, String> {
        let after = after.map(|name| name.parse().map_err(|invalid| format!("after: {invalid}")));
        Ok(Self { prefix, after: after.transpose()?, limit: limit.as_deref().map(parse_limit).transpose()? })
    }
}

fn parse_limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| format!("limit: expected a number from 1 to {MAX_LIMIT}, got {text:?}"))
}

fn refuse(detail: String) -> Problem {
    Problem::of_status(StatusCode::BAD_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<FunctionName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn selection(prefix: &str, after: Option<&str>, limit: Option<usize>) -> Selection {
        Selection { prefix: prefix.to_owned(), after: after.map(|name| name.parse().unwrap()), limit }
    }

    #[test]
    fn a_page_has_some_of_the_names_and_the_query_of_the_next_page() {
        let published = ["a", "b", "shop-a", "shop-b", "shop-c", "z"];
        let cases: [(_, &[&str], _, _); 7] = [
            (selection("", None, None), &published, 6, None),
            (selection("", None, Some(6)), &published, 6, None),
            (selection("", None, Some(2)), &["a", "b"], 6, Some("?after=b&limit=2")),
            (selection("", Some("b"), Some(2)), &["shop-a", "shop-b"], 6, Some("?after=shop-b&limit=2")),
            (selection("", Some("y"), Some(2)), &["z"], 6, None),
            (selection("shop-", Some("shop-aa"), Some(1)), &["shop-b"], 3, Some("?after=shop-b&limit=1&prefix=shop-")),
            (selection("<>", None, None), &[], 0, None),
        ];
        for (selection, page, total, next) in cases {
            let expected = Names { names: names(page), total, next: next.map(str::to_owned) };
            assert_eq!(selection.page(names(&published)), expected, "{selection:?}");
        }
    }

    #[test]
    fn a_page_has_a_hundred_functions_by_default() {
        let published: Vec<FunctionName> = (100..300).map(|number| format!("f{number}").parse().unwrap()).collect();
        let Names { names, total, next } = Selection::default().page(published);
        assert_eq!((names.len(), total, next), (100, 200, Some("?after=f199".to_owned())));
    }
}
