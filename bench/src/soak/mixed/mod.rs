//! Clients of every kind at once, while an alias moves, the store and the services fail: what an operator's worst hour
//! has. Every answer is checked, above all that it belongs to its caller.

mod callers;
mod disorder;

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use nebula_integration_tests::MovingAlias;

use self::{callers::Callers, disorder::Disorder};
use super::server::Server;
use crate::{growth::resident_kib_of, invoke::ECHO, process::nebula_binary};

/// How often the memory is measured.
const SAMPLE: Duration = Duration::from_secs(10);

/// Memory is compared with that of this time: by then every part of the server was used.
const SETTLED: Duration = Duration::from_secs(120);

/// How much more memory than then the server may have at its end, in percent.
const GROWTH: f64 = 5.0;

const TRAP: &str = r#"(module (func (export "trap") (result i32) unreachable))"#;

const SPIN: &str = r#"(module (func (export "spin") (result i32) (loop (br 0)) (i32.const 0)))"#;

/// A command that writes a MiB of the byte `z`, in sixteen parts.
const LARGE: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start") (local i32)
    (memory.fill (i32.const 1024) (i32.const 122) (i32.const 65536))
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 65536))
    (loop
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 16))))))"#;

/// Makes all of it happen for `seconds`.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let moves = 2 * seconds;
    let disorder = Disorder::prepare(folder.path())?;
    write_functions(folder.path(), &disorder)?;
    let alias = tokio.block_on(MovingAlias::publish(&folder.path().join("store"), None, moves));
    let mut server = start(folder.path())?;
    let stop = Arc::<AtomicBool>::default();
    let callers = Callers::begin(server.address(), moves + 2, &stop);
    let memory = measured(server.id(), Duration::from_secs(seconds));
    let disordered = thread::scope(|scope| -> Result<u64> {
        let events = scope.spawn(|| disorder.run(&tokio, alias, Duration::from_secs(seconds)));
        events.join().map_err(|_| anyhow::anyhow!("the disorder panicked"))?
    })?;
    let seen = callers.end(&stop)?;
    println!("mixed: {seconds} s, in which {disordered} times an alias moved, the store was away or Redis was killed");
    println!("{seen}");
    check_memory(&memory.join().map_err(|_| anyhow::anyhow!("the measuring panicked"))??)?;
    let code = server.stop()?;
    ensure!(code == 0, "the server ended with {code} after SIGTERM");
    println!("  the server drained and ended with 0");
    seen.check()
}

fn write_functions(folder: &Path, disorder: &Disorder) -> Result<()> {
    let visits = std::path::absolute("guests/build/visits.wasm").context("no guest visits")?;
    for (name, source) in [("echo", ECHO), ("trap", TRAP), ("spin", SPIN), ("large", LARGE)] {
        fs::write(folder.join(format!("{name}.wat")), source)?;
    }
    let config = format!(
        "{route}\n[services.state]\nkeyvalue = \"redis://{redis}\"\n\
         [functions.echo]\nsource = \"echo.wat\"\n[functions.trap]\nsource = \"trap.wat\"\n\
         [functions.spin]\nsource = \"spin.wat\"\ntimeout = \"100ms\"\n[functions.large]\nsource = \"large.wat\"\n\
         [functions.visits]\nsource = {visits:?}\nkeyvalue = {{ default = \"state\" }}\n",
        route = MovingAlias::ROUTE,
        redis = disorder.redis(),
    );
    Ok(fs::write(folder.join("nebula.toml"), config)?)
}

fn start(folder: &Path) -> Result<Server> {
    let mut command = Command::new(nebula_binary()?);
    command.current_dir(folder).args(["serve", "--store", "store", "--cache", "cache", "--reports", "none"]);
    Server::start(&mut command, File::create(folder.join("log"))?)
}

/// Measures the memory of a process in KiB, with the time since the beginning.
fn measured(process: u32, time: Duration) -> thread::JoinHandle<Result<Vec<(Duration, u64)>>> {
    let began = Instant::now();
    thread::spawn(move || {
        let mut samples = Vec::new();
        while began.elapsed() + SAMPLE < time {
            thread::sleep(SAMPLE);
            samples.push((began.elapsed(), resident_kib_of(&process.to_string())?));
        }
        Ok(samples)
    })
}

/// Compares the memory at the end with that at [`SETTLED`]. A single sample may show a moment of many calls, so the
/// least of three counts.
fn check_memory(samples: &[(Duration, u64)]) -> Result<()> {
    let least = |samples: &[(Duration, u64)]| samples.iter().map(|(_, kib)| *kib).min().unwrap_or_default();
    let settled = samples.iter().position(|(at, _)| *at >= SETTLED);
    let (Some(settled), Some(end)) = (settled, samples.len().checked_sub(3)) else {
        println!("  the run was too short to compare memory");
        return Ok(());
    };
    let before = least(samples.get(settled..settled + 3).unwrap_or_default());
    let after = least(samples.get(end..).unwrap_or_default());
    let growth = (after as f64 / before as f64 - 1.0) * 100.0;
    println!("  memory: {} MiB after two minutes, {} MiB at the end ({growth:+.1} %)", before >> 10, after >> 10);
    ensure!(growth <= GROWTH, "the memory grew by {growth:.1} %");
    Ok(())
}
