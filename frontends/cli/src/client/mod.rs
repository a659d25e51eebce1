//! The clients of a server: of its admin API (`nebula serve --admin`), and of its metrics.

mod answer;
mod call;
mod connection;
mod error;
mod metrics_address;
mod metrics_client;
mod opened;
mod progress;
mod streamed;
mod upload;
mod url;

pub(crate) use self::{
    call::Call,
    connection::Client,
    error::ServerError,
    metrics_address::MetricsAddress,
    metrics_client::{MetricsClient, MetricsError},
    opened::Lines,
    progress::Progress,
    upload::Upload,
    url::ServerUrl,
};
