//! The smallest `lambda_http` program, which the benchmarks compare with `bootstrap`. It is a crate of its own, so that
//! it links nothing else.

use lambda_http::{Error, Request, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| Ok::<_, Error>("10"))).await
}
