//! The settings of a server.

use std::time::Duration;

/// The settings of a server for its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// How long a request's head may take from its first byte, and a connection until its first byte: 10 s.
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request: 60 s.
    pub idle_timeout: Duration,
    /// How long a client may read nothing while there are bytes for it: 30 s.
    pub write_stall: Duration,
    /// How long running requests may take to finish when the server stops: 30 s.
    pub grace: Duration,
    /// Whether texts are compressed with gzip for clients that accept it: they are.
    pub compress: bool,
    /// How many connections are open at once. More connections wait until they are accepted. By default, the process
    /// has connections for all its file descriptors except a reserve.
    pub max_connections: Option<usize>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_stall: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            compress: true,
            max_connections: None,
        }
    }
}
