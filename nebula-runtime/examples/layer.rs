//! A layer of one's own: a rule that every call meets before it reaches a function.
//!
//! ```sh
//! cargo run -p nebula-runtime --example layer
//! ```

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use nebula_runtime::{
    ErrorKind, Event, FunctionConfig, FunctionName, Invocation, InvokeError, Invoker, Response, Runtime, Store,
};

const ANSWER: &str = r#"(module (func (export "answer") (result i32) (i32.const 42)))"#;

/// Lets callers reach the listed functions only.
///
/// A layer can read which version was found (`Invocation::resolved`). It can attach a value to the invocation, which is
/// dropped when the guest has ended (`Invocation::attach`), and it can see how the response ends (`Body::on_end`).
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
    let names = vec!["answer".parse()?];
    let runtime = Runtime::builder(Store::memory())
        // The layer that is added first is the outermost: a refused call takes none of the eight places.
        .layer(|inner| Arc::new(Allowed { names, inner }))
        .admission(8)
        .build()?;
    for name in ["answer", "secret"] {
        let mut config = FunctionConfig::default();
        config.export = Some("answer".to_owned());
        runtime.publish(&name.parse()?, ANSWER).config(config).await?;
    }

    assert_eq!(runtime.call("answer", Event::default()).await?, "42");
    println!("answer: 42");

    let error = runtime.call("secret", Event::default()).await.err();
    let error = error.ok_or("the layer let a call pass that it should refuse")?;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    println!("secret: {error}");
    Ok(())
}

#[test]
fn the_example_ends_well() -> Result<(), Box<dyn Error>> {
    main()
}
