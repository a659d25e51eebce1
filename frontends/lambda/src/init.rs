//! An environment that cannot begin.

use std::{error::Error, time::Duration};

use http::{Method, Uri};
use lambda_runtime::Diagnostic;
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use nebula_runtime::with_causes;
use tokio::time::timeout;

/// How long Lambda may take to hear that an environment cannot start.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells Lambda why this environment cannot start, so that callers and the console see it. The process is to exit with a
/// failure afterwards. `runtime_api` is the value of `AWS_LAMBDA_RUNTIME_API`; without a usable one, nobody is told.
pub async fn report_init_error(error: &(dyn Error + 'static), runtime_api: Option<&str>) {
    if let Some(Ok(endpoint)) = runtime_api.map(str::parse) {
        report(error, endpoint).await;
    }
}

/// The same, where the Runtime API is known.
pub(crate) async fn report(error: &(dyn Error + 'static), endpoint: Uri) {
    let request = build_request()
        .method(Method::POST)
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", "Nebula.InitError")
        .body(Body::from(diagnostic(error)));
    let Ok(request) = request else { return };
    let told = timeout(PATIENCE, PooledClient::builder().with_endpoint(endpoint).build().call(request)).await;
    if !told.is_ok_and(|told| told.is_ok_and(|response| response.status().is_success())) {
        tracing::warn!("Lambda could not be told that the environment cannot start");
    }
}

/// An error and its causes, in one sentence.
fn diagnostic(error: &(dyn Error + 'static)) -> Vec<u8> {
    let diagnostic = Diagnostic { error_type: "Nebula.InitError".to_owned(), error_message: with_causes(error) };
    // Two strings always serialize.
    serde_json::to_vec(&diagnostic).unwrap_or_default()
}
