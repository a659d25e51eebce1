//! The HTTP server under concurrent load, beside a plain Axum handler that returns the same text, and beside one that calls
//! bare Wasmtime for it: what any server of such functions costs on this machine, without what Nebula does for them.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, extract::Path, routing::get};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    bare::{self, ours},
    growth::resident_mib_of,
    invoke::{ECHO, TREATS},
    process::nebula_binary,
    table::{Table, median, millis},
};

const ROUNDS: usize = 11;
const SECONDS: u64 = 2;
const CONNECTIONS: usize = 32;

pub(crate) fn rows(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("treats.wat"), TREATS)?;
    std::fs::write(folder.path().join("echo.wat"), ECHO)?;
    let config = "[functions.treats]\nsource = \"treats.wat\"\n[functions.echo]\nsource = \"echo.wat\"\n";
    std::fs::write(folder.path().join("nebula.toml"), config)?;
    start_to_answer(table, folder.path())?;
    let nebula = Server::nebula(folder.path())?;
    let peer = Server::spawn(Command::new(std::env::current_exe()?).arg("peer-axum"))?;
    for (what, function) in [("GET /api/treats/10", "treats"), ("GET /api/echo/10, a command", "echo")] {
        let (mut ours, mut theirs, mut ratios, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (our, their) = (nebula.load(&format!("/api/{function}/10"))?, peer.load("/api/treats/10")?);
            ours.push(our);
            theirs.push(their);
            ratios.push(our / their);
            bare.push(peer.load(&format!("/bare/{function}/10"))? / their);
        }
        let cell = |rates| format!("{:.0} req/s", median(rates));
        let ratio = format!("{:.2} of plain Axum, where bare Wasmtime in it has {:.2}", median(ratios), median(bare));
        table.row(format!("{what}, {CONNECTIONS} connections"), cell(ours), cell(theirs), ratio);
    }
    let memory = resident_mib_of(&nebula.0.id().to_string())?;
    table.row("resident memory of the server after that load", format!("{memory} MiB"), "–".into(), "–".into());
    Ok(())
}

