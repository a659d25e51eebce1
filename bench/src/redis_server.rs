//! A Redis server on loopback.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

/// How long the server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on loopback. It ends when this is dropped.
pub(crate) struct RedisServer {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl RedisServer {
    /// Starts a server that keeps nothing.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        // It cannot choose a port by itself.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Self::start_at(address, folder, &["--save", ""])
    }

    /// Starts a server at this address, with more options.
    pub(crate) fn start_at(address: SocketAddr, folder: &Path, options: &[&str]) -> Result<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]).args(options);
        command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().context("redis-server cannot be started")?;
        let server = Self { process, address };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(began.elapsed() < PATIENCE, "redis-server does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
