//! The parts of the Lambda Runtime API and the Extensions API that an environment uses.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::PATIENCE;

/// The Runtime API of one environment, on a free port. Dropping it stops the server.
pub struct RuntimeApi {
    address: String,
    shared: Arc<Shared>,
    events: tokio::sync::mpsc::UnboundedSender<Event>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// An event, and how the API reacts to its response.
#[derive(Debug, Clone)]
pub struct Event {
    /// The id of the request.
    pub id: String,
    /// The event's JSON.
    pub payload: Vec<u8>,
    /// The header fields of the event, except the id.
    pub headers: BTreeMap<&'static str, String>,
    /// How the API reacts to the response.
    pub reply: Reply,
}

/// How the API reacts to a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It accepts the response.
    Accepted,
    /// It reads the response and answers with this error status.
    Rejected(u16),
    /// It closes the connection after this many bytes of the response.
    Disconnect(usize),
}

/// The response of an environment to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LambdaResponse {
    /// The endpoint that it was sent to: `response` or `error`.
    pub endpoint: String,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, as far as it arrived.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: HeaderMap,
}

#[derive(Default)]
struct Shared {
    /// The events whose responses are still to come, by their ids.
    pending: Mutex<HashMap<String, (Reply, mpsc::Sender<LambdaResponse>)>>,
    /// The messages of the environment that are not responses, by their names.
    messages: Mutex<HashMap<String, Value>>,
    message_arrived: Condvar,
    /// How often the environment asked for an event.
    polls: Mutex<usize>,
    polled: Condvar,
}

impl Event {
    /// An event with the header fields that Lambda sends, whose deadline is in one minute.
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        static EVENTS: AtomicU64 = AtomicU64::new(1);
        let id = format!("8476a536-e9f4-11e8-9739-{:012x}", EVENTS.fetch_add(1, Relaxed));
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:tests".to_owned();
        let headers = [("lambda-runtime-invoked-function-arn", arn)].into();
        let event = Self { id, payload: payload.into(), headers, reply: Reply::Accepted };
        event.with_time(Duration::from_secs(60))
    }

    /// The event that a function URL makes of `request`.
    pub fn of_request(request: &Request<Option<Vec<u8>>>) -> Self {
        Self::new(function_url(request).to_string())
    }

    /// The same event with a new id.
    #[must_use]
    pub fn with_new_id(self) -> Self {
        let Self { id, .. } = Self::new([]);
        Self { id, ..self }
    }

    /// The same event whose deadline is `left` from now.
    #[must_use]
    pub fn with_time(self, left: Duration) -> Self {
        let deadline = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + left;
        self.with("lambda-runtime-deadline-ms", &deadline.as_millis().to_string())
    }

    /// The same event with a header field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    /// The same event without a header field.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// The same event, to whose response the API reacts with `reply`.
    #[must_use]
    pub fn with_reply(self, reply: Reply) -> Self {
        Self { reply, ..self }
    }
}

impl LambdaResponse {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The prelude and the body of a streamed response.
    pub fn streamed(&self) -> (Value, &[u8]) {
        let delimiter = self.body.windows(8).position(|window| window == [0; 8]).expect("a prelude and its end");
        (serde_json::from_slice(&self.body[..delimiter]).unwrap(), &self.body[delimiter + 8..])
    }
}

