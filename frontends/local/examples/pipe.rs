//! Events in, results out: a function as a part of a pipe.
//!
//! ```sh
//! cargo run -p nebula-local --example pipe
//! ```

use std::{
    error::Error,
    io::{self, Write},
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use nebula_local::{Events, Job, JobOutcome, Output};
use nebula_runtime::{Runtime, Store};

const DOUBLE: &str = r#"(module (func (export "double") (param i32) (result i32)
    (i32.mul (local.get 0) (i32.const 2))))"#;

/// Where the results go. A program in a pipe gives `io::stdout()` instead.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::builder(Store::memory()).build()?;
    runtime.publish(&"double".parse()?, DOUBLE).await?;
    let job = Job {
        function: "double".parse()?,
        // Four events run at once. The results keep the order of the events.
        events: Events::Lines { jobs: NonZeroUsize::new(4).ok_or("four is not zero")? },
        output: Output::Body,
        max_event: 1 << 20,
        max_result: 1 << 20,
    };
    // A program in a pipe gives `io::stdin()` instead.
    let stdin = io::Cursor::new("1\n\"two\"\n3\n");
    let written = Written::default();
    let ending = nebula_local::run(Arc::new(runtime), job, stdin, written.clone()).await?;

    let text = String::from_utf8(std::mem::take(&mut written.0.lock().unwrap_or_else(PoisonError::into_inner)))?;
    print!("{text}");
    let lines: Vec<_> = text.lines().collect();
    let [first, second, third] = lines[..] else { return Err(format!("three events gave these lines: {text}").into()) };
    assert_eq!((first, third), ("2", "6"));
    assert!(second.starts_with(r#"{"error":{"kind":"invalid_input""#), "{second}");
    // A program in a pipe ends with `ending.exit_code()`, which tells of the first failure.
    assert_eq!(ending.exit_code(), 65);
    let JobOutcome::Stream(summary) = ending else { return Err("a job of lines ends as a stream".into()) };
    assert_eq!((summary.events, summary.failures), (3, 1));
    Ok(())
}

#[test]
fn the_example_ends_well() -> Result<(), Box<dyn Error>> {
    main()
}
