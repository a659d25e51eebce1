//! Routes to functions, besides `/api/{function}`.

use std::{
    cmp::Reverse,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use http::{HeaderMap, Uri, header::HOST};
use nebula_runtime::FunctionRef;

use crate::paths::{Segments, behind_first};

/// The first segments of the paths that belong to the server itself, on all hosts without a route.
const RESERVED: [&str; 5] = ["api", "healthz", "readyz", "metrics", "openapi.json"];

/// A route to a function: a path, a host, or a path on a host.
///
/// - The path begins with a slash and does not end with one, except for `/` itself. Everything below the path belongs
///   to the function too.
/// - Paths are compared decoded: `/café`, `/caf%C3%A9` and `/caf%c3%a9` are the same.
/// - The host is a name without a port, or an address.
/// - Without a host, the path cannot be one of the server itself. With a host, it can be any path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    host: Option<Box<str>>,
    path: Box<str>,
    segments: Segments,
    function: FunctionRef,
}

/// A request that matches a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteMatch {
    pub(crate) function: FunctionRef,
    /// How many bytes of the request's path belong to the route.
    pub(crate) mount: usize,
}

/// A route that is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// The path is invalid, or no request can have it.
    #[error(
        "invalid path {0:?}: expected one that begins with / and ends without, such as \"/shop\", or \"/\" for all"
    )]
    Path(String),
    /// The host is not a name or an address without a port.
    #[error("invalid host {0:?}: expected a name without a port, such as \"shop.example.com\"")]
    Host(String),
    /// The path belongs to the server itself.
    #[error("the path {0:?} is the server's own; choose another, or give the function a host of its own")]
    Reserved(String),
}

impl Route {
    /// A route for the requests at and below `path`, on any host or on one.
    ///
    /// # Errors
    /// If the route is not possible.
    pub fn new(host: Option<&str>, path: &str, function: FunctionRef) -> Result<Self, InvalidRoute> {
        let host = host.map(|host| {
            let is_host =
                !host.is_empty() && host.parse::<http::uri::Authority>().is_ok_and(|parsed| parsed.host() == host);
            if is_host { Ok(host.to_ascii_lowercase().into()) } else { Err(InvalidRoute::Host(host.to_owned())) }
        });
        let is_path = path == "/" || (path.starts_with('/') && !path.ends_with('/'));
        if !is_path || path.contains("//") || path.parse::<Uri>().map_or(true, |uri| uri.path() != path) {
            return Err(InvalidRoute::Path(path.to_owned()));
        }
        let segments = Segments::of(path);
        if host.is_none() && RESERVED.iter().any(|reserved| segments.first() == Some(reserved.as_bytes())) {
            return Err(InvalidRoute::Reserved(path.to_owned()));
        }
        Ok(Self { host: host.transpose()?, path: path.into(), segments, function })
    }

    /// The match of a request to `path` on `host`, if this route matches.
    fn find(&self, host: Option<&str>, path: &str) -> Option<RouteMatch> {
        let is_own = self.host.is_some() || !RESERVED.iter().any(|reserved| behind_first(path, reserved).is_some());
        let is_here = self.host.as_deref().is_none_or(|own| host.is_some_and(|host| host.eq_ignore_ascii_case(own)));
        let mount = self.segments.length_in(path).filter(|_| is_own && is_here)?;
        Some(RouteMatch { function: self.function.clone(), mount })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} -> {}", self.host.as_deref().unwrap_or_default(), self.path, self.function)
    }
}

/// The routes of a server. Clones share the routes, which can be replaced while the server runs.
#[derive(Debug, Clone, Default)]
pub struct Routes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether there are routes. Most servers have none, and their requests take no lock.
    some: AtomicBool,
    routes: RwLock<Vec<Route>>,
}

impl Routes {
    /// Replaces the routes. If several match a request, one with a host comes first, then the one with the longest
    /// path.
    pub fn replace(&self, mut routes: Vec<Route>) {
        routes.sort_by_key(|route| (route.host.is_none(), Reverse(route.segments.count())));
        let mut known = self.0.routes.write().unwrap_or_else(PoisonError::into_inner);
        self.0.some.store(!routes.is_empty(), Relaxed);
        *known = routes;
    }

    /// The route that a request matches, if there is one.
    pub(crate) fn find(&self, uri: &Uri, headers: &HeaderMap) -> Option<RouteMatch> {
        if !self.0.some.load(Relaxed) {
            return None;
        }
        let host = uri.host().or_else(|| without_port(headers.get(HOST)?.to_str().ok()?));
        // A name with a dot at its end is the same host.
        let host = host.map(|host| host.strip_suffix('.').unwrap_or(host));
        let routes = self.0.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.iter().find_map(|route| route.find(host, uri.path()))
    }
}

/// The name or the address in a `Host` header. An IPv6 address is in brackets, and has colons itself.
fn without_port(host: &str) -> Option<&str> {
    match host.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Some(host),
        _ => Some(host),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn route(host: Option<&str>, path: &str, function: &str) -> Result<Route, InvalidRoute> {
        Route::new(host, path, function.parse().unwrap())
    }

    #[test]
    fn the_host_comes_first_and_then_the_longest_path() {
        let routes = Routes::default();
        routes.replace(vec![
            route(None, "/", "root").unwrap(),
            route(None, "/shop", "shop").unwrap(),
            route(None, "/shop/admin", "admin").unwrap(),
            route(Some("Blog.example.com"), "/", "blog").unwrap(),
            route(Some("[::1]"), "/v6", "six").unwrap(),
            route(None, "/café", "coffee").unwrap(),
            route(None, "/shop/%61dmin/a", "deep").unwrap(),
        ]);
        let cases = [
            ("any", "/", Some("root")),
            ("any", "/elsewhere", Some("root")),
            ("any", "/shop", Some("shop")),
            ("any", "/shop/", Some("shop")),
            ("any", "/shopping", Some("root")),
            ("any", "/shop/admin/users", Some("admin")),
            ("any", "/healthz", None),
            ("any", "/api/treats/10", None),
            ("any", "/apis", Some("root")),
            ("blog.example.com", "/shop", Some("blog")),
            ("BLOG.example.com:8080", "/healthz", Some("blog")),
            ("[::1]:8080", "/v6/a", Some("six")),
            ("[::1]", "/v6", Some("six")),
            ("blog.example.com.", "/shop", Some("blog")),
            ("any", "/caf%c3%a9", Some("coffee")),
            ("any", "/%73hop", Some("shop")),
            ("any", "/shop/admin/%61/b", Some("deep")),
            ("any", "/%61pi/treats/10", None),
            ("any", "/%68ealthz", None),
        ];
        for (host, path, expected) in cases {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
            let found = routes.find(&path.parse().unwrap(), &headers);
            let found = found.map(|place| place.function.to_string());
            assert_eq!(found.as_deref(), expected, "{host} {path}");
        }
    }

    #[test]
    fn routes_that_are_not_possible_are_refused() {
        for path in ["", "shop", "/shop/", "//", "/a//b", "/a b", "/a?b"] {
            assert_eq!(route(None, path, "f"), Err(InvalidRoute::Path(path.to_owned())));
        }
        for path in ["/api", "/api/treats", "/healthz", "/metrics/x", "/%61pi"] {
            assert_eq!(route(None, path, "f"), Err(InvalidRoute::Reserved(path.to_owned())));
            assert!(route(Some("own.test"), path, "f").is_ok());
        }
        for host in ["", "a b", "a.test:80", "http://a.test"] {
            assert_eq!(route(Some(host), "/", "f"), Err(InvalidRoute::Host(host.to_owned())));
        }
    }
}
