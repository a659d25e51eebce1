//! `Invoker::invoke`, compared with bare Wasmtime.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use nebula_runtime::{Event, FunctionRef, Invocation, Invoker, Runtime, Store};
use tokio::runtime;

use crate::{
    bare::{self, into_anyhow},
    table::{Comparison, Table, compare, micros},
};

const ROUNDS: usize = 21;
const CALLS: u32 = 5_000;

/// The functions are the smallest of their kinds, so that the cost of a call around them shows most.
pub(crate) const TREATS: &str = include_str!("../../guests/wat/treats.wat");
const TREATS_WITH_MEMORY: &str = r#"(module (memory (export "memory") 17)
    (func (export "treats") (param i32) (result i32) (i32.store (i32.const 1048576) (local.get 0)) (i32.load (i32.const 1048576))))"#;
pub(crate) const ECHO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 17)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// A runtime with these functions.
async fn runtime_with(functions: &[(&str, &str)]) -> Result<Arc<Runtime>> {
    let runtime = Runtime::builder(Store::memory()).build()?;
    for (name, wat) in functions {
        runtime.publish(&name.parse()?, wat.as_bytes().to_vec()).await?;
    }
    Ok(Arc::new(runtime))
}

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let tokio = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let functions = [("treats", TREATS), ("treats-with-memory", TREATS_WITH_MEMORY), ("echo", ECHO)];
    let runtime = tokio.block_on(runtime_with(&functions))?;
    let engine = into_anyhow(bare::engine())?;
    for (name, wat) in [("treats", TREATS), ("treats-with-memory", TREATS_WITH_MEMORY)] {
        let peer = into_anyhow(bare::Core::new(&engine, &wat::parse_str(wat)?, "treats"))?;
        let function: FunctionRef = name.parse()?;
        let comparison = compare(
            ROUNDS,
            CALLS,
            || {
                let event = Event::default().with_arguments(["10"]);
                ensure!(tokio.block_on(invoke(&runtime, &function, event))? == "10");
                Ok(())
            },
            || {
                ensure!(into_anyhow(tokio.block_on(peer.call("10")))? == "10");
                Ok(())
            },
        )?;
        let label =
            if name == "treats" { "invoke a core function" } else { "invoke a core function with 1 MiB of memory" };
        row(table, label, &comparison);
    }
    let peer = into_anyhow(bare::Command::new(&engine, &wat::parse_str(ECHO)?))?;
    let function: FunctionRef = "echo".parse()?;
    let comparison = compare(
        ROUNDS,
        CALLS,
        || {
            ensure!(tokio.block_on(invoke(&runtime, &function, Event::json("42")))? == "42");
            Ok(())
        },
        || {
            ensure!(into_anyhow(tokio.block_on(peer.run("42")))? == "42");
            Ok(())
        },
    )?;
    row(table, "invoke a command (preview 1)", &comparison);
    Ok(())
}

/// Makes an invocation and returns the whole body of its response.
pub(crate) async fn invoke(runtime: &Runtime, function: &FunctionRef, event: Event) -> Result<bytes::Bytes> {
    let response = runtime.invoke(Invocation::new(function.clone(), event)).await?;
    response.body.into_whole().ok().context("the response is not whole")
}

fn row(table: &mut Table, label: &str, comparison: &Comparison) {
    let ratio = format!("{:.2} times bare Wasmtime", comparison.ratio);
    table.row(label, micros(comparison.nebula), micros(comparison.peer), ratio);
}
