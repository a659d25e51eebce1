//! `nebula run FILE` as a whole process, compared with a process that only runs the same compiled code.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Result, ensure};
use wasmtime::{Module, Store};

use crate::{
    bare::into_anyhow,
    invoke::TREATS,
    table::{Table, compare, millis},
};

const ROUNDS: usize = 40;

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let wasm = folder.path().join("treats.wasm");
    std::fs::write(&wasm, wat::parse_str(TREATS)?)?;
    let code = folder.path().join("treats.cwasm");
    std::fs::write(&code, into_anyhow(wasmtime::Engine::default().precompile_module(&std::fs::read(&wasm)?))?)?;
    let mut nebula = Command::new(nebula_binary()?);
    nebula.args(["run", "--cache"]).arg(folder.path().join("cache")).arg(&wasm).arg("10");
    let mut peer = Command::new(std::env::current_exe()?);
    peer.arg("peer-run").arg(&code).arg("10");
    let comparison = compare(ROUNDS, 1, || expect_ten(&mut nebula), || expect_ten(&mut peer))?;
    let ratio = format!("{:.2} times bare Wasmtime", comparison.ratio);
    table.row(
        "whole process: run treats.wasm 10, compiled before",
        millis(comparison.nebula),
        millis(comparison.peer),
        ratio,
    );
    Ok(())
}

fn expect_ten(command: &mut Command) -> Result<()> {
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.stdout.trim_ascii() == b"10", "{command:?} printed {:?}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// The `nebula` binary in the folder of this program.
pub(crate) fn nebula_binary() -> Result<std::path::PathBuf> {
    let binary = std::env::current_exe()?.with_file_name("nebula");
    ensure!(binary.exists(), "{} is not built: run `cargo build --release -p nebula-cli` first", binary.display());
    Ok(binary)
}

/// The main function of the peer's process: the shortest way to run a precompiled module.
#[expect(unsafe_code, reason = "loading compiled code is running it; this benchmark has just compiled it")]
pub(crate) fn run_precompiled(code: &Path, argument: i32) -> Result<()> {
    let engine = wasmtime::Engine::default();
    // SAFETY: `rows` has just written the file from this very engine's output, into a folder of its own.
    let module = into_anyhow(unsafe { Module::deserialize_file(&engine, code) })?;
    let mut store = Store::new(&engine, ());
    let instance = into_anyhow(wasmtime::Instance::new(&mut store, &module, &[]))?;
    let function = into_anyhow(instance.get_typed_func::<i32, i32>(&mut store, "treats"))?;
    println!("{}", into_anyhow(function.call(&mut store, argument))?);
    Ok(())
}
