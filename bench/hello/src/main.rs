//! The least that `lambda_http` runs: what `bootstrap` is compared with. A crate of its own, so that it carries nothing else.

use lambda_http::{Error, Request, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| Ok::<_, Error>("10"))).await
}
