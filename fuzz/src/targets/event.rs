//! Any bytes as an event of AWS Lambda.

use std::sync::LazyLock;

use nebula_lambda::test_kit::Environment;
use nebula_runtime::{Batch, ErrorKind, FunctionConfig};
use serde_json::value::RawValue;

use crate::{
    functions::{Functions, guest},
    lambda::environment,
};

static FUZZED: LazyLock<(Functions, Environment)> = LazyLock::new(|| {
    let mut config = FunctionConfig::default();
    config.batch = Some(Batch::Item);
    let functions = Functions::new([("echo", guest("echo"), config)]);
    let environment = environment(&functions.runtime, "echo");
    (functions, environment)
});

/// Any bytes are an event: a request, a batch, any other JSON, or one that is refused. The answer is JSON, and no
/// failure is one of Nebula's own.
pub fn event(input: &[u8]) {
    let (functions, environment) = &*FUZZED;
    match functions.tokio.block_on(environment.answer(input)) {
        Ok(answer) => {
            serde_json::from_str::<&RawValue>(&answer).expect(&answer);
            assert!(is_told(input) || !is_told(answer.as_bytes()), "{answer}");
        }
        Err(error) => match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::PayloadTooLarge | ErrorKind::LimitExceeded => {}
            kind => panic!("{kind}: {error}"),
        },
    }
}

/// Whether a text has the word by which an answer tells that Nebula failed. The function returns what it is given.
fn is_told(text: &[u8]) -> bool {
    text.windows(8).any(|window| window == b"internal")
}
