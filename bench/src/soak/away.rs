//! A store in S3 that is away while its functions are called.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nebula_store_servers::{Fault, S3Server};

use super::{
    client::{Load, RequestCounts, get},
    server::Server,
};
use crate::{
    invoke::{ECHO, TREATS},
    process::nebula_binary,
};

const CONNECTIONS: usize = 32;

/// How long the functions are called before the store goes, and after it is back.
const AROUND: Duration = Duration::from_secs(5);

/// What the server said while the store was away.
struct Seen {
    readyz: String,
    away: u64,
    failed_reads: u64,
}

/// Calls two functions all the time. The store is away for `seconds`.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let Some(s3) = S3Server::start("bucket") else {
        println!("away: moto is not installed, so there is no S3 server: `just moto` installs it");
        return Ok(());
    };
    let (folder, began) = (tempfile::tempdir()?, Instant::now());
    let server = start(folder.path(), &s3)?;
    let load = Load::begin(server.address(), &[("/api/treats/10", 200), ("/api/echo/10", 200)], CONNECTIONS);
    sleep(AROUND);
    s3.set(Fault::Away);
    sleep(Duration::from_secs(seconds));
    let seen = Seen::at(server.address())?;
    s3.set(Fault::None);
    sleep(AROUND);
    let requests = load.end()?;
    println!("away: {} s of load, in which the store was away for {seconds} s", began.elapsed().as_secs());
    check(&requests, &seen, &fs::read_to_string(folder.path().join("log"))?)?;
    ensure!(get(server.address(), "/readyz").0?.status == 200, "the store is back, and /readyz does not say so");
    Ok(())
}

fn start(folder: &Path, s3: &S3Server) -> Result<Server> {
    fs::write(folder.join("treats.wat"), TREATS)?;
    fs::write(folder.join("echo.wat"), ECHO)?;
    let config = "[functions.treats]\nsource = \"treats.wat\"\n[functions.echo]\nsource = \"echo.wat\"\n";
    fs::write(folder.join("nebula.toml"), config)?;
    let mut command = Command::new(nebula_binary()?);
    command.current_dir(folder).args(["serve", "--store", "s3://bucket/team", "--cache", "cache", "--reports", "none"]);
    Server::start(command.envs(s3.variables()), File::create(folder.join("log"))?)
}

impl Seen {
    fn at(address: &str) -> Result<Self> {
        let (readyz, metrics) = (get(address, "/readyz").0?, get(address, "/metrics").0?.body);
        ensure!(readyz.status == 503, "the store is away, and /readyz returns {}", readyz.status);
        let metric = |name: &str| -> Result<u64> {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name));
            Ok(value.with_context(|| format!("/metrics has no {name}"))?.trim().parse()?)
        };
        Ok(Self {
            readyz: readyz.body,
            away: metric("nebula_store_away ")?,
            failed_reads: metric("nebula_store_failed_reads_total ")?,
        })
    }
}

fn check(requests: &RequestCounts, seen: &Seen, log: &str) -> Result<()> {
    let RequestCounts { sent, failed, slowest, failure } = requests;
    let warnings = log.matches("the last known version is served").count();
    println!("  {sent} requests, {failed} failed, the slowest took {slowest:?}");
    println!(
        "  {} reads failed, and the log has {warnings} warning of it in {} lines",
        seen.failed_reads,
        log.lines().count()
    );
    println!("  /readyz returned: {}", seen.readyz);
    ensure!(*failed == 0, "a request failed: {}", failure.as_deref().unwrap_or_default());
    ensure!(seen.away == 1, "nebula_store_away is {}", seen.away);
    ensure!(warnings == 1, "the log has {warnings} warnings that the store is away");
    Ok(())
}
