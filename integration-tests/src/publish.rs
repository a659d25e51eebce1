//! Publishing a function to a runtime in this process.

use nebula_runtime::{FunctionConfig, FunctionName, LimitSettings, Runtime};
use serde::Deserialize as _;
use toml::{Table, Value};

use crate::{guest::Function, project::Project};

/// Publishes a function. Folders and files that its configuration names are relative to `project`.
pub(crate) async fn publish(runtime: &Runtime, function: &Function, project: &Project) {
    let module = std::fs::read(&function.source).unwrap();
    let name: FunctionName = function.name.parse().unwrap();
    let config = config(&function.config, project);
    runtime.publish(&name, module).config(config).await.unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// Converts an entry of `nebula.toml` to the configuration of the library.
fn config(entry: &Table, project: &Project) -> FunctionConfig {
    let is_limit = |key: &String, value: &Value| {
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        LimitSettings::deserialize(alone).is_ok()
    };
    let (limits, mut rest): (Table, Table) = entry.clone().into_iter().partition(|(key, value)| is_limit(key, value));
    for dir in rest.get_mut("dirs").and_then(Value::as_array_mut).into_iter().flatten() {
        let host = project.join(dir["host"].as_str().unwrap());
        dir["host"] = host.to_str().unwrap().into();
    }
    let settings = rest.get_mut("config").and_then(Value::as_table_mut).into_iter().flat_map(Table::iter_mut);
    for file in settings.filter_map(|(_, value)| value.get_mut("file")) {
        *file = project.join(file.as_str().unwrap()).to_str().unwrap().into();
    }
    rest.insert("limits".to_owned(), limits.into());
    FunctionConfig::deserialize(rest).unwrap()
}
