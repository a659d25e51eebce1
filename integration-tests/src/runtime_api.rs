//! The Lambda Runtime API and the Extensions API, as far as an environment sees them.

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

/// The Runtime API of one environment, on a port that was free. Dropping it ends it.
pub struct RuntimeApi {
    address: String,
    shared: Arc<Shared>,
    next: tokio::sync::mpsc::UnboundedSender<Event>,
    ending: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// An event, and how the API treats its answer.
#[derive(Debug, Clone)]
pub struct Event {
    /// The request's id.
    pub id: String,
    /// The event.
    pub payload: Vec<u8>,
    /// The header fields that it comes with, besides the id.
    pub headers: BTreeMap<&'static str, String>,
    /// What becomes of the answer.
    pub reply: Reply,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It is taken.
    Taken,
    /// It is read, and refused with this status.
    Refused(u16),
    /// The connection is closed once so many of its bytes came.
    Cut(usize),
}

/// What an environment answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// Where it was sent: `response` or `error`.
    pub endpoint: String,
    /// Its header fields.
    pub headers: HeaderMap,
    /// What came of it.
    pub body: Vec<u8>,
    /// What came behind it.
    pub trailers: HeaderMap,
}

#[derive(Default)]
struct Shared {
    /// Who waits for an answer, and what becomes of it.
    waiting: Mutex<HashMap<String, (Reply, mpsc::Sender<Invoked>)>>,
    /// What it was told, by what that was about.
    told: Mutex<HashMap<String, Value>>,
    is_told: Condvar,
    /// How often it was asked for an event.
    asked: Mutex<usize>,
    is_asked: Condvar,
}

impl Event {
    /// An event that comes with all that Lambda says, and has a minute.
    pub fn new(payload: impl Into<Vec<u8>>) -> Self {
        static EVENTS: AtomicU64 = AtomicU64::new(1);
        let id = format!("8476a536-e9f4-11e8-9739-{:012x}", EVENTS.fetch_add(1, Relaxed));
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:tests".to_owned();
        let headers = [("lambda-runtime-invoked-function-arn", arn)].into();
        let event = Self { id, payload: payload.into(), headers, reply: Reply::Taken };
        event.with_time(Duration::from_secs(60))
    }

    /// The event of a function URL that is sent `request`.
    pub fn of_request(request: &Request<Option<Vec<u8>>>) -> Self {
        Self::new(function_url(request).to_string())
    }

    /// The same event under an id of its own.
    #[must_use]
    pub fn again(self) -> Self {
        let Self { id, .. } = Self::new([]);
        Self { id, ..self }
    }

    /// The same event with so much time left.
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

    /// The same event, whose answer becomes `reply`.
    #[must_use]
    pub fn with_reply(self, reply: Reply) -> Self {
        Self { reply, ..self }
    }
}

impl Invoked {
    /// The answer as JSON.
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// A streamed answer's prelude and body.
    pub fn streamed(&self) -> (Value, &[u8]) {
        let delimiter = self.body.windows(8).position(|window| window == [0; 8]).expect("a prelude and its end");
        (serde_json::from_slice(&self.body[..delimiter]).unwrap(), &self.body[delimiter + 8..])
    }
}

impl RuntimeApi {
    /// Starts serving.
    pub fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let (next, events) = tokio::sync::mpsc::unbounded_channel();
        let (ending, ended) = oneshot::channel();
        let (bound, address) = mpsc::channel();
        let server = Server { shared: Arc::clone(&shared), events: Arc::new(events.into()) };
        let serving = thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(async {
                tokio::select! {
                    () = server.serve(bound) => {}
                    _ = ended => {}
                }
            });
        });
        let address = address.recv().unwrap();
        Self { address, shared, next, ending: Some(ending), serving: Some(serving) }
    }

    /// Where it listens: `127.0.0.1:43210`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Offers an event, and gives its answer once that came.
    pub fn offer(&self, event: Event) -> mpsc::Receiver<Invoked> {
        let (answer, answered) = mpsc::channel();
        self.shared.waiting.lock().unwrap().insert(event.id.clone(), (event.reply, answer));
        self.next.send(event).expect("the API serves as long as it is there");
        answered
    }

    /// Offers an event and waits for the answer; nothing where none comes.
    pub fn invoke(&self, event: Event) -> Option<Invoked> {
        self.offer(event).recv_timeout(PATIENCE).ok()
    }

    /// Waits until it was asked for an event so often.
    pub fn wait_until_asked(&self, times: usize) {
        let asked = self.shared.asked.lock().unwrap();
        let waiting = self.shared.is_asked.wait_timeout_while(asked, PATIENCE, |asked| *asked < times);
        let (asked, _) = waiting.unwrap();
        assert!(*asked >= times, "it was asked {asked} times");
    }

    /// What it was told by an `extension` that registered, or of an `init_error`, once it was.
    pub fn wait_for(&self, what: &str) -> Value {
        let told = self.shared.told.lock().unwrap();
        let waiting = self.shared.is_told.wait_timeout_while(told, PATIENCE, |told| !told.contains_key(what));
        let (told, _) = waiting.unwrap();
        told.get(what).unwrap_or_else(|| panic!("nothing was told of {what}")).clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        drop(self.ending.take());
        drop(self.serving.take().map(JoinHandle::join));
    }
}

