//! A `nebula serve` whose stderr is a file.

use std::{
    fs::File,
    net::TcpListener,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::client::get;

/// How long the server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server process. Dropping it kills the process.
pub(super) struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// Starts `nebula serve` with these arguments, and waits until it responds.
    pub(super) fn start(command: &mut Command, stderr: File) -> Result<Self> {
        // No one reads what the server says about its address, so the address is chosen here.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let process = command.args(["--listen", &address]).stderr(stderr).spawn()?;
        let server = Self { process, address };
        let until = Instant::now() + PATIENCE;
        while get(&server.address, "/readyz").0.is_err() {
            ensure!(Instant::now() < until, "the server does not respond");
            sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// The server's address: `127.0.0.1:43210`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The id of the process.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends SIGTERM, and returns the exit code of the server.
    pub(super) fn stop(&mut self) -> Result<i32> {
        let signalled = Command::new("kill").args(["-s", "TERM", &self.process.id().to_string()]).status()?;
        ensure!(signalled.success(), "the server is gone");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return status.code().context("a signal ended the server");
            }
            ensure!(Instant::now() < until, "SIGTERM did not end the server");
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that the server has ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
