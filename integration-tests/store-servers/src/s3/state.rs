//! What the proxy and the test share.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

/// What the server does with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It answers.
    None,
    /// It ends each connection without an answer.
    Away,
    /// It does not answer before this fault is over.
    Hangs,
    /// It answers after this time.
    Late(Duration),
    /// It answers each second request with an error of its own, also a write that it has carried out.
    Stumbles,
    /// It ends each second answer with a body in the middle of that.
    Tears,
    /// It refuses the credentials.
    Refuses,
}

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `PUT`.
    pub method: String,
    /// The path with the query: `/bucket/functions/treats.json`.
    pub path: String,
    /// Its field `traceparent`.
    pub trace: Option<String>,
    /// The status of the answer.
    pub status: u16,
    /// How many bytes the body of the answer has.
    pub sent: usize,
}

/// What the proxy and the test share.
pub(crate) struct State {
    /// What the proxy does with requests.
    pub(crate) fault: watch::Sender<Fault>,
    requests: Mutex<Vec<Request>>,
}

impl State {
    /// Nothing fails yet.
    pub(crate) fn new() -> Self {
        Self { fault: watch::Sender::new(Fault::None), requests: Mutex::default() }
    }

    /// The requests since the last question.
    pub(crate) fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
