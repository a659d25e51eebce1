//! Clients that go on until they are stopped, and count what is not as it should be.

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

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections that each send their next request when they have the answer.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    connections: Vec<JoinHandle<Tally>>,
}

/// What came of requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    /// Requests without an answer, and those with another status than was expected.
    pub(crate) failed: u64,
    pub(crate) slowest: Duration,
    /// The first failure.
    pub(crate) failure: Option<String>,
}

impl Load {
    /// Begins to ask for each of these paths, each of which has its status, on `connections` connections.
    pub(crate) fn begin(address: &str, asked: &[(&'static str, u16)], connections: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let connection = |(path, status): &(&'static str, u16)| {
            let (address, path, status, stop) = (address.to_owned(), *path, *status, Arc::clone(&stop));
            thread::spawn(move || ask_on(&address, path, status, &stop))
        };
        let spawned = asked.iter().cycle().take(connections).map(connection).collect();
        Self { stop, connections: spawned }
    }

    /// What came of it, after the answers that are still to come.
    pub(crate) fn end(self) -> Result<Tally> {
        self.stop.store(true, Relaxed);
        let mut all = Tally::default();
        for connection in self.connections {
            all.add(connection.join().map_err(|_| anyhow!("a client panicked"))?);
        }
        Ok(all)
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.slowest = self.slowest.max(other.slowest);
        self.failure = self.failure.take().or(other.failure);
    }

    /// Counts one request, which took so long.
    pub(crate) fn count(&mut self, answer: &Result<Answer>, expected: u16, took: Duration) {
        self.answered += 1;
        self.slowest = self.slowest.max(took);
        let failure = match answer {
            Ok(answer) if answer.status == expected => return,
            Ok(answer) => format!("expected {expected}, got {}: {}", answer.status, answer.body),
            Err(error) => format!("{error:#}"),
        };
        self.failed += 1;
        self.failure.get_or_insert(failure);
    }
}

fn ask_on(address: &str, path: &str, status: u16, stop: &AtomicBool) -> Tally {
    let (mut tally, mut connection) = (Tally::default(), None);
    while !stop.load(Relaxed) {
        let began = Instant::now();
        let answer = exchange(&mut connection, address, path);
        tally.count(&answer, status, began.elapsed());
        if answer.is_err() {
            connection = None;
            // A server that is gone would be asked a million times.
            thread::sleep(Duration::from_millis(100));
        }
    }
    tally
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks once, and says how long that took.
pub(crate) fn ask(address: &str, path: &str) -> (Result<Answer>, Duration) {
    let began = Instant::now();
    (exchange(&mut None, address, path), began.elapsed())
}

fn exchange(connection: &mut Option<TcpStream>, address: &str, path: &str) -> Result<Answer> {
    let stream = match connection {
        Some(stream) => stream,
        None => connection.insert(connect(address)?),
    };
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())?;
    let (mut received, mut buffer) = (Vec::new(), [0; 16 << 10]);
    loop {
        if let Some(answer) = whole(&received) {
            return Ok(answer);
        }
        let read = stream.read(&mut buffer).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => anyhow!("{path} had no answer within {PATIENCE:?}"),
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

/// The answer, once all of it is there. Nothing that is asked for comes in chunks.
fn whole(received: &[u8]) -> Option<Answer> {
    let (head, body) = std::str::from_utf8(received).ok()?.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: "))?;
    (body.len() >= length.parse().ok()?).then(|| Answer { status, body: body.to_owned() })
}
