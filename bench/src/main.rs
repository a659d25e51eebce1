//! Benchmarks that compare Nebula with its peers. Each row is a ratio of two figures, which one run measures in turns:
//! the speed of the machine drifts more than the figures differ.
//!
//! `just bench` runs all groups and writes `BENCHMARKS.md`, and `just bench invoke http` runs two of them. `just soak` compares nothing: it checks
//! that a server keeps serving under load while something that it needs fails.

mod bare;
mod components;
mod density;
mod growth;
mod http;
mod invoke;
mod keyvalue;
mod lambda;
mod load;
mod neighbours;
mod page;
mod process;
mod redis_server;
mod services;
mod soak;
mod table;

use anyhow::{Context as _, Result, bail};
use table::Table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Rows = fn(&mut Table) -> Result<()>;

const GROUPS: [(&str, Rows); 10] = [
    ("invoke", invoke::rows),
    ("keyvalue", keyvalue::rows),
    ("http", http::rows),
    ("components", components::rows),
    ("neighbours", neighbours::rows),
    ("services", services::rows),
    ("process", process::rows),
    ("growth", growth::rows),
    ("density", density::rows),
    ("lambda", lambda::rows),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        // Each peer runs in a process of its own, as Nebula does.
        ["peer-axum"] => http::serve_plain_axum(),
        ["peer-load", address, path, connections, seconds] => {
            load::run(address, path, connections.parse()?, seconds.parse()?)
        }
        ["peer-flood", address, path, connections] => load::flood(address, path, connections.parse()?),
        ["peer-run", code, argument] => process::run_precompiled(code.as_ref(), argument.parse()?),
        ["soak", runs @ ..] => soak::run(runs),
        groups => run(groups),
    }
}

fn run(groups: &[&str]) -> Result<()> {
    let known = GROUPS.map(|(name, _)| name);
    if let Some(group) = groups.iter().find(|group| !known.contains(group)) {
        bail!("there is no group {group}; the groups are {}", known.join(", "));
    }
    let mut table = Table::default();
    for (name, rows) in GROUPS {
        if groups.is_empty() || groups.contains(&name) {
            eprintln!("measuring: {name}");
            table.group(name);
            rows(&mut table).with_context(|| format!("failed to measure {name}"))?;
        }
    }
    if groups.is_empty() {
        page::write(&table)?;
    }
    println!("{table}");
    Ok(())
}
