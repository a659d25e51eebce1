//! Any text as a reference, and as the path of a request.

use std::{
    fmt::Write as _,
    sync::{Arc, LazyLock, Mutex},
};

use axum::body::Body;
use http::{HeaderValue, Request};
use nebula_http::App;
use nebula_runtime::{ErrorKind, Event, FunctionConfig, FunctionRef, Invocation, Response, invoker_fn};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::functions::Functions;

/// A function that returns its numbers.
const NUMBERS: &str = r#"(module (func (export "numbers") (param i32 i64 f32 f64) (result i32 i64 f32 f64)
    local.get 0 local.get 1 local.get 2 local.get 3))"#;

/// The longest path that a request can have, with each of its bytes encoded.
const MAX_SIZE: usize = 16 * 1024;

static FUNCTIONS: LazyLock<Functions> =
    LazyLock::new(|| Functions::new([("numbers", NUMBERS.into(), FunctionConfig::default())]));

/// The function and the arguments of a call.
type Called = (FunctionRef, Vec<String>);

/// A text that is a reference is displayed as a text that means the same. A path names a function and its arguments,
/// and the path that is made of these names them again. Arguments that are numbers come back from a function as JSON
/// that is the same numbers again.
pub fn reference(input: &[u8]) {
    let Some(text) = str::from_utf8(input).ok().filter(|text| text.len() < MAX_SIZE) else { return };
    if let Ok(function) = text.parse::<FunctionRef>() {
        assert_eq!(function.to_string().parse(), Ok(function));
    }
    if let Some(called) = called(&format!("/api/{text}")) {
        assert_eq!(self::called(&path(&called)).as_ref(), Some(&called), "{text}");
        assert_numbers_come_back(Event::default().with_arguments(called.1));
    }
}

/// What a request of this path calls; `None` if it calls nothing.
fn called(path: &str) -> Option<Called> {
    let request = Request::get(path).header("host", "tests.example").body(Body::empty()).ok()?;
    let called = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&called);
    let note = move |invocation: Invocation| {
        *noted.lock().unwrap() = Some((invocation.function.clone(), invocation.event.arguments().to_vec()));
        async move { Ok(Response::new(HeaderValue::from_static("text/plain"), "", invocation.report)) }
    };
    let app = App::from(nebula_http::router(Arc::new(invoker_fn(note))));
    let status = FUNCTIONS.tokio.block_on(app.answer(request)).status();
    let called = called.lock().unwrap().take();
    assert_eq!(called.is_some(), status.is_success(), "{status}");
    called
}

/// The path of a request that makes this call.
fn path((function, arguments): &Called) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut path = format!("/api/{}", encoded(&function.to_string()));
    for argument in arguments {
        write!(path, "/{}", encoded(argument)).unwrap();
    }
    // A slash at the end adds no argument, so that an empty one needs another.
    if arguments.last().is_some_and(String::is_empty) {
        path.push('/');
    }
    path
}

fn assert_numbers_come_back(event: Event) {
    let call = |event| FUNCTIONS.tokio.block_on(FUNCTIONS.runtime.call("numbers", event));
    match call(event) {
        Ok(numbers) => assert_eq!(call(Event::json(numbers.clone())).ok(), Some(numbers)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}"),
    }
}
