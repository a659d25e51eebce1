//! Functions at places of their own, besides `/api/{function}`.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use http::{HeaderMap, Uri, header::HOST};
use nebula_runtime::FunctionRef;

/// The paths that are the server's own wherever no host is named.
const RESERVED: [&str; 5] = ["/api", "/healthz", "/readyz", "/metrics", "/openapi.json"];

/// A place that is a function's own: a path, a host, or a path on a host.
///
/// - The path begins with a slash and ends with none, but for `/` itself; everything below it is the function's too.
/// - The host is a name without a port, or an address.
/// - Without a host, the path is none of the server's own. With one, the whole of that host can be a function's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    host: Option<Box<str>>,
    path: Box<str>,
    function: FunctionRef,
}

/// A place that no function can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// Not a path, or one that no request has.
    #[error(
        "invalid path {0:?}: expected one that begins with / and ends without, such as \"/shop\", or \"/\" for all"
    )]
    Path(String),
    /// Not a host's name.
    #[error("invalid host {0:?}: expected a name without a port, such as \"shop.example.com\"")]
    Host(String),
    /// The path is the server's own.
    #[error("the path {0:?} is the server's own; choose another, or give the function a host of its own")]
    Reserved(String),
}

impl Route {
    /// Gives `function` the requests at and below `path`, of any host or of one.
    ///
    /// # Errors
    /// Where this is no place that a function can have.
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
        if host.is_none() && RESERVED.iter().any(|reserved| below(path, reserved)) {
            return Err(InvalidRoute::Reserved(path.to_owned()));
        }
        Ok(Self { host: host.transpose()?, path: path.into(), function })
    }

    /// The function that is there.
    pub fn function(&self) -> &FunctionRef {
        &self.function
    }

    /// What is taken off a request's path.
    pub(crate) fn prefix(&self) -> &str {
        if &*self.path == "/" { "" } else { &self.path }
    }

    fn serves(&self, host: Option<&str>, path: &str) -> bool {
        let own = self.host.is_some() || !RESERVED.iter().any(|reserved| below(path, reserved));
        let here = self.host.as_deref().is_none_or(|own| host.is_some_and(|host| host.eq_ignore_ascii_case(own)));
        own && here && below(path, self.prefix())
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} -> {}", self.host.as_deref().unwrap_or_default(), self.path, self.function)
    }
}

/// Whether `path` is `prefix` or below it.
fn below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The places of a server's functions. Clones are the same places, which can be changed while it serves.
#[derive(Debug, Clone, Default)]
pub struct Routes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Most servers have no routes: their requests take no lock.
    some: AtomicBool,
    routes: RwLock<Vec<Route>>,
}

impl Routes {
    /// Serves these from now on. Of several that fit a request, one that names its host comes first, then the one with the
    /// longest path.
    pub fn replace(&self, mut routes: Vec<Route>) {
        routes.sort_by_key(|route| (route.host.is_none(), std::cmp::Reverse(route.path.len())));
        let mut known = self.0.routes.write().unwrap_or_else(PoisonError::into_inner);
        self.0.some.store(!routes.is_empty(), Relaxed);
        *known = routes;
    }

    /// The place that a request is sent to, if it is a function's own.
    pub(crate) fn find(&self, uri: &Uri, headers: &HeaderMap) -> Option<Route> {
        if !self.0.some.load(Relaxed) {
            return None;
        }
        let host = uri.host().or_else(|| without_port(headers.get(HOST)?.to_str().ok()?));
        let routes = self.0.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.iter().find(|route| route.serves(host, uri.path())).cloned()
    }
}

/// A `Host` field's name or address: one of IPv6 stands in brackets, with colons of its own.
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
        ];
        for (host, path, expected) in cases {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_str(host).unwrap())]);
            let found = routes.find(&path.parse().unwrap(), &headers);
            let found = found.map(|route| route.function().to_string());
            assert_eq!(found.as_deref(), expected, "{host} {path}");
        }
    }

    #[test]
    fn refuses_places_that_no_function_can_have() {
        for path in ["", "shop", "/shop/", "//", "/a//b", "/a b", "/a?b"] {
            assert_eq!(route(None, path, "f"), Err(InvalidRoute::Path(path.to_owned())));
        }
        for path in ["/api", "/api/treats", "/healthz", "/metrics/x"] {
            assert_eq!(route(None, path, "f"), Err(InvalidRoute::Reserved(path.to_owned())));
            assert!(route(Some("own.test"), path, "f").is_ok());
        }
        for host in ["", "a b", "a.test:80", "http://a.test"] {
            assert_eq!(route(Some(host), "/", "f"), Err(InvalidRoute::Host(host.to_owned())));
        }
    }
}
