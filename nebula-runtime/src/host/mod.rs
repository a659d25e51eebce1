//! The services that the host gives to guests. Each service has three steps: it is linked, it is set up for a function,
//! and it is given to an instance.
//!
//! | service | linked | set up | given |
//! |---|---|---|---|
//! | environment, files | with WASI, by `modules` and `system` | `set_up` | `give` |
//! | standard streams | with WASI | nothing to set up | by the guest's kind |
//! | outgoing HTTP | `outgoing::link` | `Outgoing::set_up` | `Outgoing::give` |
//! | connections and datagrams | with WASI, and `interfaces::sockets` | `Network::set_up` | `give` |
//! | settings | `interfaces::config` | `Settings::set_up` | shared |
//! | key-value stores | `interfaces::keyvalue` | `granted::stores` | shared |
//! | containers of blobs | `interfaces::blobstore` | `granted::containers` | shared |
//! | lines for the log | `interfaces::logging` | nothing to set up | with the invocation |
//! | spans of guests | `interfaces::otel` | nothing to set up | with the invocation |
//!
//! What a function is granted is in [`Granted`]; what a node has, in [`Services`].

mod backends;
pub mod blobs;
mod configured;
mod failure;
mod file_text;
mod granted;
mod interfaces;
pub mod keyvalue;
mod modules;
mod node;
mod not_there;
mod outgoing;
mod place;
pub(crate) mod process;
mod reach;
mod services;
mod socket_places;
mod stdio;
mod system;

pub use self::{
    configured::{InvalidService, ServiceConfig, ServicesConfig},
    failure::{ServiceError, ServiceErrorKind},
    node::Node,
    not_there::NotThere,
    place::ServicePlace,
    reach::Reach,
    services::Services,
    stdio::GuestStderr,
};
pub(crate) use self::{
    granted::Granted,
    interfaces::component_linker,
    modules::module_linker,
    stdio::{Stderr, Stdin, Stdout, WINDOW, give_output},
    system::{ComponentPre, System},
};
#[cfg(feature = "compiler")]
pub(crate) use self::{interfaces::Ungranted, stdio::KeptOutput};
