//! `nebula.toml` as it is written.

mod function;
mod limits;
mod node;
mod route;

use std::collections::BTreeMap;

use nebula_runtime::{FunctionName, ServicesConfig};
use serde::Deserialize;

pub(super) use self::{
    function::{Dir, Function},
    limits::Limits,
    node::{Admin, Sandbox, Server, Tls, Trust, Watch},
    route::Route,
};
#[cfg(test)]
use self::{node::WrittenService, route::WrittenRoute};

/// What `nebula serve` and `nebula publish` read.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    /// The functions to publish, by their names.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, Function>"))]
    pub(super) functions: BTreeMap<FunctionName, Function>,
    /// Paths and hosts that belong to one function.
    #[cfg_attr(test, schemars(with = "Vec<WrittenRoute>"))]
    pub(super) routes: Vec<Route>,
    /// The limits of each function that does not set its own.
    pub(super) limits: Limits,
    /// The highest limits that a function can have.
    pub(super) ceilings: Limits,
    /// Settings of the server.
    pub(super) server: Server,
    /// The admin API of `nebula serve --admin`.
    pub(super) admin: Admin,
    /// The services of this node, by the names that functions use.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenService>"))]
    pub(super) services: ServicesConfig,
    /// Which versions may run.
    pub(super) trust: Trust,
    /// What the sandbox of `nebula serve` is open for, besides what this file names.
    pub(super) sandbox: Sandbox,
    /// How `nebula serve --watch` watches files.
    pub(super) watch: Watch,
}
