//! A store that hangs for ten seconds: the files that the server reads become pipes without a writer.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::client::{Load, RequestCounts, get};
use crate::{
    http::Server,
    invoke::{ECHO, TREATS},
};

/// How long the store hangs at a time.
const HANGS: Duration = Duration::from_secs(10);

/// The most time that `/readyz` may take to report the failure.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The most time that a server may take to notice that its store works again.
const BACK_WITHIN: Duration = Duration::from_secs(5);

const CONNECTIONS: usize = 16;

/// The requests of a run.
#[derive(Default)]
struct StoreRequests {
    health: RequestCounts,
    readiness: RequestCounts,
    /// The last response of `/readyz` while the store hung.
    readyz_body: String,
}

/// Calls functions in memory all the time. The store hangs for half of the time.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let (folder, mut requests) = (tempfile::tempdir()?, StoreRequests::default());
    let server = start(folder.path())?;
    let (began, mut hung) = (Instant::now(), 0);
    let load = Load::begin(server.address(), &[("/api/treats/10", 200), ("/api/echo/10", 200)], CONNECTIONS);
    while hung == 0 || began.elapsed() + 2 * HANGS <= Duration::from_secs(seconds) {
        sleep(HANGS / 2);
        let hung_files = HungFiles::begin(&folder.path().join("store"))?;
        requests.send_while_hung(server.address(), Instant::now() + HANGS);
        hung_files.end()?;
        wait_until_ready(server.address())?;
        hung += 1;
        sleep(HANGS / 2);
    }
    let functions = load.end()?;
    println!("store: {} s of load, in which the store hung {hung} times for {HANGS:?}", began.elapsed().as_secs());
    requests.check(&functions)
}

fn start(folder: &Path) -> Result<Server> {
    fs::write(folder.join("treats.wat"), TREATS)?;
    fs::write(folder.join("echo.wat"), ECHO)?;
    let config = "[functions.treats]\nsource = \"treats.wat\"\n[functions.echo]\nsource = \"echo.wat\"\n";
    fs::write(folder.join("nebula.toml"), config)?;
    let server = Server::nebula(folder)?;
    wait_until_ready(server.address())?;
    Ok(server)
}

impl StoreRequests {
    /// Requests `/readyz` and `/healthz` while the store hangs.
    fn send_while_hung(&mut self, address: &str, until: Instant) {
        while Instant::now() < until {
            let (response, took) = get(address, "/readyz");
            self.readiness.count(&response, 503, took);
            if let Ok(response) = response {
                self.readyz_body = response.body;
            }
            let (response, took) = get(address, "/healthz");
            self.health.count(&response, 200, took);
            sleep(Duration::from_millis(100));
        }
    }

    /// Prints the counts, and fails if the server broke a promise.
    fn check(&self, functions: &RequestCounts) -> Result<()> {
        let all = [("functions in memory", functions), ("/healthz", &self.health), ("/readyz", &self.readiness)];
        for (label, RequestCounts { sent, failed, slowest, .. }) in all {
            println!("  {label}: {sent} requests, {failed} failed, the slowest took {slowest:?}");
        }
        println!("  /readyz returned: {}", self.readyz_body);
        for (label, RequestCounts { failed, failure, .. }) in all {
            ensure!(*failed == 0, "{label} failed: {}", failure.as_deref().unwrap_or_default());
        }
        ensure!(self.readiness.slowest <= READY_WITHIN, "/readyz took {:?}", self.readiness.slowest);
        Ok(())
    }
}

/// Waits until the server is ready. Fails after [`BACK_WITHIN`].
fn wait_until_ready(address: &str) -> Result<()> {
    let until = Instant::now() + BACK_WITHIN;
    loop {
        let (response, _) = get(address, "/readyz");
        match response {
            Ok(response) if response.status == 200 => return Ok(()),
            response if Instant::now() > until => {
                return Err(anyhow::anyhow!("{BACK_WITHIN:?} after the store was back, /readyz returns {response:?}"));
            }
            _ => sleep(Duration::from_millis(100)),
        }
    }
}

/// The files of a store that were replaced by pipes, each with the path of its copy.
struct HungFiles(Vec<(PathBuf, PathBuf)>);

impl HungFiles {
    fn begin(store: &Path) -> Result<Self> {
        let records =
            fs::read_dir(store.join("functions"))?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let files = records.into_iter().chain([store.join("nebula-store.json")]);
        files.map(|file| hang(&file).map(|aside| (file, aside))).collect::<Result<_>>().map(Self)
    }

    /// Puts the files back. Readers that wait for a pipe's writer then go on, and read nothing.
    fn end(self) -> Result<()> {
        for (file, aside) in self.0 {
            let pipe = file.with_extension("pipe");
            fs::rename(&file, &pipe)?;
            fs::rename(&aside, &file)?;
            // A pipe that is opened for reading and writing does not wait for another process.
            drop(OpenOptions::new().read(true).write(true).open(&pipe)?);
            fs::remove_file(pipe)?;
        }
        Ok(())
    }
}

/// Atomically replaces a file by a pipe. Returns the path of the file's copy.
fn hang(file: &Path) -> Result<PathBuf> {
    let (pipe, aside) = (file.with_extension("pipe"), file.with_extension("aside"));
    ensure!(Command::new("mkfifo").arg(&pipe).status().context("mkfifo")?.success(), "mkfifo failed");
    fs::copy(file, &aside)?;
    fs::rename(pipe, file)?;
    Ok(aside)
}
