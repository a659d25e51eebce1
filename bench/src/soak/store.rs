//! A store that hangs for ten seconds: every file of it that is read becomes a pipe that nobody writes to.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::client::{Load, Tally, ask};
use crate::{
    http::Server,
    invoke::{ECHO, TREATS},
};

/// How long the store hangs at a time.
const HANGS: Duration = Duration::from_secs(10);

/// Within which time `/readyz` says what is wrong.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// How long a server may take to see that its store is back.
const BACK_WITHIN: Duration = Duration::from_secs(5);

const CONNECTIONS: usize = 16;

/// What came of the requests of a run.
#[derive(Default)]
struct Seen {
    health: Tally,
    readiness: Tally,
    /// What `/readyz` said of the store that hung.
    told: String,
}

/// Functions in memory are asked for all the time, and the store hangs for half of it.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let (folder, mut seen) = (tempfile::tempdir()?, Seen::default());
    let server = start(folder.path())?;
    let (began, mut hung) = (Instant::now(), 0);
    let load = Load::begin(server.address(), &[("/api/treats/10", 200), ("/api/echo/10", 200)], CONNECTIONS);
    while hung == 0 || began.elapsed() + 2 * HANGS <= Duration::from_secs(seconds) {
        sleep(HANGS / 2);
        let hanging = Hanging::begin(&folder.path().join("store"))?;
        seen.watch(server.address(), Instant::now() + HANGS);
        hanging.end()?;
        ready_again(server.address())?;
        hung += 1;
        sleep(HANGS / 2);
    }
    let functions = load.end()?;
    println!("store: {} s of load, in which the store hung {hung} times for {HANGS:?}", began.elapsed().as_secs());
    seen.judge(&functions)
}

fn start(folder: &Path) -> Result<Server> {
    fs::write(folder.join("treats.wat"), TREATS)?;
    fs::write(folder.join("echo.wat"), ECHO)?;
    let config = "[functions.treats]\nsource = \"treats.wat\"\n[functions.echo]\nsource = \"echo.wat\"\n";
    fs::write(folder.join("nebula.toml"), config)?;
    let server = Server::nebula(folder)?;
    ready_again(server.address())?;
    Ok(server)
}

impl Seen {
    /// Asks how the server is while its store hangs.
    fn watch(&mut self, address: &str, until: Instant) {
        while Instant::now() < until {
            let (answer, took) = ask(address, "/readyz");
            self.readiness.count(&answer, 503, took);
            if let Ok(answer) = answer {
                self.told = answer.body;
            }
            let (answer, took) = ask(address, "/healthz");
            self.health.count(&answer, 200, took);
            sleep(Duration::from_millis(100));
        }
    }

    /// Prints what came of it, and fails where that is not what it should be.
    fn judge(&self, functions: &Tally) -> Result<()> {
        let all = [("functions in memory", functions), ("/healthz", &self.health), ("/readyz", &self.readiness)];
        for (what, Tally { answered, failed, slowest, .. }) in all {
            println!("  {what}: {answered} requests, {failed} failed, the slowest took {slowest:?}");
        }
        println!("  /readyz said: {}", self.told);
        for (what, Tally { failed, failure, .. }) in all {
            ensure!(*failed == 0, "{what} failed: {}", failure.as_deref().unwrap_or_default());
        }
        ensure!(self.readiness.slowest <= READY_WITHIN, "/readyz took {:?}", self.readiness.slowest);
        Ok(())
    }
}

/// Waits until the server is ready, for as long as that may take.
fn ready_again(address: &str) -> Result<()> {
    let until = Instant::now() + BACK_WITHIN;
    loop {
        let (answer, _) = ask(address, "/readyz");
        match answer {
            Ok(answer) if answer.status == 200 => return Ok(()),
            answer if Instant::now() > until => {
                return Err(anyhow::anyhow!("after {BACK_WITHIN:?} with its store, /readyz says {answer:?}"));
            }
            _ => sleep(Duration::from_millis(100)),
        }
    }
}

/// The files of a store that hang, and where their contents are.
struct Hanging(Vec<(PathBuf, PathBuf)>);

impl Hanging {
    fn begin(store: &Path) -> Result<Self> {
        let records =
            fs::read_dir(store.join("functions"))?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        let files = records.into_iter().chain([store.join("nebula-store.json")]);
        files.map(|file| hang(&file).map(|aside| (file, aside))).collect::<Result<_>>().map(Self)
    }

    /// Puts the files back, and lets those who wait for a pipe's writer go on: they read nothing.
    fn end(self) -> Result<()> {
        for (file, aside) in self.0 {
            let pipe = file.with_extension("pipe");
            fs::rename(&file, &pipe)?;
            fs::rename(&aside, &file)?;
            // Opened for both, it waits for nobody on the other side.
            drop(OpenOptions::new().read(true).write(true).open(&pipe)?);
            fs::remove_file(pipe)?;
        }
        Ok(())
    }
}

/// Puts a pipe in a file's place, at once. Gives where the file is now.
fn hang(file: &Path) -> Result<PathBuf> {
    let (pipe, aside) = (file.with_extension("pipe"), file.with_extension("aside"));
    ensure!(Command::new("mkfifo").arg(&pipe).status().context("mkfifo")?.success(), "mkfifo failed");
    fs::copy(file, &aside)?;
    fs::rename(pipe, file)?;
    Ok(aside)
}
