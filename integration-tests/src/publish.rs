//! Publishing a function in a runtime of this process.

use nebula_runtime::{FunctionConfig, FunctionName, Runtime};
use serde::Deserialize as _;
use toml::{Table, Value};

use crate::{guest::Function, project::Project};

/// Publishes a function that may be granted folders of `project`.
pub(crate) async fn publish(runtime: &Runtime, function: &Function, project: &Project) {
    let module = std::fs::read(&function.source).unwrap();
    let name: FunctionName = function.name.parse().unwrap();
    let config = config(&function.config, project);
    runtime.publish(&name, module).config(config).await.unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// What an entry of `nebula.toml` says, as the library has it.
fn config(entry: &Table, project: &Project) -> FunctionConfig {
    let is_limit = |key: &str| matches!(key, "memory" | "timeout" | "max_request" | "max_response" | "concurrency");
    let (limits, mut rest): (Table, Table) = entry.clone().into_iter().partition(|(key, _)| is_limit(key));
    for dir in rest.get_mut("dirs").and_then(Value::as_array_mut).into_iter().flatten() {
        let host = project.join(dir["host"].as_str().unwrap());
        dir["host"] = host.to_str().unwrap().into();
    }
    rest.insert("limits".to_owned(), limits.into());
    FunctionConfig::deserialize(rest).unwrap()
}
