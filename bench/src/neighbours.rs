//! A short function beside one that is flooded, compared with the same function alone.

use std::{fmt::Write as _, fs};

use anyhow::Result;

use crate::{
    http::Server,
    invoke::TREATS,
    load::{Flood, Load},
    table::{Table, median, millis},
};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;

/// More than there are places for calls.
const FLOOD: usize = 400;

/// A function that never ends.
const SPIN: &str = r#"(module (func (export "spin") (result i32) (loop (br 0)) (i32.const 0)))"#;

/// A command that sleeps for a minute: it polls a clock of WASI.
const SLEEP: &str = r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 60000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"#;

/// What floods the server, and its path.
const FLOODS: [(&str, &str); 4] = [
    ("spins until its time is over", "/api/spin"),
    ("runs for some milliseconds", "/api/busy/300000"),
    ("sleeps until its time is over", "/api/sleep"),
    ("is as short", "/api/other:treats/10"),
];

/// Counts down from its argument: about two nanoseconds for each.
const BUSY: &str = r#"(module (func (export "busy") (param i32) (result i32) (local i32)
  (loop (local.set 1 (i32.xor (i32.mul (local.get 1) (i32.const 31)) (local.get 0)))
    (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
  (local.get 1)))"#;

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = String::from("[limits]\ntimeout = \"1s\"\n");
    for (name, source) in [("treats", TREATS), ("other", TREATS), ("spin", SPIN), ("sleep", SLEEP), ("busy", BUSY)] {
        fs::write(folder.path().join(format!("{name}.wat")), source)?;
        writeln!(config, "[functions.{name}]\nsource = \"{name}.wat\"")?;
    }
    fs::write(folder.path().join("nebula.toml"), config)?;
    let server = Server::nebula(folder.path())?;
    FLOODS.iter().try_for_each(|(label, path)| row(table, &server, label, path))
}

fn row(table: &mut Table, server: &Server, label: &str, path: &str) -> Result<()> {
    let measure = || server.load_over("/api/treats/10", CONNECTIONS);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(measure()?);
        let _flood = Flood::begin(server.address(), path, FLOOD)?;
        beside.push(measure()?);
    }
    let (alone, beside) = (medians(&alone), medians(&beside));
    let ratio = format!(
        "{:.2} of the throughput, {:.1} times the p99",
        beside.rate / alone.rate,
        beside.p99.as_secs_f64() / alone.p99.as_secs_f64()
    );
    let cell = |load: Load| format!("{:.0} req/s, p99 {}", load.rate, millis(load.p99));
    table.row(
        format!("GET /api/treats/10 while another function {label}, and alone"),
        cell(beside),
        cell(alone),
        ratio,
    );
    Ok(())
}

fn medians(loads: &[Load]) -> Load {
    let rate = median(loads.iter().map(|load| load.rate).collect());
    Load { rate, p99: median(loads.iter().map(|load| load.p99).collect()) }
}
