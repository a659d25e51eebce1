//! The memory of calls that wait: for the rest of their request, of which their clients send no more.

use std::{fmt::Write as _, fs, io::Write as _, net::TcpStream, process::Command, thread, time::Duration};

use anyhow::{Context as _, Result};

use crate::{components::guest, growth::resident_kib_of, http::Server, invoke::ECHO, table::Table};

/// How many calls wait at once. Client and server need a file descriptor for each.
const WAITING: usize = 4_000;

/// A function may have three quarters of the server's places.
const PLACES: usize = 6_000;

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let echo = folder.path().join("echo.wat");
    fs::write(&echo, ECHO)?;
    let kinds = [("a command", echo), ("wasi:http 0.2", guest("http-echo")?), ("wasi:http 0.3", guest("http3-echo")?)];
    let mut config = format!("[server]\nconcurrency = {PLACES}\n");
    for (number, (_, file)) in kinds.iter().enumerate() {
        writeln!(config, "[functions.f{number}]\nsource = {file:?}\nconcurrency = {PLACES}")?;
    }
    fs::write(folder.path().join("nebula.toml"), config)?;
    let axum = Server::spawn(Command::new(std::env::current_exe()?).arg("peer-axum"))?;
    let peer = kib_of_each(&axum, "/api/read")?;
    for (number, (label, _)) in kinds.iter().enumerate() {
        let ours = kib_of_each(&Server::nebula(folder.path())?, &format!("/api/f{number}"))?;
        let cell = |kib: f64| format!("{kib:.0} KiB");
        let ratio = format!("{:.1} times a handler of plain Axum", ours / peer);
        table.row(format!("each of {WAITING} waiting calls, {label}"), cell(ours), cell(peer), ratio);
    }
    Ok(())
}

/// How much the memory of a server grows with each call that waits.
fn kib_of_each(server: &Server, path: &str) -> Result<f64> {
    let resident = || resident_kib_of(&server.process().to_string());
    drop(waiting(server.address(), path, 1)?);
    let before = resident()?;
    let _waiting = waiting(server.address(), path, WAITING)?;
    Ok(resident()?.saturating_sub(before) as f64 / WAITING as f64)
}

/// Begins calls that will wait until the connections are dropped.
fn waiting(address: &str, path: &str, calls: usize) -> Result<Vec<TcpStream>> {
    let request = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100000\r\n\r\n");
    let begin = |_| {
        let mut connection = TcpStream::connect(address).context("no connection: does `ulimit -n` allow enough?")?;
        connection.write_all(request.as_bytes())?;
        Ok(connection)
    };
    let connections = (0..calls).map(begin).collect();
    // Until all of them have come so far.
    thread::sleep(Duration::from_secs(3));
    connections
}
