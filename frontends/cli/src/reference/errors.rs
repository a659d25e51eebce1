//! `docs/reference/errors.md`: each kind of error, as callers really get it.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use nebula_local::exit_code;
use nebula_runtime::{ErrorKind, Invocation, InvokeError, Overload, Response, invoker_fn};
use serde_json::Value;
use tower::ServiceExt as _;

use super::row;

const INTRODUCTION: &str = "\
# Errors

Every error has one of eleven kinds and a message. The kind decides the HTTP status and the exit code of `nebula run`.
On AWS Lambda, an HTTP request gets the same status; every other event gets a function error whose type is the kind.

An HTTP response with an error is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the
members `type` (`urn:nebula:error:` and the kind), `title`, `status`, `detail` (the message), `kind` and
`invocation_id`. An error of kind `guest_error` also has the member `error`: the value that the function returned. An
error of kind `internal` has no `detail`; the log of the server has it.

";

const EXIT_CODES: &str = "
If a function exits with a code other than 0, `nebula run` exits with that code instead of 134. `nebula` has more exit
codes for failures that are not of a function: 2 for a wrong command line, 74 for input or output that failed, 77 for
what is not signed or not allowed, and 78 for a wrong configuration.
";

#[tokio::test]
async fn the_page_of_errors_is_what_callers_get() {
    let mut page = INTRODUCTION.to_owned();
    page += &row(&["kind", "HTTP status", "title", "exit code", "worth a retry", "what happened, and what to do"]);
    page += &row(&["---"; 6]);
    for kind in ErrorKind::ALL {
        page += &kind_row(kind).await;
    }
    super::check("errors.md", &(page + EXIT_CODES));
}

async fn kind_row(kind: ErrorKind) -> String {
    let mut statuses: Vec<(String, String)> = Vec::new();
    for reason in reasons(kind) {
        let answer = answer(kind, reason).await;
        if !statuses.contains(&answer) {
            statuses.push(answer);
        }
    }
    let (statuses, titles): (Vec<_>, Vec<_>) = statuses.into_iter().unzip();
    let code = exit_code(&InvokeError::new(kind, "")).to_string();
    let retry = if kind.is_retryable() { "yes" } else { "no" };
    row(&[&format!("`{kind}`"), &statuses.join("<br>"), &titles.join("<br>"), &code, retry, advice(kind)])
}

/// What makes the statuses of a kind differ.
#[derive(Clone, Copy)]
enum Reason {
    Kind,
    Coding,
    Busy(Overload),
}

fn reasons(kind: ErrorKind) -> Vec<Reason> {
    match kind {
        ErrorKind::InvalidInput => vec![Reason::Kind, Reason::Coding],
        ErrorKind::Overloaded => [Overload::Function, Overload::Client, Overload::Server].map(Reason::Busy).into(),
        _ => vec![Reason::Kind],
    }
}

fn error(kind: ErrorKind, reason: Reason) -> InvokeError {
    match reason {
        Reason::Kind => InvokeError::new(kind, ""),
        Reason::Coding => InvokeError::unsupported_coding("gzip", ""),
        Reason::Busy(overload) => InvokeError::overloaded(overload, Duration::from_secs(1), ""),
    }
}

/// The status and the title that the server answers a failed call with.
async fn answer(kind: ErrorKind, reason: Reason) -> (String, String) {
    let fails = invoker_fn(move |_: Invocation| std::future::ready(Err::<Response, _>(error(kind, reason))));
    let app = nebula_http::router(Arc::new(fails));
    let response = app.oneshot(Request::get("/api/f").body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16().to_string();
    let body: Value = serde_json::from_slice(&response.collect().await.unwrap().to_bytes()).unwrap();
    (status, body["title"].as_str().unwrap().to_owned())
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "There is no such function, version or export. `nebula list` lists the functions.",
        ErrorKind::InvalidInput => {
            "The input does not fit the function. The message names the argument and what was expected. A 415 names \
             the known codings in `Accept-Encoding`. If the function does not take the method, the status is 405, and \
             `Allow` names the methods that it takes."
        }
        ErrorKind::PayloadTooLarge => "The request is larger than `max_request`.",
        ErrorKind::InvalidModule => {
            "The file is not WebAssembly, uses an unsupported feature, or has an import that nobody provides. Publish \
             it again after you have changed it."
        }
        ErrorKind::GuestError => "A typed function returned the error of its `result`.",
        ErrorKind::GuestFault => {
            "The function trapped, exited with a code other than 0, or gave an invalid answer. The log has the stderr \
             of the function."
        }
        ErrorKind::Timeout => "The function did not end within its `timeout`, or within the caller's deadline.",
        ErrorKind::LimitExceeded => {
            "The function used more memory, table elements, output or call stack than its limits allow."
        }
        ErrorKind::Overloaded => {
            "The function is at its `concurrency` or its `rate` (429), the client is at the `client_rate` of the server \
             (429), or the server is at its `concurrency` (503). Call again after the time in `Retry-After`."
        }
        ErrorKind::Unavailable => {
            "The store, or another thing that the server depends on, does not answer. Call again later."
        }
        ErrorKind::Internal => "Nebula itself failed. Please report it, with the lines of the log.",
    }
}
