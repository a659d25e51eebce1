//! One table of cases, run through every frontend.
//!
//! `cases/` has a file for each guest: its functions, configured as in `nebula.toml`, and what calls of them give. A
//! [`Frontend`] is one way in: a request to `nebula serve`, a `nebula run`, an event of AWS Lambda, the runtime
//! embedded in a program. It makes a call out of a [`Case`] and says what it saw as an [`Observed`]; the same type says
//! what the case expects to be seen there, and the two have to be equal. So a case is written once and means the same
//! everywhere, and a further frontend is one more variant.
//!
//! `tests/table.rs` makes a test of each case and frontend, named like `http::treats::answers_its_argument`. The other
//! files in `tests/` hold what is no single call: publishing, starting again, watching. For AWS Lambda there is a
//! [`RuntimeApi`] that an environment talks to, and `events/` with an event of each trigger.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod case;
mod content;
mod drivers;
mod frontend;
mod guest;
mod lambda;
mod log;
mod nebula;
mod observed;
mod package;
mod payload;
mod process;
mod project;
mod publish;
mod runtime_api;
mod saving;
mod server;

pub use case::{Case, Expect, Request};
pub use content::{Content, Picture};
pub use drivers::Fixture;
pub use frontend::Frontend;
pub use guest::{Function, Guest, Refused};
pub use lambda::{Lambda, bootstrap};
pub use nebula::{Nebula, Ran};
pub use observed::{Observed, Reported};
pub use package::Package;
pub use payload::Payload;
pub use process::{Process, announced};
pub use project::Project;
pub use runtime_api::{Event, Invoked, Reply, RuntimeApi};
pub use saving::{Kind, Saving, Way};
pub use server::{Answered, Server};

/// How long anything here may take before the test fails: much longer than it ever does.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
