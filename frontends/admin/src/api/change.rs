//! A change, from the check of its caller to the answer.

use std::future::Future;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header::ETAG};
use nebula_runtime::{AliasMove, AliasTarget, Digest, Revised};
use serde::Serialize;

use crate::{
    audit::{Attempt, Line},
    changes::Changes,
    precondition::tag,
    problem::{Kind, Problem},
};

/// Makes a change, and notes in the audit what became of it. `prepare` checks the request first. The change itself goes
/// on if the client leaves: otherwise nobody would know whether it was made.
pub(super) async fn make<P, C, T, E>(
    changes: &Changes,
    line: Line,
    prepare: impl Future<Output = Result<P, Problem>>,
    change: impl FnOnce(P) -> C,
) -> Result<T, Problem>
where
    C: Future<Output = Result<T, E>> + Send + 'static,
    T: Outcome + Send + 'static,
    Problem: From<E>,
{
    let mut attempt = Attempt::begin(line);
    let prepared = match prepare.await {
        Ok(prepared) => prepared,
        Err(problem) => {
            attempt.end(Err(&problem));
            return Err(problem);
        }
    };
    let change = change(prepared);
    let task = changes.start(async move {
        let made = change.await.map_err(Problem::from);
        match &made {
            Ok(value) => {
                value.version().into_iter().for_each(|version| attempt.made(version));
                attempt.end(Ok(&value.outcome()));
            }
            Err(problem) => attempt.end(Err(problem)),
        }
        made
    });
    let stopped = |error: tokio::task::JoinError| {
        tracing::error!(%error, "a change was not made to its end");
        Problem::new(Kind::Internal, "the server failed to make the change")
    };
    task.await.map_err(stopped)?
}

/// What a change did, in the words of the audit.
pub(super) trait Outcome {
    /// What became of the function or the service.
    fn outcome(&self) -> String;

    /// The version that the change has made, if it has.
    fn version(&self) -> Option<u64> {
        None
    }
}

impl<T: Outcome> Outcome for Revised<T> {
    fn outcome(&self) -> String {
        self.value.outcome()
    }

    fn version(&self) -> Option<u64> {
        self.value.version()
    }
}

/// What became of something that a service keeps.
pub(super) struct Kept(pub(super) String);

impl Kept {
    /// It has so many bytes.
    pub(super) fn of_size(bytes: u64) -> Self {
        Self(format!("{bytes} bytes"))
    }

    /// It is not there any more.
    pub(super) fn deleted() -> Self {
        Self("deleted".to_owned())
    }
}

impl Outcome for Kept {
    fn outcome(&self) -> String {
        self.0.clone()
    }
}

impl Outcome for AliasMove {
    fn outcome(&self) -> String {
        let target = |target: &Option<AliasTarget>| target.as_ref().map_or("none".to_owned(), ToString::to_string);
        format!("{}: {} -> {}", self.alias, target(&self.from), target(&self.to))
    }
}

/// The answer with what a request asked for, and the tag of the function.
pub(super) fn answer(status: StatusCode, value: &impl Serialize, revision: Option<Digest>) -> Response {
    let mut response = (status, Json(value)).into_response();
    if let Some(tag) = revision.and_then(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
