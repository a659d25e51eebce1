//! A change that a caller waits for.

use redb::Error;
use tokio::sync::oneshot;

use super::{failure::Failure, values::Values};
use crate::host::failure::ServiceError;

/// A change that a caller waits for, without the type of its answer.
pub(super) trait Job: Send {
    /// Whether the caller still waits.
    fn is_wanted(&self) -> bool;

    /// Makes the change in a transaction, and keeps the answer.
    fn apply(&mut self, values: &mut Values<'_>) -> Result<(), Error>;

    /// Gives the caller the answer, when the transaction is committed or has failed.
    fn answer(self: Box<Self>, committed: Result<(), Failure>);
}

/// What a change gives its caller. An outer error ends the whole transaction, and an inner one is the answer.
pub(super) type Applied<T> = Result<Result<T, ServiceError>, Error>;

struct Change<T, F> {
    change: F,
    applied: Option<Result<T, ServiceError>>,
    caller: oneshot::Sender<Result<T, ServiceError>>,
}

/// The job of a change, and where its answer comes.
pub(super) fn job<T: Send + 'static>(
    change: impl FnMut(&mut Values<'_>) -> Applied<T> + Send + 'static,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, ServiceError>>) {
    let (caller, answer) = oneshot::channel();
    (Box::new(Change { change, applied: None, caller }), answer)
}

impl<T: Send, F: FnMut(&mut Values<'_>) -> Applied<T> + Send> Job for Change<T, F> {
    fn is_wanted(&self) -> bool {
        !self.caller.is_closed()
    }

    fn apply(&mut self, values: &mut Values<'_>) -> Result<(), Error> {
        self.applied = Some((self.change)(values)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Failure>) {
        // A caller that has gone gets no answer: neither does one whose change was left out because of that.
        let _ = match (committed, self.applied) {
            (Err(failure), _) => self.caller.send(Err(failure.into_service_error())),
            (Ok(()), Some(applied)) => self.caller.send(applied),
            (Ok(()), None) => return,
        };
    }
}
