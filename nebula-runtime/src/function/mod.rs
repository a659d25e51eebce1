//! What a function is: its name, the digest of its code, its limits, its configuration, and what a catalog shows of it.

mod alias;
mod catalog;
mod composition;
mod config;
mod config_value;
mod cors;
mod destination;
mod digest;
mod error;
mod grant;
mod held;
mod hosts;
mod kind;
mod limits;
mod rate;
mod reference;
pub mod schema;
mod service;
mod snapshot;
mod text;
mod timestamp;

pub use self::{
    alias::{AliasTarget, InvalidAliasTarget},
    catalog::{
        Catalog, Export, FunctionInfo, ListedFunction, TypedExport, TypedParam, UnreadableFunction, default_export,
    },
    composition::{Composition, LinkedImport},
    config::{AzureConfig, Batch, Caching, DirGrant, FunctionConfig, Reuse},
    config_value::ConfigValue,
    cors::{Cors, InvalidOrigin, OriginPattern},
    destination::{Destination, InvalidDestination, Protocol},
    digest::{Digest, InvalidDigest},
    error::{RegistryError, RegistryErrorKind},
    grant::Grant,
    held::HeldBack,
    hosts::{HostPattern, InvalidHost},
    kind::Kind,
    limits::{LimitSettings, Limits},
    rate::{InvalidRate, Rate},
    reference::{AliasName, FunctionName, FunctionRef, InvalidFunctionRef, VersionRef},
    service::{InvalidServiceName, ServiceGrant, ServiceName},
    snapshot::{Snapshot, SnapshotImage},
    text::{nearest, shortened, without_byte_order_mark},
    timestamp::{InvalidTimestamp, Timestamp},
};
pub(crate) use self::{
    catalog::{list_of, some_of},
    digest::Hex,
    hosts::is_public,
    text::{QUOTED, quoted},
};
