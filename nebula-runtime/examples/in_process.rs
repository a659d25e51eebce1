//! Publishes a function and calls it, all in this process.
//!
//! ```sh
//! cargo run -p nebula-runtime --example in_process
//! ```

use std::{error::Error, time::Duration};

use nebula_runtime::{
    ErrorKind, Event, FunctionConfig, FunctionName, FunctionRef, Invocation, Invoker as _, Runtime, Store,
};

const DIVIDE: &str = r#"(module
    (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
    (func (export "forever") (loop (br 0))))"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `Store::open` keeps the functions in a folder instead.
    let runtime = Runtime::builder(Store::memory()).build()?;
    let mut config = FunctionConfig::default();
    config.limits.timeout = Some(Duration::from_millis(100));
    let name: FunctionName = "divide".parse()?;
    runtime.publish(&name, DIVIDE).config(config).await?;

    // The export that has the function's name is called.
    let answer = runtime.call("divide", Event::json("[84, 2]")).await?;
    assert_eq!(answer, "42");
    println!("84 / 2 = 42");

    // A guest that fails ends its own call, and the error says how.
    let error = runtime.call("divide", Event::json("[1, 0]")).await.err();
    let error = error.ok_or("a division by zero has no result")?;
    assert_eq!(error.kind(), ErrorKind::GuestFault);
    println!("1 / 0: {error}");

    // A guest that never ends is stopped at its timeout. Another export is called by its name.
    let error = runtime.call("divide:forever", Event::default()).await.err();
    let error = error.ok_or("a loop without end has no result")?;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    println!("forever: {error}");

    // `invoke` gives all that there is: status, headers, a body that streams, and a report.
    let function: FunctionRef = name.into();
    let response = runtime.invoke(Invocation::new(function, Event::json("[84, 2]"))).await?;
    let report = response.report.clone();
    assert_eq!(response.status, 200);
    assert_eq!(response.body.collect(1_024).await?, "42");
    let report = report.snapshot();
    assert_eq!(report.bytes_out, 2);
    println!("84 / 2 once more: version {:?}, {:?} of work", report.version, report.running);
    Ok(())
}

#[test]
fn the_example_ends_well() -> Result<(), Box<dyn Error>> {
    main()
}
