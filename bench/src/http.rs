//! The HTTP server under concurrent load, compared with two handlers of a plain Axum server. One returns the same text.
//! The other calls bare Wasmtime for it, which is the least that any server of WebAssembly functions costs.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};
use tokio::net::TcpListener;

use crate::{
    bare::{self, into_anyhow},
    growth::resident_mib_of,
    invoke::{ECHO, TREATS},
    load::{self, Load},
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
    let config = "[functions.treats]\nsource = \"treats.wat\"\n[functions.pure]\nsource = \"treats.wat\"\ncache = \"pure\"\n\
                  [functions.echo]\nsource = \"echo.wat\"\n";
    std::fs::write(folder.path().join("nebula.toml"), config)?;
    start_to_response(table, folder.path())?;
    let nebula = Server::nebula(folder.path())?;
    let peer = Server::spawn(Command::new(std::env::current_exe()?).arg("peer-axum"))?;
    for (label, function, bare_function, connections) in [
        ("GET /api/treats/10", "treats", "treats", 1),
        ("GET /api/treats/10", "treats", "treats", CONNECTIONS),
        ("GET /api/treats/10", "treats", "treats", 256),
        ("GET /api/pure/10, a result that is kept", "pure", "treats", CONNECTIONS),
        ("GET /api/echo/10, a command", "echo", "echo", CONNECTIONS),
    ] {
        let rate = |server: &Server, path: &str| Ok::<_, anyhow::Error>(server.load_over(path, connections)?.rate);
        let (mut ours, mut theirs, mut ratios, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (our, their) = (rate(&nebula, &format!("/api/{function}/10"))?, rate(&peer, "/api/treats/10")?);
            ours.push(our);
            theirs.push(their);
            ratios.push(our / their);
            bare.push(rate(&peer, &format!("/bare/{bare_function}/10"))? / their);
        }
        let cell = |rates| format!("{:.0} req/s", median(rates));
        let ratio = format!("{:.2} of plain Axum; bare Wasmtime in Axum has {:.2}", median(ratios), median(bare));
        let plural = if connections == 1 { "" } else { "s" };
        table.row(format!("{label}, {connections} connection{plural}"), cell(ours), cell(theirs), ratio);
    }
    let memory = resident_mib_of(&nebula.process().to_string())?;
    table.row("resident memory of the server after that load", format!("{memory} MiB"), "–".into(), "–".into());
    Ok(())
}

/// Measures the time from the start of the server to its first response. The functions are compiled and published
/// before.
fn start_to_response(table: &mut Table, folder: &std::path::Path) -> Result<()> {
    drop(Server::nebula(folder)?);
    let (mut ours, mut theirs, mut memory) = (Vec::new(), Vec::new(), 0);
    for _ in 0..15 {
        let began = Instant::now();
        let nebula = Server::nebula(folder)?;
        nebula.expect_success("/api/treats/10")?;
        ours.push(began.elapsed());
        memory = resident_mib_of(&nebula.process().to_string())?;
        let began = Instant::now();
        let peer = Server::spawn(Command::new(std::env::current_exe()?).arg("peer-axum"))?;
        peer.expect_success("/api/treats/10")?;
        theirs.push(began.elapsed());
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = format!("{:.1} times plain Axum", ours.as_secs_f64() / theirs.as_secs_f64());
    table.row("start of the server to its first response, compiled before", millis(ours), millis(theirs), ratio);
    table.row(
        "resident memory of the server after its first response",
        format!("{memory} MiB"),
        "–".into(),
        "–".into(),
    );
    Ok(())
}

/// A server process, which writes its address to stderr.
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
        let mut log = String::new();
        let address = loop {
            let from = log.len();
            ensure!(stderr.read_line(&mut log)? > 0, "the server ended before it listened:\n{log}");
            if let Some((_, rest)) = log.get(from..).and_then(|line| line.split_once("http://")) {
                break rest.split_whitespace().next().context("no address")?.trim_end_matches('/').to_owned();
            }
        };
        // The thread reads the rest of stderr, so that a full pipe does not block the server.
        std::thread::spawn(move || drop(std::io::copy(&mut stderr, &mut std::io::sink())));
        Ok(Self(child, address))
    }

    /// The server's address: `127.0.0.1:43210`.
    pub(crate) fn address(&self) -> &str {
        &self.1
    }

    /// The id of the server's process.
    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }

    fn expect_success(&self, path: &str) -> Result<()> {
        let mut stream = std::net::TcpStream::connect(&self.1)?;
        std::io::Write::write_all(
            &mut stream,
            format!("GET {path} HTTP/1.1\r\nhost: nebula\r\nconnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{path} returned {answer}");
        Ok(())
    }

    /// Loads the server, and returns the requests per second of all connections.
    pub(crate) fn load(&self, path: &str) -> Result<f64> {
        Ok(self.load_over(path, CONNECTIONS)?.rate)
    }

    /// Loads the server over so many connections.
    pub(crate) fn load_over(&self, path: &str, connections: usize) -> Result<Load> {
        load::measure(&self.1, path, connections, SECONDS)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The main function of the peer's process.
pub(crate) fn serve_plain_axum() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let engine = into_anyhow(bare::engine())?;
        let treats = Arc::new(into_anyhow(bare::Core::new(&engine, &wat::parse_str(TREATS)?, "treats"))?);
        let echo = Arc::new(into_anyhow(bare::Command::new(&engine, &wat::parse_str(ECHO)?))?);
        let app = Router::new()
            .route("/api/treats/{n}", get(|Path(n): Path<i32>| async move { n.to_string() }))
            .route("/api/read", post(|body: bytes::Bytes| async move { body }))
            .route("/bare/treats/{n}", get(|Path(n): Path<String>| async move { response(treats.call(&n).await) }))
            .route("/bare/echo/{n}", get(|Path(n): Path<String>| async move { response(echo.run(n).await) }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("http://{}", listener.local_addr()?);
        axum::serve(listener, app).await?;
        Ok(())
    })
}

/// The response of a handler around bare Wasmtime.
fn response(result: wasmtime::Result<bytes::Bytes>) -> std::result::Result<bytes::Bytes, String> {
    result.map_err(|error| error.to_string())
}
