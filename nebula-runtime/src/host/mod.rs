//! The services that the host gives to guests. Each service has three steps: it is linked, it is set up for a function,
//! and it is given to an instance.
//!
//! | service | linked | set up | given |
//! |---|---|---|---|
//! | environment, files | with WASI, by `modules` and `system` | `set_up` | `give` |
//! | standard streams | with WASI | nothing to set up | by the guest's kind |
//! | outgoing HTTP | `outgoing::link` | `Outgoing::set_up` | `Outgoing::give` |

mod environment;
mod files;
mod modules;
mod outgoing;
pub(crate) mod process;
mod services;
mod stdio;
mod system;

pub use self::stdio::GuestStderr;
pub(crate) use self::{
    modules::module_linker,
    services::Services,
    stdio::{Stderr, Stdin, Stdout, WINDOW, give_output},
    system::{ComponentPre, System, component_linker},
};
