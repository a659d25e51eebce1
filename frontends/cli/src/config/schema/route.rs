//! The paths and hosts of functions, as they are written.

use nebula_runtime::InvalidFunctionRef;
use serde::Deserialize;

/// One of `[[routes]]`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenRoute")]
pub(in crate::config) struct Route(pub(in crate::config) nebula_http::Route);

/// A path, a host, or a path on a host that belongs to one function.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenRoute {
    /// The path. All paths below it belong to the function too.
    path: String,
    /// The host. Without it, the route is for every host.
    host: Option<String>,
    /// The function, such as `shop`, `shop@prod` or `calc:add@3`.
    function: String,
}

impl TryFrom<WrittenRoute> for Route {
    type Error = String;

    fn try_from(WrittenRoute { path, host, function }: WrittenRoute) -> Result<Self, String> {
        let function = function.parse().map_err(|error: InvalidFunctionRef| error.to_string())?;
        nebula_http::Route::new(host.as_deref(), &path, function).map(Self).map_err(|error| error.to_string())
    }
}
