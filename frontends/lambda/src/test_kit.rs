//! An environment without a Runtime API, for tests. It is there with the feature `test-kit`.

use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use nebula_http::Shutdown;
use nebula_runtime::{ErrorKind, FunctionRef, InvokeError};
use serde::Deserialize as _;

use crate::{event::Payload, functions::Functions, handler::Handler};

/// The time that each event has, in milliseconds.
const TIME: u64 = 60_000;

/// An environment that is given events one by one.
pub struct Environment(Handler);

impl Environment {
    /// An environment of these functions. `function` handles the events, and HTTP requests reach it at `/`.
    pub fn new(function: Option<FunctionRef>, functions: Functions) -> Self {
        Self(Handler::new(function, functions, Duration::ZERO, Shutdown::new()))
    }

    /// The answer to an event: JSON that Lambda takes as it is.
    ///
    /// # Errors
    /// The kind and the message of a Lambda function error.
    pub async fn answer(&self, event: &[u8]) -> Result<String, InvokeError> {
        let invalid = |error| InvokeError::new(ErrorKind::InvalidInput, "the event is not JSON").with_source(error);
        // As the Lambda runtime reads it.
        let payload = Payload::deserialize(&mut serde_json::Deserializer::from_slice(event)).map_err(invalid)?;
        let mut context = Context::default();
        "8476a536-e9f4-11e8-9739-2dfe598c3fcd".clone_into(&mut context.request_id);
        context.deadline = TIME;
        let answer = self.0.handle(LambdaEvent { payload, context }).await;
        answer.map(|json| json.get().to_owned()).map_err(|failure| failure.0)
    }
}
