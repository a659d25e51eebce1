//! The effect of the number of published functions on invocations and memory.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nebula_runtime::{Event, FunctionRef, Runtime, Store};
use tokio::runtime;

use crate::{
    invoke::invoke,
    table::{Table, median, micros},
};

const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];
const CALLS: usize = 20_000;

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let tokio = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let runtime = Runtime::builder(Store::memory()).build()?;
    let (mut published, mut first) = (0, None);
    for size in SIZES {
        while published < size {
            tokio.block_on(publish(&runtime, published))?;
            published += 1;
        }
        let functions = (0..size).map(name).collect::<Result<Vec<_>>>()?;
        let hot = time(&tokio, &runtime, functions.get(..1).unwrap_or_default())?;
        let spread = time(&tokio, &runtime, &functions)?;
        let first = *first.get_or_insert(hot);
        let ratio = format!("{:.2} times the call of a single function", hot.as_secs_f64() / first.as_secs_f64());
        let memory = format!("all functions in turn {}, process {} MiB", micros(spread), resident_mib()?);
        table.row(format!("invoke one of {size} functions"), micros(hot), memory, ratio);
    }
    Ok(())
}

/// Publishes a function with a module of its own, so that every function has different code.
async fn publish(runtime: &Runtime, number: usize) -> Result<()> {
    let wat = format!(
        r#"(module (func (export "treats") (param i32) (result i32) (i32.add (local.get 0) (i32.const {number}))))"#
    );
    runtime.publish(name(number)?.name(), wat).await?;
    Ok(())
}

fn name(number: usize) -> Result<FunctionRef> {
    Ok(format!("f{number}").parse()?)
}

/// The median time of an invocation, if these functions are called in turn.
fn time(tokio: &runtime::Runtime, runtime: &Runtime, functions: &[FunctionRef]) -> Result<Duration> {
    let mut times = Vec::with_capacity(CALLS);
    for function in functions.iter().cycle().take(CALLS) {
        let event = Event::default().with_arguments(["0"]);
        let began = Instant::now();
        let answer = tokio.block_on(invoke(runtime, function, event))?;
        times.push(began.elapsed());
        ensure!(
            format!("f{}", String::from_utf8_lossy(&answer)) == function.name().as_str(),
            "the wrong function answered"
        );
    }
    Ok(median(times))
}

/// The resident memory of this process.
fn resident_mib() -> Result<u64> {
    resident_mib_of("self")
}

/// The resident memory of a process, in MiB.
pub(crate) fn resident_mib_of(process: &str) -> Result<u64> {
    Ok(resident_kib_of(process)? >> 10)
}

/// The resident memory of a process, in KiB.
pub(crate) fn resident_kib_of(process: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
