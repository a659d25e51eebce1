//! A log that cannot be written: stderr is a file on a full disk.

use std::{
    fs::OpenOptions,
    net::TcpListener,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::client::{Load, RequestCounts, get};
use crate::{invoke::TREATS, process::nebula_binary};

const CONNECTIONS: usize = 16;

/// How long the server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Loads a server with calls that succeed and calls that are refused. The server logs each of them.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("treats.wat"), TREATS)?;
    std::fs::write(folder.path().join("nebula.toml"), "[functions.treats]\nsource = \"treats.wat\"\n")?;
    let (mut server, address) = start(folder.path())?;
    let load = Load::begin(&address, &[("/api/treats/10", 200), ("/api/treats/ten", 400)], CONNECTIONS);
    sleep(Duration::from_secs(seconds));
    let RequestCounts { sent, failed, slowest, failure } = load.end()?;
    let (metrics, _) = get(&address, "/metrics");
    let metrics = metrics?.body;
    let lost = metrics.lines().find_map(|line| line.strip_prefix("nebula_log_lines_lost_total "));
    let lost: u64 = lost.context("/metrics has no nebula_log_lines_lost_total")?.parse()?;
    let began = Instant::now();
    let code = server.stop()?;
    println!("log: {seconds} s of load with stderr on a full disk");
    println!("  {sent} requests, {failed} failed, the slowest took {slowest:?}; {lost} lines of the log were lost");
    println!("  SIGTERM ended the server with {code} after {:?}", began.elapsed());
    ensure!(failed == 0, "a request failed: {}", failure.unwrap_or_default());
    ensure!(lost >= sent, "every request has a log line, but only {lost} of {sent} lines were lost");
    ensure!(code == 0, "SIGTERM ended the server with {code}");
    Ok(())
}

/// A server process. Dropping it kills the process.
struct Server(Child);

fn start(folder: &std::path::Path) -> Result<(Server, String)> {
    // The server cannot log its address, so the address is chosen here.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let full = OpenOptions::new().write(true).open("/dev/full")?;
    let mut command = Command::new(nebula_binary()?);
    command.current_dir(folder).args(["serve", "--store", "store", "--cache", "cache", "--reports", "all"]);
    let server = Server(command.args(["--listen", &address]).stderr(full).spawn()?);
    let until = Instant::now() + PATIENCE;
    while get(&address, "/readyz").0.is_err() {
        ensure!(Instant::now() < until, "the server does not respond");
        sleep(Duration::from_millis(50));
    }
    Ok((server, address))
}

impl Server {
    /// Sends SIGTERM, and returns the exit code of the server.
    fn stop(&mut self) -> Result<i32> {
        let signalled = Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status()?;
        ensure!(signalled.success(), "the server is gone");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait()? {
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
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
