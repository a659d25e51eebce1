//! Benchmarks of Nebula against its peers. Each row is a ratio of two things measured in turns in one run, since the
//! machine's own speed drifts more than what is measured.
//!
//! `just bench` runs them all; `just bench invoke http` runs those groups. `just soak` compares nothing: it says whether a
//! server goes on under load while something that it needs does not work.

mod bare;
mod components;
mod growth;
mod http;
mod invoke;
mod lambda;
mod process;
mod soak;
mod table;

use anyhow::{Context as _, Result};
use table::Table;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Rows = fn(&mut Table) -> Result<()>;

const GROUPS: [(&str, Rows); 6] = [
    ("invoke", invoke::rows),
    ("http", http::rows),
    ("components", components::rows),
    ("process", process::rows),
    ("growth", growth::rows),
    ("lambda", lambda::rows),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        // The peers run in processes of their own, as what they are compared with does.
        ["peer-axum"] => http::serve_plain_axum(),
        ["peer-load", address, path, seconds] => http::load(address, path, seconds.parse()?),
        ["peer-run", code, argument] => process::run_precompiled(code.as_ref(), argument.parse()?),
        ["soak", runs @ ..] => soak::run(runs),
        groups => run(groups),
    }
}

fn run(groups: &[&str]) -> Result<()> {
    let mut table = Table::default();
    for (name, rows) in GROUPS {
        if groups.is_empty() || groups.contains(&name) {
            eprintln!("measuring: {name}");
            rows(&mut table).with_context(|| format!("failed to measure {name}"))?;
        }
    }
    println!("{table}");
    Ok(())
}
