//! Reports that an environment cannot start.

use std::{error::Error, time::Duration};

use http::{Method, Uri};
use lambda_runtime::Diagnostic;
use lambda_runtime_api_client::{PooledClient, body::Body, build_request};
use nebula_runtime::with_causes;
use tokio::time::timeout;

/// How long the report to Lambda may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reports to Lambda why this environment cannot start, so that callers and the console show it. The process should
/// exit with a failure afterwards. `runtime_api` is the value of `AWS_LAMBDA_RUNTIME_API`. Without a valid one, nothing
/// is reported.
pub async fn report_init_error(error: &(dyn Error + 'static), runtime_api: Option<&str>) {
    if let Some(Ok(endpoint)) = runtime_api.map(str::parse) {
        report(error, endpoint).await;
    }
}

/// The same, with the address of the Runtime API.
pub(crate) async fn report(error: &(dyn Error + 'static), endpoint: Uri) {
    let request = build_request()
        .method(Method::POST)
        .uri("/2018-06-01/runtime/init/error")
        .header("lambda-runtime-function-error-type", "Nebula.InitError")
        .body(Body::from(diagnostic(error)));
    let Ok(request) = request else { return };
    let reported = timeout(PATIENCE, PooledClient::builder().with_endpoint(endpoint).build().call(request)).await;
    if !reported.is_ok_and(|sent| sent.is_ok_and(|response| response.status().is_success())) {
        tracing::warn!("failed to report to Lambda that the environment cannot start");
    }
}

/// An error and its causes, in the JSON of Lambda.
fn diagnostic(error: &(dyn Error + 'static)) -> Vec<u8> {
    let diagnostic = Diagnostic { error_type: "Nebula.InitError".to_owned(), error_message: with_causes(error) };
    // Two strings always serialize.
    serde_json::to_vec(&diagnostic).unwrap_or_default()
}