impl RuntimeApi {
    /// Starts the server.
    pub fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = mpsc::channel();
        let server = Server { shared: Arc::clone(&shared), events: Arc::new(events.into()) };
        let thread = thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(async {
                tokio::select! {
                    () = server.serve(bound) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address.recv().unwrap();
        Self { address, shared, events: sender, stop: Some(stop), thread: Some(thread) }
    }

    /// The address of the server: `127.0.0.1:43210`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Offers an event to the environment. Its response arrives on the returned channel.
    pub fn offer(&self, event: Event) -> mpsc::Receiver<LambdaResponse> {
        let (sender, response) = mpsc::channel();
        self.shared.pending.lock().unwrap().insert(event.id.clone(), (event.reply, sender));
        self.events.send(event).expect("the server runs until the API is dropped");
        response
    }

    /// Offers an event and waits for the response. `None` if none comes.
    pub fn invoke(&self, event: Event) -> Option<LambdaResponse> {
        self.offer(event).recv_timeout(PATIENCE).ok()
    }

    /// Waits until the environment has asked for an event this often.
    pub fn wait_for_polls(&self, times: usize) {
        let polls = self.shared.polls.lock().unwrap();
        let waiting = self.shared.polled.wait_timeout_while(polls, PATIENCE, |polls| *polls < times);
        let (polls, _) = waiting.unwrap();
        assert!(*polls >= times, "the environment asked for an event {polls} times");
    }

    /// Waits for a message of the environment: `extension` when an extension registers, or `init_error`.
    pub fn wait_for_message(&self, name: &str) -> Value {
        let messages = self.shared.messages.lock().unwrap();
        let arrived = &self.shared.message_arrived;
        let waiting = arrived.wait_timeout_while(messages, PATIENCE, |messages| !messages.contains_key(name));
        let (messages, _) = waiting.unwrap();
        messages.get(name).unwrap_or_else(|| panic!("no message {name}")).clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}

#[derive(Clone)]
struct Server {
    shared: Arc<Shared>,
    events: Arc<tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<Event>>>,
}

/// The API closes the connection on purpose.
#[derive(Debug, thiserror::Error)]
#[error("disconnected on purpose")]
struct Disconnected;

impl Server {
    async fn serve(self, bound: mpsc::Sender<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        bound.send(listener.local_addr().unwrap().to_string()).unwrap();
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| server.clone().answer(request));
                // An error means that the API disconnected on purpose.
                drop(http1::Builder::new().serve_connection(TokioIo::new(connection), service).await);
            });
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Disconnected> {
        let path = request.uri().path().to_owned();
        let segments: Vec<_> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["2018-06-01", "runtime", "invocation", "next"] => Ok(self.next().await),
            ["2018-06-01", "runtime", "invocation", id, endpoint] => self.take_response(id, endpoint, request).await,
            ["2018-06-01", "runtime", "init", "error"] => self.take_message("init_error", request).await,
            ["2020-01-01", "extension", "register"] => self.take_message("extension", request).await,
            ["2020-01-01", "extension", "event", "next"] => std::future::pending().await,
            _ => Ok(status(StatusCode::NOT_FOUND)),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        *self.shared.polls.lock().unwrap() += 1;
        self.shared.polled.notify_all();
        let Some(event) = self.events.lock().await.recv().await else { return std::future::pending().await };
        let mut response = Response::builder().header("lambda-runtime-aws-request-id", event.id);
        for (name, value) in event.headers {
            response = response.header(name, value);
        }
        response.body(event.payload.into()).unwrap()
    }

    async fn take_response(
        &self,
        id: &str,
        endpoint: &str,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Disconnected> {
        let Some((reply, sender)) = self.shared.pending.lock().unwrap().remove(id) else {
            return Ok(status(StatusCode::BAD_REQUEST));
        };
        let max_bytes = if let Reply::Disconnect(bytes) = reply { bytes } else { usize::MAX };
        let response = read(endpoint, request, max_bytes).await?;
        // The test may have dropped the receiver.
        drop(sender.send(response));
        match reply {
            Reply::Accepted => Ok(status(StatusCode::ACCEPTED)),
            Reply::Rejected(code) => Ok(status(StatusCode::from_u16(code).unwrap())),
            Reply::Disconnect(_) => Err(Disconnected),
        }
    }

    async fn take_message(
        &self,
        name: &str,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Disconnected> {
        let message = read(name, request, usize::MAX).await?;
        self.shared.messages.lock().unwrap().insert(name.to_owned(), message.json());
        self.shared.message_arrived.notify_all();
        let registered = json!({ "functionName": "tests", "functionVersion": "$LATEST", "handler": "bootstrap" });
        let response = Response::builder().status(if name == "extension" { 200 } else { 202 });
        Ok(response.header("lambda-extension-identifier", "e").body(registered.to_string().into()).unwrap())
    }
}

/// Reads a request until its body has `max_bytes`.
async fn read(endpoint: &str, request: Request<Incoming>, max_bytes: usize) -> Result<LambdaResponse, Disconnected> {
    let (parts, mut incoming) = request.into_parts();
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    while body.len() < max_bytes
        && let Some(frame) = incoming.frame().await
    {
        match frame.map_err(|_| Disconnected)?.into_data() {
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok(LambdaResponse { endpoint: endpoint.to_owned(), headers: parts.headers, body, trailers })
}

/// The event that a function URL makes of a request.
fn function_url(request: &Request<Option<Vec<u8>>>) -> Value {
    let (path, body) = (request.uri().path(), request.body().as_ref().map(|body| STANDARD.encode(body)));
    let field = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().into());
    let mut headers: Map<_, _> = request.headers().iter().map(field).collect();
    let cookies = headers.remove("cookie").map(|cookies| vec![cookies]);
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.uri().query().unwrap_or_default(),
        "cookies": cookies,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "tests",
            "domainName": "tests.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "tests",
            "http": {
                "method": request.method().as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "nebula-tests",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "25/Nov/2026:03:23:00 +0000",
            "timeEpoch": 1_795_576_980_000_u64,
        },
        "isBase64Encoded": body.is_some(),
        "body": body,
    })
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("{}"));
    *response.status_mut() = status;
    response
}
