//! The callers, and what they saw.

use std::{
    collections::BTreeMap,
    fmt,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle, sleep},
    time::Duration,
};

use anyhow::{Result, anyhow, bail, ensure};

use crate::soak::client::exchange;

/// How many callers of each kind there are.
const CALLERS: [(&str, Call, usize); 7] = [
    ("own text", own_text, 8),
    ("state", state, 4),
    ("alias", alias, 4),
    ("trap", trap, 2),
    ("time limit", spin, 2),
    ("slow reader", read_slowly, 2),
    ("leaver", leave, 2),
];

/// The response of `large`.
const LARGE: usize = 1 << 20;

/// One call of a caller, with an error that says what was wrong.
type Call = fn(&mut Caller) -> Result<()>;

struct Caller {
    address: String,
    connection: Option<TcpStream>,
    /// A text of its own.
    name: String,
    calls: u64,
    /// The last number that its page had, and how often it was counted without an answer since.
    counted: (u64, u64),
    /// How many versions the alias has.
    versions: u64,
}

/// Callers, until they are told to stop.
pub(super) struct Callers(Vec<(&'static str, JoinHandle<Counts>)>);

/// What the callers of each kind saw.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<&'static str, Counts>);

/// What one caller saw.
#[derive(Default)]
struct Counts {
    calls: u64,
    /// Calls that were answered by a failure that may be: Redis was away, or all places were taken.
    refused: u64,
    wrong: u64,
    first: Option<String>,
}

impl Callers {
    /// Begins to call. The alias has no more than so many versions.
    pub(super) fn begin(address: &str, versions: u64, stop: &Arc<AtomicBool>) -> Self {
        let mut callers = Vec::new();
        for (kind, call, count) in CALLERS {
            for number in 0..count {
                let (stop, name) = (Arc::clone(stop), format!("{}-{number}", kind.replace(' ', "-")));
                let (address, connection, calls, counted) = (address.to_owned(), None, 0, (0, 0));
                let caller = Caller { address, connection, name, calls, counted, versions };
                callers.push((kind, thread::spawn(move || caller.call_until(call, &stop))));
            }
        }
        Self(callers)
    }

    /// Stops the callers, and returns what they saw.
    pub(super) fn end(self, stop: &AtomicBool) -> Result<Seen> {
        stop.store(true, Relaxed);
        let mut seen = Seen::default();
        for (kind, caller) in self.0 {
            let counts = caller.join().map_err(|_| anyhow!("a caller panicked"))?;
            seen.0.entry(kind).or_default().add(counts);
        }
        Ok(seen)
    }
}

impl Seen {
    /// # Errors
    /// If an answer was wrong.
    pub(super) fn check(&self) -> Result<()> {
        let first = self.0.iter().find_map(|(kind, counts)| Some(format!("{kind}: {}", counts.first.as_ref()?)));
        match first {
            Some(wrong) => bail!("an answer was wrong: {wrong}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.iter().map(|(kind, Counts { calls, refused, wrong, .. })| {
            format!("  {kind}: {calls} calls, {refused} refused, {wrong} wrong")
        });
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.refused += other.refused;
        self.wrong += other.wrong;
        self.first = self.first.take().or(other.first);
    }
}

/// A failure that the caller may see.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

impl Caller {
    fn call_until(mut self, call: Call, stop: &AtomicBool) -> Counts {
        let mut counts = Counts::default();
        while !stop.load(Relaxed) {
            self.calls += 1;
            counts.calls += 1;
            match call(&mut self) {
                Ok(()) => {}
                Err(error) if error.is::<Refused>() => counts.refused += 1,
                Err(error) => {
                    counts.wrong += 1;
                    counts.first.get_or_insert(format!("{} in call {}: {error:#}", self.name, self.calls));
                    self.connection = None;
                }
            }
        }
        counts
    }

    /// Calls a path, and returns the body of an answer with this status.
    fn get(&mut self, path: &str, status: u16) -> Result<String> {
        let answer = exchange(&mut self.connection, &self.address, path)?;
        ensure!(answer.status == status, "{path} got {}: {}", answer.status, answer.body);
        Ok(answer.body)
    }

    fn request(&self, path: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)?;
        Ok(stream)
    }
}

/// Its answer is its own text, and no other caller's.
fn own_text(caller: &mut Caller) -> Result<()> {
    let text = format!("{}-{}", caller.name, caller.calls);
    let answer = caller.get(&format!("/api/echo/{text}"), 200)?;
    ensure!(answer == text, "{text} was answered with {answer}");
    Ok(())
}

/// Its page is counted once for each call. A call without an answer may have been counted.
fn state(caller: &mut Caller) -> Result<()> {
    let path = format!("/api/visits:count/{}", caller.name);
    let answer = exchange(&mut caller.connection, &caller.address, &path)?;
    let (last, unknown) = caller.counted;
    if answer.status != 200 {
        // Redis is away. Its client may have sent the command before.
        caller.counted.1 += 1;
        sleep(Duration::from_millis(50));
        bail!(Refused);
    }
    let count: u64 = answer.body.parse()?;
    ensure!((last + 1..=last + 1 + unknown).contains(&count), "{count} came after {last} and {unknown} unknown");
    caller.counted = (count, 0);
    Ok(())
}

/// Its answer is a version that the alias may have.
fn alias(caller: &mut Caller) -> Result<()> {
    let version: u64 = caller.get("/shop", 200)?.parse()?;
    ensure!((1..=caller.versions).contains(&version), "there is no version {version}");
    Ok(())
}

fn trap(caller: &mut Caller) -> Result<()> {
    ensure!(caller.get("/api/trap", 502)?.contains("guest_fault"), "a trap is no fault of the guest");
    Ok(())
}

fn spin(caller: &mut Caller) -> Result<()> {
    ensure!(caller.get("/api/spin", 504)?.contains("timeout"), "a guest that spins is not ended by its time limit");
    Ok(())
}

/// It reads a long answer in small steps, and gets all of it.
fn read_slowly(caller: &mut Caller) -> Result<()> {
    let mut stream = caller.request("/api/large")?;
    let (mut received, mut part) = (0, vec![0; 32 << 10]);
    loop {
        let read = stream.read(&mut part)?;
        if read == 0 {
            break;
        }
        received += part.iter().take(read).filter(|byte| **byte == b'z').count();
        sleep(Duration::from_millis(10));
    }
    ensure!(received == LARGE, "{received} bytes of {LARGE} came");
    Ok(())
}

/// It leaves at once, in the middle of an answer, or while its function runs.
fn leave(caller: &mut Caller) -> Result<()> {
    let paths = ["/api/echo/gone", "/api/large", "/api/spin"];
    let path = paths.get(caller.calls as usize % paths.len()).copied().unwrap_or_default();
    let mut stream = caller.request(path)?;
    if caller.calls.is_multiple_of(2) {
        stream.read_exact(&mut [0; 12])?;
    }
    stream.shutdown(Shutdown::Both)?;
    sleep(Duration::from_millis(5));
    Ok(())
}
