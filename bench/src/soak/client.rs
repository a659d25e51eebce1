//! Clients that send requests until they are stopped, and count unexpected responses.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

/// How long a client waits for a response.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections that each send a request when they have the response to the last one.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    connections: Vec<JoinHandle<RequestCounts>>,
}

/// The number of requests and of failures.
#[derive(Debug, Default)]
pub(crate) struct RequestCounts {
    pub(crate) sent: u64,
    /// Requests without a response, and requests with an unexpected status.
    pub(crate) failed: u64,
    pub(crate) slowest: Duration,
    /// The first failure.
    pub(crate) failure: Option<String>,
}

impl Load {
    /// Starts to request these paths on `connections` connections. Each path has its expected status.
    pub(crate) fn begin(address: &str, targets: &[(&'static str, u16)], connections: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let connection = |(path, status): &(&'static str, u16)| {
            let (address, path, status, stop) = (address.to_owned(), *path, *status, Arc::clone(&stop));
            thread::spawn(move || send_requests(&address, path, status, &stop))
        };
        let spawned = targets.iter().cycle().take(connections).map(connection).collect();
        Self { stop, connections: spawned }
    }

    /// Stops the load, waits for the last responses, and returns the counts.
    pub(crate) fn end(self) -> Result<RequestCounts> {
        self.stop.store(true, Relaxed);
        let mut all = RequestCounts::default();
        for connection in self.connections {
            all.add(connection.join().map_err(|_| anyhow!("a client panicked"))?);
        }
        Ok(all)
    }
}

impl RequestCounts {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.failed += other.failed;
        self.slowest = self.slowest.max(other.slowest);
        self.failure = self.failure.take().or(other.failure);
    }

    /// Counts a request that took `took`.
    pub(crate) fn count(&mut self, response: &Result<Response>, expected: u16, took: Duration) {
        self.sent += 1;
        self.slowest = self.slowest.max(took);
        let failure = match response {
            Ok(response) if response.status == expected => return,
            Ok(response) => format!("expected {expected}, got {}: {}", response.status, response.body),
            Err(error) => format!("{error:#}"),
        };
        self.failed += 1;
        self.failure.get_or_insert(failure);
    }
}

fn send_requests(address: &str, path: &str, status: u16, stop: &AtomicBool) -> RequestCounts {
    let (mut counts, mut connection) = (RequestCounts::default(), None);
    while !stop.load(Relaxed) {
        let began = Instant::now();
        let response = exchange(&mut connection, address, path);
        counts.count(&response, status, began.elapsed());
        if response.is_err() {
            connection = None;
            // Without a pause, a client would send a million requests to a server that has ended.
            thread::sleep(Duration::from_millis(100));
        }
    }
    counts
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Sends one request on a new connection, and returns the response and the time that it took.
pub(crate) fn get(address: &str, path: &str) -> (Result<Response>, Duration) {
    let began = Instant::now();
    (exchange(&mut None, address, path), began.elapsed())
}

/// Sends one request on `connection`, which it makes if there is none.
pub(crate) fn exchange(connection: &mut Option<TcpStream>, address: &str, path: &str) -> Result<Response> {
    let stream = match connection {
        Some(stream) => stream,
        None => connection.insert(connect(address)?),
    };
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())?;
    let (mut received, mut buffer) = (Vec::new(), [0; 16 << 10]);
    loop {
        if let Some(response) = whole(&received) {
            return Ok(response);
        }
        let read = stream.read(&mut buffer).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => anyhow!("{path} had no response within {PATIENCE:?}"),
            _ => error.into(),
        })?;
        let read = buffer.get(..read).filter(|read| !read.is_empty()).context("the server closed the connection")?;
        received.extend_from_slice(read);
    }
}

fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).context("the server cannot be reached")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The response, once it is complete. No response to these requests is chunked.
fn whole(received: &[u8]) -> Option<Response> {
    let (head, body) = std::str::from_utf8(received).ok()?.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "))?;
    (body.len() >= length.parse().ok()?).then(|| Response { status, body: body.to_owned() })
}
