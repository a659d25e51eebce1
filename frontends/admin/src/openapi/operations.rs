//! The paths and what can be done there.

use serde_json::{Map, Value, json};

use super::object::object;

/// All paths.
pub(super) fn paths() -> Map<String, Value> {
    object([
        ("/functions", json!({"get": list()})),
        ("/functions/{function}", with_function(json!({"get": show(), "put": publish(), "delete": remove()}))),
        ("/functions/{function}/versions", with_function(json!({"get": versions()}))),
        ("/functions/{function}/versions/{version}", {
            let mut item = with_function(json!({"get": show_version(), "delete": remove_version()}));
            push(&mut item, "version");
            item
        }),
        ("/functions/{function}/aliases", with_function(json!({"get": aliases()}))),
        ("/functions/{function}/aliases/{alias}", {
            let mut item = with_function(json!({"put": set_alias(), "delete": remove_alias()}));
            push(&mut item, "alias");
            item
        }),
        ("/functions/{function}/rollback", with_function(json!({"post": roll_back()}))),
        ("/functions/{function}/history", with_function(json!({"get": history()}))),
        ("/functions/{function}/diff", with_function(json!({"get": diff()}))),
        ("/invocations", json!({"get": invocations()})),
        ("/", json!({"get": open("console", "The console, a page for people", "text/html")})),
        ("/openapi.json", json!({"get": open("describe", "This description", "application/openapi+json")})),
        ("/healthz", json!({"get": open("health", "`ok` while the server lives", "text/plain")})),
    ])
}

/// The parameters that several operations have.
pub(super) fn parameters() -> Value {
    let in_path = |name: &str, description: &str, schema: Value| json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema});
    let header = |name: &str, description: &str| json!({"name": name, "in": "header", "description": description, "schema": {"type": "string"}});
    let force = json!({
        "name": "force", "in": "query", "schema": {"type": "boolean", "default": false},
        "description": "Takes the version from the aliases that point to it. The token needs the right `alias` too.",
    });
    json!({
        "function": in_path("function", "The function's name", json!({"$ref": "#/components/schemas/FunctionName"})),
        "version": in_path("version", "A number, an alias or `sha256:` and 64 digits", json!({"type": "string"})),
        "alias": in_path("alias", "The alias's name", json!({"$ref": "#/components/schemas/AliasName"})),
        "service": in_path("service", "The name of the service", json!({"$ref": "#/components/schemas/ServiceName"})),
        "force": force,
        "if_match": header("If-Match", "The change is made only if the function has this revision, or exists (`*`)"),
        "if_none_match": header("If-None-Match", "`*`: the change is made only if the function has no version"),
        "content_digest": header("Content-Digest", "`sha-256=:BASE64:` of the body (RFC 9530), which is checked"),
    })
}

fn with_function(mut item: Value) -> Value {
    push(&mut item, "function");
    item
}

/// Adds a parameter to all operations of a path.
fn push(item: &mut Value, parameter: &str) {
    let Some(members) = item.as_object_mut() else { return };
    let parameters = members.entry("parameters").or_insert_with(|| json!([]));
    parameters.as_array_mut().into_iter().for_each(|parameters| parameters.push(reference(parameter)));
}

pub(super) fn reference(parameter: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{parameter}")})
}

pub(super) fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn list_of(name: &str) -> Value {
    json!({"type": "array", "items": schema(name)})
}

fn content(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

/// An operation whose answer has this schema.
pub(super) fn operation(id: &str, summary: &str, answer: &Value) -> Value {
    let answered = json!({"description": "Done", "content": content(answer)});
    json!({
        "operationId": id,
        "summary": summary,
        "responses": {"200": answered, "default": {"$ref": "#/components/responses/Problem"}},
    })
}

/// An operation that changes a function. Its answer has the new revision.
fn change(id: &str, summary: &str, answer: &str) -> Value {
    let mut operation = operation(id, summary, &schema(answer));
    tag(&mut operation);
    set(&mut operation, "parameters", json!([reference("if_match"), reference("if_none_match")]));
    operation
}

/// An operation without a token.
fn open(id: &str, summary: &str, media_type: &str) -> Value {
    let answered = json!({"description": summary, "content": {media_type: {}}});
    json!({"operationId": id, "summary": summary, "security": [], "responses": {"200": answered}})
}

pub(super) fn set(operation: &mut Value, name: &str, value: Value) {
    operation.as_object_mut().into_iter().for_each(|members| drop(members.insert(name.to_owned(), value.clone())));
}

/// Adds a parameter to those of an operation.
fn takes(operation: &mut Value, parameter: Value) {
    let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
    parameters.into_iter().for_each(|parameters| parameters.push(parameter.clone()));
}

fn tag(operation: &mut Value) {
    let headers = json!({"ETag": {"$ref": "#/components/headers/ETag"}});
    operation.pointer_mut("/responses/200").into_iter().for_each(|answer| set(answer, "headers", headers.clone()));
}

pub(super) fn query(name: &str, required: bool, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "required": required, "description": description, "schema": schema})
}