/// Start of the server's process to its first answer, with everything compiled and published before.
fn start_to_answer(table: &mut Table, folder: &std::path::Path) -> Result<()> {
    drop(Server::nebula(folder)?);
    let (mut ours, mut theirs, mut memory) = (Vec::new(), Vec::new(), 0);
    for _ in 0..15 {
        let began = Instant::now();
        let nebula = Server::nebula(folder)?;
        nebula.answers("/api/treats/10")?;
        ours.push(began.elapsed());
        memory = resident_mib_of(&nebula.0.id().to_string())?;
        let began = Instant::now();
        let peer = Server::spawn(Command::new(std::env::current_exe()?).arg("peer-axum"))?;
        peer.answers("/api/treats/10")?;
        theirs.push(began.elapsed());
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = format!("{:.1} times plain Axum", ours.as_secs_f64() / theirs.as_secs_f64());
    table.row("start of the server to its first answer, compiled before", millis(ours), millis(theirs), ratio);
    table.row("resident memory of the server after its first answer", format!("{memory} MiB"), "–".into(), "–".into());
    Ok(())
}

/// A server in a process of its own, which says on stderr where it listens.
pub(crate) struct Server(Child, String);

impl Server {
    pub(crate) fn nebula(folder: &std::path::Path) -> Result<Self> {
        let mut command = Command::new(nebula_binary()?);
        command.current_dir(folder).args(["serve", "--listen", "127.0.0.1:0", "--store", "store", "--cache", "cache"]);
        Self::spawn(&mut command)
    }

    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let mut stderr = BufReader::new(child.stderr.take().context("no stderr")?);
        let mut said = String::new();
        let address = loop {
            let from = said.len();
            ensure!(stderr.read_line(&mut said)? > 0, "the server ended before it listened:\n{said}");
            if let Some((_, rest)) = said.get(from..).and_then(|line| line.split_once("http://")) {
                break rest.split_whitespace().next().context("no address")?.trim_end_matches('/').to_owned();
            }
        };
        // What it says later must not fill the pipe and block it.
        std::thread::spawn(move || drop(std::io::copy(&mut stderr, &mut std::io::sink())));
        Ok(Self(child, address))
    }

    /// Where it listens: `127.0.0.1:43210`.
    pub(crate) fn address(&self) -> &str {
        &self.1
    }

    fn answers(&self, path: &str) -> Result<()> {
        let mut stream = std::net::TcpStream::connect(&self.1)?;
        std::io::Write::write_all(
            &mut stream,
            format!("GET {path} HTTP/1.1\r\nhost: nebula\r\nconnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{path} answered {answer}");
        Ok(())
    }

    /// Requests per second over all connections, from a client process of its own.
    pub(crate) fn load(&self, path: &str) -> Result<f64> {
        let client =
            Command::new(std::env::current_exe()?).args(["peer-load", &self.1, path, &SECONDS.to_string()]).output()?;
        ensure!(client.status.success(), "the client failed: {}", String::from_utf8_lossy(&client.stderr));
        Ok(String::from_utf8(client.stdout)?.trim().parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What the peer's process does.
pub(crate) fn serve_plain_axum() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let engine = ours(bare::engine())?;
        let treats = Arc::new(ours(bare::Core::new(&engine, &wat::parse_str(TREATS)?, "treats"))?);
        let echo = Arc::new(ours(bare::Command::new(&engine, &wat::parse_str(ECHO)?))?);
        let app = Router::new()
            .route("/api/treats/{n}", get(|Path(n): Path<i32>| async move { n.to_string() }))
            .route("/bare/treats/{n}", get(|Path(n): Path<String>| async move { answer(treats.call(&n).await) }))
            .route("/bare/echo/{n}", get(|Path(n): Path<String>| async move { answer(echo.run(n).await) }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("http://{}", listener.local_addr()?);
        axum::serve(listener, app).await?;
        Ok(())
    })
}

/// What a handler around bare Wasmtime answers.
fn answer(result: wasmtime::Result<bytes::Bytes>) -> std::result::Result<bytes::Bytes, String> {
    result.map_err(|error| error.to_string())
}

/// What the client's process does: one thread, each connection sending its next request when the answer is there.
pub(crate) fn load(address: &str, path: &str, seconds: u64) -> Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let answered = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut connections = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            connections.spawn(connection(address.to_owned(), request.clone(), until));
        }
        let mut answered = 0;
        while let Some(connection) = connections.join_next().await {
            answered += connection??;
        }
        anyhow::Ok(answered)
    })?;
    println!("{}", answered as f64 / seconds as f64);
    Ok(())
}

async fn connection(address: String, request: String, until: Instant) -> Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut answered) = (vec![0; 4096], 0);
    while Instant::now() < until {
        stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        while !is_whole(buffer.get(..filled).unwrap_or_default())? {
            let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
        }
        answered += 1;
    }
    Ok(answered)
}

/// Whether this is a whole answer; an answer that is not a success is an error. It looks at no byte more often than it
/// must: the client shares the machine with the server.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(end) = memmem::find(answer, b"\r\n\r\n") else {
        return Ok(false);
    };
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "not a success: {}", String::from_utf8_lossy(answer));
    let (head, body) = answer.split_at(end + 4);
    let length = memmem::find(head, b"content-length: ").and_then(|at| head.get(at + 16..));
    match length.and_then(|length| length.split(|byte| *byte == b'\r').next()) {
        Some(length) => Ok(body.len() >= std::str::from_utf8(length)?.parse()?),
        // In chunks, the last of which is empty (RFC 9112, section 7.1).
        None => Ok(body.ends_with(b"0\r\n\r\n")),
    }
}
