//! Any body for a typed function.

use std::sync::LazyLock;

use nebula_runtime::{ErrorKind, Event, FunctionConfig, Invocation, Invoker as _};

use crate::functions::Functions;

/// A function of nearly every type there is, which returns its parameter.
pub(super) const SAME: &str = include_str!("same.wat");

static FUNCTIONS: LazyLock<Functions> =
    LazyLock::new(|| Functions::new([("same", SAME.into(), FunctionConfig::default())]));

/// Any body is a value of the function's type, or it is refused. A value comes back from its function as JSON that is
/// the same value again.
pub fn typed(body: &[u8]) {
    if let Some(answer) = same(body.to_vec()) {
        let again = same(answer.clone());
        assert_eq!(again.as_deref(), Some(answer.as_slice()), "{}", String::from_utf8_lossy(&answer));
    }
}

/// What the function makes of a body; `None` if the body is no value of its type.
fn same(body: Vec<u8>) -> Option<Vec<u8>> {
    let Functions { tokio, runtime } = &*FUNCTIONS;
    tokio.block_on(async {
        let name = "same".parse::<nebula_runtime::FunctionName>().unwrap();
        match runtime.invoke(Invocation::new(name, Event::json(body))).await {
            Ok(response) => Some(response.body.collect(u64::MAX).await.unwrap().into()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                None
            }
        }
    })
}