#[derive(Clone)]
struct Server {
    shared: Arc<Shared>,
    events: Arc<tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<Event>>>,
}

/// The connection ends: what is left of the exchange is not wanted.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

impl Server {
    async fn serve(self, bound: mpsc::Sender<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        bound.send(listener.local_addr().unwrap().to_string()).unwrap();
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| server.clone().answer(request));
                // One that is cut has ended as it was to.
                drop(http1::Builder::new().serve_connection(TokioIo::new(connection), service).await);
            });
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let path = request.uri().path().to_owned();
        let segments: Vec<_> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["2018-06-01", "runtime", "invocation", "next"] => Ok(self.next().await),
            ["2018-06-01", "runtime", "invocation", id, endpoint] => self.take(id, endpoint, request).await,
            ["2018-06-01", "runtime", "init", "error"] => self.tell("init_error", request).await,
            ["2020-01-01", "extension", "register"] => self.tell("extension", request).await,
            ["2020-01-01", "extension", "event", "next"] => std::future::pending().await,
            _ => Ok(status(StatusCode::NOT_FOUND)),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        *self.shared.asked.lock().unwrap() += 1;
        self.shared.is_asked.notify_all();
        let Some(event) = self.events.lock().await.recv().await else { return std::future::pending().await };
        let mut response = Response::builder().header("lambda-runtime-aws-request-id", event.id);
        for (name, value) in event.headers {
            response = response.header(name, value);
        }
        response.body(event.payload.into()).unwrap()
    }

    async fn take(&self, id: &str, endpoint: &str, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let Some((reply, answer)) = self.shared.waiting.lock().unwrap().remove(id) else {
            return Ok(status(StatusCode::BAD_REQUEST));
        };
        let enough = if let Reply::Cut(bytes) = reply { bytes } else { usize::MAX };
        let invoked = read(endpoint, request, enough).await?;
        // Nobody listens to the answer of an event that was only offered.
        drop(answer.send(invoked));
        match reply {
            Reply::Taken => Ok(status(StatusCode::ACCEPTED)),
            Reply::Refused(code) => Ok(status(StatusCode::from_u16(code).unwrap())),
            Reply::Cut(_) => Err(Cut),
        }
    }

    async fn tell(&self, name: &str, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let said = read(name, request, usize::MAX).await?;
        self.shared.told.lock().unwrap().insert(name.to_owned(), said.json());
        self.shared.is_told.notify_all();
        let registered = json!({ "functionName": "tests", "functionVersion": "$LATEST", "handler": "bootstrap" });
        let response = Response::builder().status(if name == "extension" { 200 } else { 202 });
        Ok(response.header("lambda-extension-identifier", "e").body(registered.to_string().into()).unwrap())
    }
}

/// What a request says, up to where it is enough.
async fn read(endpoint: &str, request: Request<Incoming>, enough: usize) -> Result<Invoked, Cut> {
    let (parts, mut incoming) = request.into_parts();
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    while body.len() < enough
        && let Some(frame) = incoming.frame().await
    {
        match frame.map_err(|_| Cut)?.into_data() {
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok(Invoked { endpoint: endpoint.to_owned(), headers: parts.headers, body, trailers })
}

/// A request as a function URL makes an event of it.
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
