//! The frontend from outside: its routers through `oneshot`, its server through sockets.

#![expect(clippy::unwrap_used, reason = "a test that fails by panicking is a test that works")]

#[cfg(feature = "http2")]
mod http2;
mod router;
mod server;
mod site;
mod support;
