//! `bootstrap` as AWS Lambda starts and calls it, compared with the smallest `lambda_http` program.

mod api;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use api::RuntimeApi;
use nebula_runtime::{Architecture, FunctionName, PackageSettings, Runtime, Store};

use crate::{
    growth::resident_kib_of,
    invoke::TREATS,
    table::{Table, median, micros, millis},
};

const ROUNDS: usize = 40;
const WARM_CALLS: usize = 2_000;
const FUNCTIONS: usize = 10;

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let (one, ten) = (tempfile::tempdir()?, tempfile::tempdir()?);
    package(one.path(), 1)?;
    package(ten.path(), FUNCTIONS)?;
    let (bootstrap, hello) = (built("bootstrap")?, built("hello-bootstrap")?);
    let (mut starts, mut firsts, mut warms) = (PairedTimes::default(), PairedTimes::default(), PairedTimes::default());
    for round in 0..=ROUNDS {
        let mut ours = Environment::start(&bootstrap, one.path())?;
        let mut theirs = Environment::start(&hello, one.path())?;
        let (first, peers) = (ours.call()?, theirs.call()?);
        // The first round does not count: it reads the programs from the disk.
        if round > 0 {
            starts.push(ours.start, theirs.start);
            firsts.push(first, peers);
        }
        if round % 8 == 0 {
            warms.push(ours.warm()?, theirs.warm()?);
        }
    }
    starts.row(table, "Lambda: start of the process to its first /next", millis);
    firsts.row(table, "Lambda: first /next to its response, treats", micros);
    warms.row(table, "Lambda: each later /next to its response, treats", micros);
    idle(table, &bootstrap, ten.path(), &hello)?;
    sizes(table, &bootstrap, &hello)
}

/// Measures the memory of a process that has handled one event and waits for the next. By then its background work is
/// done.
fn idle(table: &mut Table, bootstrap: &Path, folder: &Path, hello: &Path) -> Result<()> {
    let memory = |program: &Path| -> Result<u64> {
        let mut environment = Environment::start(program, folder)?;
        environment.call()?;
        resident_kib_of(&environment.process.id().to_string())
    };
    let (ours, theirs) = (memory(bootstrap)?, memory(hello)?);
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    let label = format!("Lambda: resident memory at idle, {FUNCTIONS} functions");
    table.row(label, mib(ours), mib(theirs), format!("{:.2} times a lambda_http hello", ours as f64 / theirs as f64));
    Ok(())
}

fn sizes(table: &mut Table, bootstrap: &Path, hello: &Path) -> Result<()> {
    let (ours, theirs) = (bootstrap.metadata()?.len(), hello.metadata()?.len());
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    table.row("Lambda: size of the program", mib(ours), mib(theirs), "–".into());
    Ok(())
}

/// The path of a program that `just bench` builds for Lambda.
fn built(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let target = here.parent().and_then(Path::parent).context("this program is in no target folder")?;
    let program = target.join("bootstrap").join(name);
    ensure!(program.exists(), "{} does not exist: `just bench` builds it", program.display());
    Ok(program)
}

/// Makes a package of `count` functions with different modules. The first one is `treats`.
fn package(folder: &Path, count: usize) -> Result<()> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runtime = Runtime::builder(Store::memory()).concurrency(1).build()?;
    tokio.block_on(async {
        let mut functions = vec![publish(&runtime, "treats", TREATS).await?];
        for number in 1..count {
            let name = format!("f{number}");
            let wat = format!(r#"(module (func (export "{name}") (result i32) (i32.const {number})))"#);
            functions.push(publish(&runtime, &name, &wat).await?);
        }
        let functions: Vec<_> = functions.into_iter().map(Into::into).collect();
        let here = Architecture::HOST.context("packages are not made for this processor")?;
        Ok(runtime.package(&functions, here, PackageSettings::default()).await?.write(folder)?)
    })
}

async fn publish(runtime: &Runtime, name: &str, wat: &str) -> Result<FunctionName> {
    let name: FunctionName = name.parse()?;
    runtime.publish(&name, wat.to_owned()).await?;
    Ok(name)
}

/// An AWS Lambda environment: a process and its Runtime API.
struct Environment {
    process: Child,
    api: RuntimeApi,
    /// The time from the start of the process to its first `/next`.
    start: Duration,
}

impl Environment {
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        let mut api = RuntimeApi::bind()?;
        let mut command = Command::new(program);
        command.env_clear().env("LAMBDA_TASK_ROOT", folder).env("NEBULA_FUNCTION", "treats");
        command.env("AWS_LAMBDA_RUNTIME_API", api.address());
        command.env("AWS_LAMBDA_FUNCTION_NAME", "treats").env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128").stdin(Stdio::null()).stdout(Stdio::null());
        // The process logs a report of each of thousands of calls.
        command.stderr(Stdio::null());
        let began = Instant::now();
        let process = command.spawn().with_context(|| format!("failed to start {}", program.display()))?;
        let start = api.wait_for_next().map(|first_poll| first_poll - began);
        let mut environment = Self { process, api, start: Duration::ZERO };
        environment.start = start?;
        Ok(environment)
    }

    /// Sends an event, and returns the time until its response.
    fn call(&mut self) -> Result<Duration> {
        let (time, body) = self.api.invoke(EVENT)?;
        ensure!(body.contains(r#""body":"10""#), "the response is {body}");
        self.api.wait_for_next()?;
        Ok(time)
    }

    fn warm(&mut self) -> Result<Duration> {
        let times = (0..WARM_CALLS).map(|_| self.call()).collect::<Result<_>>()?;
        Ok(median(times))
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // The process still waits for an event.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The event that a function URL makes of `GET /api/treats/10`.
const EVENT: &str = r#"{"version":"2.0","routeKey":"$default","rawPath":"/api/treats/10","rawQueryString":"","headers":{"host":"x.lambda-url.eu-central-1.on.aws"},"requestContext":{"accountId":"anonymous","apiId":"x","domainName":"x.lambda-url.eu-central-1.on.aws","domainPrefix":"x","http":{"method":"GET","path":"/api/treats/10","protocol":"HTTP/1.1","sourceIp":"192.0.2.1","userAgent":"bench"},"requestId":"5f2d6d3b","routeKey":"$default","stage":"$default","time":"12/Mar/2026:19:03:58 +0000","timeEpoch":1773342238000},"isBase64Encoded":false}"#;

/// Times of `bootstrap` and of its peer, measured in turns.
#[derive(Default)]
struct PairedTimes(Vec<(Duration, Duration)>);

impl PairedTimes {
    fn push(&mut self, ours: Duration, theirs: Duration) {
        self.0.push((ours, theirs));
    }

    fn row(self, table: &mut Table, label: &str, cell: fn(Duration) -> String) {
        let ratios = self.0.iter().map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64());
        let ratio = format!("{:.2} times a lambda_http hello", median(ratios.collect()));
        let (ours, theirs) = self.0.into_iter().unzip();
        table.row(label, cell(median(ours)), cell(median(theirs)), ratio);
    }
}
