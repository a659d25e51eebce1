//! A layer of one's own: a rule that every call meets before it reaches a function.
//!
//! ```sh
//! cargo run -p nebula-runtime --example layer
//! ```

use std::{error::Error, str::FromStr as _, sync::Arc};

use async_trait::async_trait;
use nebula_runtime::{
    Admission, ErrorKind, Event, FunctionConfig, FunctionName, FunctionRef, Invocation, InvokeError, Invoker, Response,
    Runtime, Store,
};

const ANSWER: &str = r#"(module (func (export "answer") (result i32) (i32.const 42)))"#;

/// Lets callers reach the listed functions only.
///
/// A layer that wants to know when a guest has ended attaches a value to the invocation (`Invocation::attach`), which is
/// dropped then. A layer that wants to know how the response ended uses `Body::on_end`.
struct Allowed {
    names: Vec<FunctionName>,
    inner: Arc<dyn Invoker>,
}

#[async_trait]
impl Invoker for Allowed {
    async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        let name = invocation.function.name();
        if !self.names.contains(name) {
            return Err(InvokeError::new(ErrorKind::NotFound, format!("there is no function `{name}` here")));
        }
        self.inner.invoke(invocation).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder(Store::memory()).build()?;
    for name in ["answer", "secret"] {
        let config = FunctionConfig { export: Some("answer".to_owned()), ..FunctionConfig::default() };
        runtime.publish(&name.parse()?, ANSWER.into(), config, None).await?;
    }

    // Layers stand around each other. A refused call takes no place of the eight that may run at once.
    let admission = Admission::new(Arc::new(runtime), 8);
    let allowed = Allowed { names: vec!["answer".parse()?], inner: Arc::new(admission) };

    let response = allowed.invoke(Invocation::new(FunctionRef::from_str("answer")?, Event::default())).await?;
    assert_eq!(response.body.collect(1_024).await?, "42");
    println!("answer: 42");

    let error = allowed.invoke(Invocation::new(FunctionRef::from_str("secret")?, Event::default())).await.err();
    let error = error.ok_or("the layer let a call pass that it should refuse")?;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    println!("secret: {error}");
    Ok(())
}

#[test]
fn the_example_ends_well() -> Result<(), Box<dyn Error>> {
    main()
}
