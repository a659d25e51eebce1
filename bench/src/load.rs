//! A client that loads a server over many connections, in a process of its own.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Builder,
    task::JoinSet,
};

/// What a client saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Requests per second, of all connections.
    pub(crate) rate: f64,
    /// The time that 99 of 100 requests stayed below.
    pub(crate) p99: Duration,
}

/// Loads the server at `address` for so many seconds. Each connection sends a request when it has the response to the
/// last one. A response that is not a success is an error.
pub(crate) fn measure(address: &str, path: &str, connections: usize, seconds: u64) -> Result<Load> {
    let client = client(["peer-load", address, path], connections)?.arg(seconds.to_string()).output()?;
    ensure!(client.status.success(), "the client failed: {}", String::from_utf8_lossy(&client.stderr));
    let written = String::from_utf8(client.stdout)?;
    let (rate, p99) = written.trim().split_once(' ').context("the client wrote no two numbers")?;
    Ok(Load { rate: rate.parse()?, p99: Duration::from_micros(p99.parse()?) })
}

/// Calls a server over so many connections, whatever it answers, until this is dropped.
pub(crate) struct Flood(Child);

impl Flood {
    pub(crate) fn begin(address: &str, path: &str, connections: usize) -> Result<Self> {
        Ok(Self(client(["peer-flood", address, path], connections)?.stdin(Stdio::piped()).spawn()?))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn client(arguments: [&str; 3], connections: usize) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).arg(connections.to_string());
    Ok(command)
}

/// The main function of a process that measures.
pub(crate) fn run(address: &str, path: &str, connections: usize, seconds: u64) -> Result<()> {
    let request = request(address, path);
    let mut times = Builder::new_current_thread().enable_all().build()?.block_on(async {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut running = JoinSet::new();
        for _ in 0..connections {
            running.spawn(connection(address.to_owned(), request.clone(), until));
        }
        let mut times = Vec::new();
        while let Some(connection) = running.join_next().await {
            times.extend(connection??);
        }
        anyhow::Ok(times)
    })?;
    times.sort_unstable();
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    println!("{} {p99}", times.len() as f64 / seconds as f64);
    Ok(())
}

/// The main function of a process that floods. It ends when its parent does.
pub(crate) fn flood(address: &str, path: &str, connections: usize) -> Result<()> {
    std::thread::spawn(|| {
        drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        std::process::exit(0);
    });
    let request = request(address, path);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut running = JoinSet::new();
        for _ in 0..connections {
            let (address, request) = (address.to_owned(), request.clone());
            running.spawn(async move {
                loop {
                    // A connection that ends is made anew.
                    drop(flood_once(&address, &request).await);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        }
        while running.join_next().await.is_some() {}
    });
    Ok(())
}

fn request(address: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n")
}

/// Sends requests until the connection fails.
async fn flood_once(address: &str, request: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let mut buffer = vec![0; 4096];
    loop {
        exchange(&mut stream, request, &mut buffer).await?;
    }
}

/// Sends requests until then, and returns the times of the responses in microseconds.
async fn connection(address: String, request: String, until: Instant) -> Result<Vec<u32>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut times) = (vec![0; 4096], Vec::new());
    let mut began = Instant::now();
    while began < until {
        let length = exchange(&mut stream, &request, &mut buffer).await?;
        let answer = buffer.get(..length).unwrap_or_default();
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "not a success: {}", String::from_utf8_lossy(answer));
        let now = Instant::now();
        times.push(u32::try_from((now - began).as_micros()).unwrap_or(u32::MAX));
        began = now;
    }
    Ok(times)
}

/// Sends a request, and reads its response into `buffer`. Returns the length of the response.
async fn exchange(stream: &mut TcpStream, request: &str, buffer: &mut [u8]) -> Result<usize> {
    stream.write_all(request.as_bytes()).await?;
    let mut filled = 0;
    while !is_whole(buffer.get(..filled).unwrap_or_default())? {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
        ensure!(read > 0, "the server closed the connection");
        filled += read;
    }
    Ok(filled)
}

/// Whether this is a complete response. The function reads as few bytes as it can, because the client shares the
/// machine with the server.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(end) = memmem::find(answer, b"\r\n\r\n") else {
        return Ok(false);
    };
    let (head, body) = answer.split_at(end + 4);
    let length = memmem::find(head, b"content-length: ").and_then(|at| head.get(at + 16..));
    match length.and_then(|length| length.split(|byte| *byte == b'\r').next()) {
        Some(length) => Ok(body.len() >= std::str::from_utf8(length)?.parse()?),
        // A chunked body ends with an empty chunk (RFC 9112, section 7.1).
        None => Ok(body.ends_with(b"0\r\n\r\n")),
    }
}
