//! Sends what Nebula observes to an OpenTelemetry collector: traces, metrics and logs, over OTLP (protobuf over HTTP).
//!
//! ```
//! use nebula_otel::{Config, Telemetry};
//!
//! // In a real program, these are the variables of the environment.
//! let variable = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://127.0.0.1:4318".to_owned());
//! let (config, warnings) = Config::from_vars(variable, []);
//! assert!(warnings.is_empty());
//! let telemetry = config.map(Telemetry::new).transpose()?;
//! assert!(telemetry.is_some_and(|telemetry| telemetry.tracer().is_some()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Config`] reads the variables `OTEL_*`. Without an endpoint there is none, and nothing is sent.
//! - [`Telemetry::tracer`] takes the spans of a runtime, [`Telemetry::log_layer`] the lines of the log, and
//!   [`Telemetry::start`] sends them, and the metrics, in the background.
//! - Nothing waits for the collector: what it does not take is dropped and counted ([`Telemetry::counts`]).
//!
//! The crate does not use the SDK of OpenTelemetry, only its messages: an invocation's spans are made from its report
//! when it has ended, so that the SDK's tracers and contexts have no place here, and its exporter needs a client and a
//! runtime of its own.

mod attributes;
mod client;
mod config;
mod counts;
mod exporter;
mod log_layer;
mod logs;
mod metrics;
pub mod openmetrics;
mod queue;
mod resource;
mod sampler;
mod signal;
mod spans;
mod telemetry;
mod time;
mod tls;
mod variables;

pub use self::{
    config::{BatchConfig, Config, Endpoint},
    counts::{Counts, SignalCounts},
    log_layer::LogLayer,
    resource::Resource,
    sampler::Sampler,
    telemetry::Telemetry,
    tls::TlsError,
};
