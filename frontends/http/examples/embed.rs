//! Nebula's functions in an Axum app of one's own.
//!
//! ```sh
//! cargo run -p nebula-http --example embed
//! curl localhost:3000/                           # the app's own route
//! curl localhost:3000/functions/api/double/21    # a function
//! ```

use std::{error::Error, net::SocketAddr, sync::Arc};

use axum::{Router, routing::get};
use nebula_http::{ServerConfig, Shutdown, Stopped, bind, serve};
use nebula_runtime::{Runtime, Store};

const DOUBLE: &str = r#"(module (func (export "double") (param i32) (result i32)
    (i32.mul (local.get 0) (i32.const 2))))"#;

/// The app: a route of its own, and the functions below another.
async fn app() -> Result<Router, Box<dyn Error>> {
    let runtime = Runtime::builder(Store::memory()).build()?;
    runtime.publish(&"double".parse()?, DOUBLE).await?;
    let own = Router::new().route("/", get(async || "This is the app.\n"));
    Ok(own.nest("/functions", nebula_http::router(Arc::new(runtime))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `axum::serve` does as well. This one ends clients that are slow on purpose, and its requests finish when it
    // stops.
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 3000))).await?;
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    match serve(listener, app().await?, ServerConfig::default(), shutdown).await {
        Stopped::Drained => Ok(()),
        Stopped::Cut(connections) => Err(format!("{connections} requests were not answered").into()),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn get(path: &str) -> Result<String, Box<dyn Error>> {
        let response = app().await?.oneshot(Request::get(path).body(Body::empty())?).await?;
        let body = to_bytes(response.into_body(), 1_024).await?;
        Ok(String::from_utf8(body.into())?)
    }

    #[tokio::test]
    async fn the_app_and_its_functions_answer() -> Result<(), Box<dyn Error>> {
        assert_eq!(get("/").await?, "This is the app.\n");
        assert_eq!(get("/functions/api/double/21").await?, "42");
        Ok(())
    }
}
