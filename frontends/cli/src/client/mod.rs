//! The client of the admin API of a server (`nebula serve --admin`).

mod answer;
mod call;
mod connection;
mod error;
mod opened;
mod progress;
mod streamed;
mod upload;
mod url;

pub(crate) use self::{
    call::Call, connection::Client, error::ServerError, opened::Lines, progress::Progress, upload::Upload,
    url::ServerUrl,
};
