//! How a server treats its connections.

use std::time::Duration;

/// How a server treats its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// From a request's first byte to the end of its headers, and from a connection's start to its first byte: 10 s.
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request: 60 s.
    pub idle_timeout: Duration,
    /// How long a client that has bytes to read may read none of them: 30 s.
    pub write_stall: Duration,
    /// How long requests that go on when the server stops may take to finish: 30 s.
    pub grace: Duration,
    /// How many connections are open at once; more of them wait to be accepted. If `None`, as many as the process has
    /// descriptors for, less a reserve for everything else that needs one.
    pub max_connections: Option<usize>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_stall: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            max_connections: None,
        }
    }
}