fn list() -> Value {
    let page = json!({
        "type": "object",
        "required": ["functions"],
        "properties": {
            "functions": {"type": "array", "items": {"anyOf": [schema("Function"), schema("Unreadable")]}},
            "next": {"$ref": "#/components/schemas/FunctionName"},
        },
    });
    let mut operation =
        operation("list", "The latest versions of the functions that the token is for, in pages", &page);
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100});
    let after =
        query("after", false, "The page begins after this name: `next` of the page before", schema("FunctionName"));
    set(&mut operation, "parameters", json!([after, query("limit", false, "Functions on a page", limit)]));
    operation
}

fn show() -> Value {
    let mut operation = operation("show", "The latest version of a function", &schema("Function"));
    tag(&mut operation);
    operation
}

fn show_version() -> Value {
    let mut operation = operation("showVersion", "A version of a function", &schema("Function"));
    tag(&mut operation);
    operation
}

fn versions() -> Value {
    operation("versions", "All versions of a function, the newest first", &list_of("Version"))
}

fn publish() -> Value {
    let mut operation = change("publish", "Publishes a version. 200 if exactly this is published already", "Published");
    takes(&mut operation, reference("content_digest"));
    takes(&mut operation, query("alias", false, "Also points this alias to the version", schema("AliasName")));
    let form = json!({
        "type": "object",
        "required": ["configuration", "module"],
        "properties": {"configuration": schema("Configuration"), "module": {}, "origin": schema("Origin")},
    });
    let (json, wasm) = (json!({"contentType": "application/json"}), json!({"contentType": "application/wasm"}));
    let encoding = json!({"configuration": json, "module": wasm, "origin": json});
    let content = json!({"application/wasm": {}, "multipart/form-data": {"schema": form, "encoding": encoding}});
    set(&mut operation, "requestBody", json!({"required": true, "content": content}));
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        let made = responses.get("200").cloned().unwrap_or_default();
        responses.insert("201".to_owned(), made);
    }
    operation
}

fn remove() -> Value {
    let mut operation = change("remove", "Removes all versions of a function", "Removal");
    takes(&mut operation, reference("force"));
    operation
}

fn remove_version() -> Value {
    let mut operation = change("removeVersion", "Removes a version, by its number", "Removal");
    takes(&mut operation, reference("force"));
    operation
}

fn aliases() -> Value {
    operation("aliases", "The aliases of a function", &list_of("Alias"))
}

fn set_alias() -> Value {
    let mut operation = change("setAlias", "Points an alias to versions, which are found to run first", "Move");
    let body = json!({"required": true, "content": content(&schema("Target"))});
    set(&mut operation, "requestBody", body);
    operation
}

fn remove_alias() -> Value {
    change("removeAlias", "Removes an alias", "Move")
}

fn roll_back() -> Value {
    let mut operation = change("rollBack", "Takes back the last move of an alias", "Move");
    let body = json!({"type": "object", "properties": {"alias": schema("AliasName")}});
    set(&mut operation, "requestBody", json!({"content": content(&body)}));
    operation
}

fn history() -> Value {
    operation("history", "All changes of a function, the newest first", &list_of("Change"))
}

fn invocations() -> Value {
    let place = json!({"type": "integer", "minimum": 0});
    let page = json!({
        "type": "object",
        "required": ["invocations", "last"],
        "properties": {"invocations": list_of("Invocation"), "last": place.clone()},
    });
    let summary = "The last invocations of this server that ended, the newest first";
    let mut operation = operation("invocations", summary, &page);
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100});
    let failed = json!({"type": "boolean", "default": false});
    let parameters = json!([
        query("function", false, "Only those of this function", schema("FunctionName")),
        query("failed", false, "Only those that failed, of which more are kept", failed),
        query("after", false, "Only those behind this place: `last` of the answer before", place),
        query("limit", false, "At most so many", limit),
    ]);
    set(&mut operation, "parameters", parameters);
    operation
}

fn diff() -> Value {
    let mut operation = operation("diff", "How two versions differ", &schema("Difference"));
    let version = |name| query(name, true, "A number, an alias or `sha256:` and 64 digits", json!({"type": "string"}));
    set(&mut operation, "parameters", json!([version("from"), version("to")]));
    operation
}
