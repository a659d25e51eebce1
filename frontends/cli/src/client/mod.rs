//! The client of the admin API of a server (`nebula serve --admin`).

mod answer;
mod call;
mod connection;
mod error;
mod progress;
mod upload;
mod url;

pub(crate) use self::{
    call::Call, connection::Client, error::ServerError, progress::Progress, upload::Upload, url::ServerUrl,
};
