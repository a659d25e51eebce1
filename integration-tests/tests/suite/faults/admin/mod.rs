//! The admin API of a real server: who may do what, and what becomes of bad requests.

mod changes;
mod commands;
mod console;
mod rights;
mod server;
mod services;
mod tls;
mod uploads;

use self::server::{Admin, scale};
