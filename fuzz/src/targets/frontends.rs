//! The same call through HTTP, AWS Lambda and a pipe.

use std::sync::{Arc, LazyLock, Mutex};

use nebula_http::{Api, App, Shutdown, Site};
use nebula_integration_tests::Event;
use nebula_lambda::test_kit::Environment;
use nebula_runtime::{FunctionConfig, Invocation, Invoker, invoker_fn};

use super::typed::SAME;
use crate::{
    answer::Answer,
    call::Call,
    functions::{Functions, guest},
    lambda::environment,
    pipe,
};

/// A function that adds two numbers.
const ADD: &str = r#"(module (func (export "add") (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add))"#;

/// The functions that are called: one of each kind.
const FUNCTIONS: [&str; 4] = ["add", "echo", "same", "http-echo"];

struct Fuzzed {
    functions: Functions,
    app: App,
    environment: Environment,
    /// The arguments of the last call over HTTP.
    arguments: Arc<Mutex<Option<Vec<String>>>>,
}

static FUZZED: LazyLock<Fuzzed> = LazyLock::new(|| {
    let modules = [ADD.into(), guest("echo"), SAME.into(), guest("http-echo")];
    let config = FunctionConfig::default;
    let functions = Functions::new(FUNCTIONS.into_iter().zip(modules).map(|(name, module)| (name, module, config())));
    let arguments = Arc::default();
    let api = Api::new(Arc::new(noting(&arguments, Arc::clone(&functions.runtime) as _)));
    let app = Site::new(api, Arc::clone(&functions.runtime) as _, Shutdown::new()).into();
    let environment = environment(&functions.runtime, "echo");
    Fuzzed { functions, app, environment, arguments }
});

/// An invoker that notes the arguments of each call.
fn noting(arguments: &Arc<Mutex<Option<Vec<String>>>>, inner: Arc<dyn Invoker>) -> impl Invoker + use<> {
    let arguments = Arc::clone(arguments);
    invoker_fn(move |invocation: Invocation| {
        *arguments.lock().unwrap() = Some(invocation.event.arguments().to_vec());
        let inner = Arc::clone(&inner);
        async move { inner.invoke(invocation).await }
    })
}

/// The same call has the same answer as a request to a server and as the event of a function URL. If it is one that a
/// pipe can make, the result there is the same, or the failure is of the same kind.
pub fn frontends(input: &[u8]) {
    let Some(call) = Call::read(input, &FUNCTIONS) else { return };
    let Fuzzed { functions, app, environment, arguments } = &*FUZZED;
    functions.tokio.block_on(async {
        arguments.lock().unwrap().take();
        let http = Answer::of_http(app.answer(request(&call, axum::body::Body::from)).await).await;
        let arguments = arguments.lock().unwrap().take();
        let event = Event::of_request(&request(&call, |body| Some(body).filter(|body| !body.is_empty())));
        let lambda = Answer::of_lambda(&environment.answer(&event.payload).await.unwrap());
        assert_eq!(http.comparable(&call), lambda.comparable(&call), "{call:?}");
        if let Some(arguments) = arguments.filter(|_| pipe::can_make(&call)) {
            let local = pipe::answer(&functions.runtime, &call, arguments).await;
            assert!(http.is_like(&local), "{call:?}: {http:?} and in a pipe {local:?}");
        }
    });
}

fn request<B>(call: &Call, body: impl FnOnce(Vec<u8>) -> B) -> http::Request<B> {
    let mut request = http::Request::new(body(call.body.clone()));
    *request.method_mut() = call.method.clone();
    *request.uri_mut() = call.uri.clone();
    *request.headers_mut() = call.headers.clone();
    request.headers_mut().insert("host", "tests.lambda-url.eu-central-1.on.aws".parse().unwrap());
    request.headers_mut().insert("user-agent", "nebula-tests".parse().unwrap());
    request
}
