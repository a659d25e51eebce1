//! `BENCHMARKS.md`: the results, with the machine and the versions of the peers.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{components::wasmtime_binary, table::Table};

const FILE: &str = "BENCHMARKS.md";

/// The crates that are peers, or that peers are made of.
const PEERS: [&str; 4] = ["axum", "lambda_http", "redis", "wasmtime"];

const INTRODUCTION: &str = "\
# Benchmarks

`just bench` wrote this page. Nebula and its peer are measured in turns in one run, because the speed of a machine drifts
more than the figures differ. So a ratio can be compared with another machine's, and a figure cannot. `just bench GROUP`
measures one group and only prints it. The client shares the processors with the server.
";

/// Writes the page.
pub(crate) fn write(table: &Table) -> Result<()> {
    let (machine, peers) = (machine()?, peers()?);
    let page = format!("{INTRODUCTION}\n- Machine: {machine}\n- Peers: {peers}\n{table}");
    fs::write(FILE, page).with_context(|| format!("failed to write {FILE}"))?;
    eprintln!("the results are in {FILE}");
    Ok(())
}

/// The processor, its threads, the memory and the kernel.
fn machine() -> Result<String> {
    let field = |file: &str, name: &str| -> Result<String> {
        let text = fs::read_to_string(file).with_context(|| format!("failed to read {file}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        Ok(line.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned()))
    };
    let (processor, memory) = (field("/proc/cpuinfo", "model name")?, field("/proc/meminfo", "MemTotal")?);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("failed to read the kernel's version")?;
    let threads = std::thread::available_parallelism()?;
    Ok(format!("{processor}, {threads} threads, {memory} of memory, Linux {}", kernel.trim()))
}

#[derive(Deserialize)]
struct Lockfile {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// The versions of the peers.
fn peers() -> Result<String> {
    let lockfile = fs::read_to_string("Cargo.lock").context("failed to read Cargo.lock")?;
    let Lockfile { package } = toml::from_str(&lockfile).context("failed to read Cargo.lock")?;
    let known = package.iter().filter(|package| PEERS.contains(&package.name.as_str()));
    let mut versions: Vec<_> = known.map(|Package { name, version }| format!("{name} {version}")).collect();
    versions.extend(wasmtime_binary().and_then(|binary| version(&binary)));
    Ok(versions.join(", "))
}

fn version(binary: &Path) -> Option<String> {
    let output = Command::new(binary).arg("--version").output().ok()?;
    Some(format!("`wasmtime serve` of {}", String::from_utf8(output.stdout).ok()?.trim()))
}
