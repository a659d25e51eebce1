//! One table of cases, run through every frontend.
//!
//! `cases/` has one file for each guest. It configures the guest's functions as `nebula.toml` does, and lists calls
//! with their expected results. A [`Frontend`] is one way to make a call: a request to `nebula serve`, a `nebula run`,
//! an event of AWS Lambda, a request to a container, or the runtime embedded in a program. A frontend runs a [`Case`] and returns an
//! [`Observation`]. It also returns the observation that the case expects, and the test compares the two. So each case
//! is written once and has the same meaning everywhere, and a new frontend is one more variant.
//!
//! `tests/table.rs` makes one test for each case and frontend, such as `http::treats::returns_its_argument`. The other
//! files in `tests/` test what takes more than one call: publishing, restarting, watching. For AWS Lambda,
//! [`RuntimeApi`] replaces Lambda's own Runtime API, and `events/` has an event of each trigger.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod case;
mod collector;
mod content;
mod drivers;
mod frontend;
mod guest;
mod lambda;
mod log;
mod moving_alias;
mod nebula;
mod observed;
mod package;
mod payload;
mod platform;
mod process;
mod project;
mod publish;
mod publishers;
mod registry;
mod runtime_api;
mod server;
mod services;
mod waiting;
mod watched_server;

pub use browser::Browser;
pub use case::{Case, Expect, Request};
pub use collector::Collector;
pub use content::{Content, Picture};
pub use drivers::Fixture;
pub use frontend::Frontend;
pub use guest::{Function, Guest, Rejection};
pub use lambda::{Lambda, bootstrap};
pub use moving_alias::{MovingAlias, VersionAnswer};
pub use nebula::{Nebula, ProcessOutput};
pub use observed::{Observation, ReportSummary};
pub use package::Package;
pub use payload::Payload;
pub use platform::{AzurePackage, ImageLayout, ImagePackage, make_package, no_containers, stripped_nebula, unzip};
pub use process::{Process, listening_address};
pub use project::Project;
pub use publishers::{Publishers, Publishes};
pub use registry::Registry;
pub use runtime_api::{Event, LambdaResponse, Reply, RuntimeApi};
pub use server::{HttpResponse, Server};
pub use waiting::eventually;
pub use watched_server::{SaveMethod, WatchedFile, WatchedServer};

/// How long a test waits for anything before it fails. Nothing normally takes nearly as long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
