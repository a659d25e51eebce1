//! The paths of one function.

use nebula_runtime::{Export, FunctionInfo, Kind, default_export};
use serde_json::{Map, Value, json};

use super::{
    call::{Call, Parameter, answered},
    numeric, octets, problems, typed,
};
use crate::paths::segment;

/// Adds the paths of a function to those of the document, and its types to the schemas.
pub(super) fn describe(function: &FunctionInfo, paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let name = function.name.as_str();
    match function.kind {
        Kind::Core | Kind::Typed => describe_exports(function, paths, schemas),
        Kind::Command => {
            paths.insert(path(name), octets::of_command(function));
            describe_exports(function, paths, schemas);
        }
        Kind::Http => {
            paths.insert(path(name), octets::of_handler(name));
        }
    }
}

fn describe_exports(function: &FunctionInfo, paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let name = function.name.as_str();
    for export in function.exports.iter().filter(|export| is_callable(export)) {
        let target = if is_default(function, export) { name.to_owned() } else { format!("{name}:{}", export.name) };
        let call = match &export.typed {
            Some(typed) => typed::call(name, typed),
            None => Call { has_tags: function.config.cache.is_some(), ..numeric::call(export) },
        };
        schemas.extend(export.typed.iter().flat_map(|typed| typed::types(name, typed)));
        add(name, &target, &call, paths);
    }
}

/// Whether this is the default export.
fn is_default(function: &FunctionInfo, export: &Export) -> bool {
    // A call of a command that names no export runs the command itself.
    if function.kind == Kind::Command && function.config.export.is_none() {
        return false;
    }
    let callable = function.exports.iter().filter(|export| is_callable(export));
    let names = callable.map(|export| export.name.as_str());
    default_export(&function.name, &function.config, names) == Some(&export.name)
}

fn is_callable(export: &Export) -> bool {
    export.typed.as_ref().is_none_or(|typed| typed.refused.is_none())
}

/// Adds the path of a call with a body, and the one of a call with its arguments in the path.
fn add(name: &str, target: &str, call: &Call, paths: &mut Map<String, Value>) {
    let mut item = Map::new();
    let mut post = operation(name, target, "call", call);
    if let Some(body) = &call.body {
        let content = json!({"application/json": body});
        post.insert("requestBody".to_owned(), json!({"required": call.body_required, "content": content}));
    }
    item.insert("post".to_owned(), post.into());
    if !call.needs_arguments {
        item.insert("get".to_owned(), operation(name, target, "get", call).into());
    }
    paths.insert(path(target), item.into());
    if let Some(parameters) = call.in_path.as_ref().filter(|parameters| !parameters.is_empty()) {
        let with_parameters = |verb: &str| {
            let mut operation = operation(name, target, verb, call);
            operation.insert("parameters".to_owned(), parameters.iter().map(Parameter::object).collect());
            operation
        };
        let parts: String = parameters.iter().map(|parameter| format!("/{{{}}}", parameter.name)).collect();
        paths.insert(path(target) + &parts, json!({"get": with_parameters("get"), "post": with_parameters("post")}));
    }
}

fn operation(name: &str, target: &str, verb: &str, call: &Call) -> Map<String, Value> {
    let content = json!({"application/json": {"schema": call.result}});
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), format!("{target}.{verb}").into());
    operation.insert("tags".to_owned(), json!([name]));
    operation.insert("summary".to_owned(), call.summary.as_str().into());
    if let Some(description) = &call.description {
        operation.insert("description".to_owned(), description.as_str().into());
    }
    let has_tag = call.has_tags && verb == "get";
    let responses = answered(&content, has_tag, problems::of_call(call.error.as_ref()));
    operation.insert("responses".to_owned(), responses);
    operation
}

fn path(target: &str) -> String {
    format!("/api/{}", segment(target))
}
