//! A `bootstrap` of one's own: the program that AWS Lambda starts in each of its environments.
//!
//! Outside of Lambda, this program plays Lambda for itself: it serves a Runtime API on this machine, starts itself once
//! more as the environment, and gives it one event.
//!
//! ```sh
//! cargo run -p nebula-lambda --example bootstrap_of_your_own
//! ```

use std::{env, error::Error, future::pending, process::Stdio, sync::Arc};

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use nebula_lambda::Functions;
use nebula_runtime::{Report, Runtime, Store};
use tokio::{
    net::TcpListener,
    process::Command,
    select,
    sync::{
        Mutex,
        mpsc::{UnboundedSender, unbounded_channel},
    },
};

const DOUBLE: &str = r#"(module (func (export "double") (param i32) (result i32)
    (i32.mul (local.get 0) (i32.const 2))))"#;

const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match env::var(RUNTIME_API) {
        Ok(_) => environment().await,
        Err(_) => rehearsal().await,
    }
}

/// What runs on Lambda. It serves events until Lambda ends it.
async fn environment() -> Result<(), Box<dyn Error>> {
    let config = nebula_lambda::Config::from_vars(|name| env::var(name).ok())?;
    nebula_lambda::start_log(&config, None)?;
    // This compiles at each cold start. `nebula_runtime::Package::open` reads what was compiled before.
    let metrics = nebula_http::Metrics::new();
    let runtime = Runtime::builder(Store::memory()).observer(Arc::new(metrics.clone())).observer(Arc::new(Report::log));
    let runtime = Arc::new(runtime.build()?);
    runtime.publish(&"double".parse()?, DOUBLE).await?;
    let functions = Functions { invoker: runtime.clone(), catalog: runtime, metrics, flush: None };
    nebula_lambda::run(config, functions, async {}).await?;
    Ok(())
}

/// Starts this program as an environment, and checks its answer to one event.
async fn rehearsal() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (answers, mut answer) = unbounded_channel();
    tokio::spawn(axum::serve(listener, runtime_api("21", answers)).into_future());

    let mut environment = Command::new(env::current_exe()?)
        .env(RUNTIME_API, address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "example")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let answer = select! {
        answer = answer.recv() => answer.ok_or("the Runtime API ended")?,
        status = environment.wait() => return Err(format!("the environment ended early: {}", status?).into()),
    };
    assert_eq!(answer, "42");
    println!("twice 21 is {answer}");
    Ok(())
}

/// As much of Lambda's Runtime API as one event takes.
fn runtime_api(event: &'static str, answers: UnboundedSender<String>) -> Router {
    let next = async |State(event): State<Arc<Mutex<Option<&'static str>>>>| {
        // After the only event, an environment waits.
        let Some(event) = event.lock().await.take() else { return pending().await };
        let headers = [
            ("lambda-runtime-aws-request-id", "1"),
            ("lambda-runtime-deadline-ms", "4102444800000"),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:::function:example"),
        ];
        (headers, event)
    };
    let response = async move |answer: String| drop(answers.send(answer));
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/1/response", post(response))
        .with_state(Arc::new(Mutex::new(Some(event))))
}

#[test]
fn the_example_ends_well() -> Result<(), Box<dyn Error>> {
    main()
}
