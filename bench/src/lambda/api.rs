//! The parts of the AWS Lambda Runtime API that one event at a time needs. It serves loopback, with a thread for each
//! connection.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// How long the benchmark waits for a process before it fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// The response to an extension that registers. `bootstrap` registers one to be told of the environment's end.
const REGISTERED: &str = "HTTP/1.1 200 OK\r\nlambda-extension-identifier: 5f2d6d3b\r\ncontent-length: 70\r\n\r\n\
    {\"functionName\":\"treats\",\"functionVersion\":\"$LATEST\",\"handler\":\"none\"}";

/// The Runtime API for one process.
pub(super) struct RuntimeApi {
    address: String,
    polls: Receiver<(Instant, TcpStream)>,
    responses: Receiver<(Instant, String)>,
    /// The connection that waits for an event.
    waiting: Option<TcpStream>,
    closed: Arc<AtomicBool>,
}

impl RuntimeApi {
    pub(super) fn bind() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let ((poll_sender, polls), (response_sender, responses)) = (channel(), channel());
        let closed = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&closed);
        thread::spawn(move || {
            for connection in listener.incoming().flatten().take_while(|_| !done.load(Relaxed)) {
                let (poll_sender, response_sender) = (poll_sender.clone(), response_sender.clone());
                // The thread ends when its connection does, at the latest with the process.
                thread::spawn(move || serve(connection, &poll_sender, &response_sender));
            }
        });
        Ok(Self { address, polls, responses, waiting: None, closed })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the process asks for an event, and returns when it did.
    pub(super) fn wait_for_next(&mut self) -> Result<Instant> {
        let (when, connection) = self.polls.recv_timeout(PATIENCE).context("the process asks for no event")?;
        self.waiting = Some(connection);
        Ok(when)
    }

    /// Sends the process an event, and returns the time until the response, and its body.
    pub(super) fn invoke(&mut self, event: &str) -> Result<(Duration, String)> {
        let mut connection = self.waiting.take().context("the process waits for no event")?;
        let deadline = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)? + PATIENCE;
        let response = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
             lambda-runtime-deadline-ms: {}\r\n\
             lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:123456789012:function:treats\r\n\r\n{event}",
            event.len(),
            deadline.as_millis(),
        );
        let began = Instant::now();
        connection.write_all(response.as_bytes())?;
        let (when, body) = self.responses.recv_timeout(PATIENCE).context("the process does not respond")?;
        Ok((when - began, body))
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.closed.store(true, Relaxed);
        // After one more connection, the accepting thread sees `closed` and ends.
        drop(TcpStream::connect(&self.address));
    }
}

/// Serves one connection until it ends.
fn serve(connection: TcpStream, polls: &Sender<(Instant, TcpStream)>, responses: &Sender<(Instant, String)>) {
    // After an error, the waiting benchmark fails by its own timeout.
    let _ = try_serve(connection, polls, responses);
}

fn try_serve(
    mut connection: TcpStream,
    polls: &Sender<(Instant, TcpStream)>,
    responses: &Sender<(Instant, String)>,
) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut reader = BufReader::new(connection.try_clone()?);
    while let Some((path, body)) = request(&mut reader)? {
        if path.ends_with("/runtime/invocation/next") {
            polls.send((Instant::now(), connection.try_clone()?))?;
        } else if path.ends_with("/response") {
            responses.send((Instant::now(), body))?;
            connection.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")?;
        } else if path.ends_with("/extension/register") {
            connection.write_all(REGISTERED.as_bytes())?;
        } else if !path.ends_with("/extension/event/next") {
            bail!("{path} is called: {body}");
        }
    }
    Ok(())
}

/// Reads the path and the body of a request. `None` if the connection ends first.
fn request(reader: &mut BufReader<TcpStream>) -> Result<Option<(String, String)>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let path = first.split(' ').nth(1).context("no path")?.to_owned();
    let (mut length, mut chunked) = (0, false);
    while let Some(field) = line(reader)?.filter(|field| !field.is_empty()) {
        let field = field.to_ascii_lowercase();
        if let Some(value) = field.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        chunked |= field.starts_with("transfer-encoding:");
    }
    let mut body = Vec::new();
    if chunked {
        while let size @ 1.. = chunk_size(reader)? {
            reader.by_ref().take(size).read_to_end(&mut body)?;
            line(reader)?;
        }
        line(reader)?;
    } else {
        reader.by_ref().take(length).read_to_end(&mut body)?;
    }
    Ok(Some((path, String::from_utf8(body)?)))
}

fn chunk_size(reader: &mut BufReader<TcpStream>) -> Result<u64> {
    let line = line(reader)?.context("a chunk is missing")?;
    Ok(u64::from_str_radix(line.trim(), 16)?)
}

fn line(reader: &mut BufReader<TcpStream>) -> Result<Option<String>> {
    let mut line = String::new();
    Ok((reader.read_line(&mut line)? > 0).then(|| line.trim_end().to_owned()))
}
