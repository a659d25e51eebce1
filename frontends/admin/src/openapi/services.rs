//! The paths of services, and what can be done there.

use serde_json::{Map, Value, json};

use super::{
    object::object,
    operations::{operation, query, reference, schema, set},
};

/// All paths of services.
pub(super) fn paths() -> Map<String, Value> {
    let key = || query("key", true, "The key", json!({"type": "string", "minLength": 1}));
    let name = || query("name", true, "The name of the blob", json!({"type": "string", "minLength": 1}));
    object([
        ("/services/{service}/keyvalue", of_service(json!({"get": keys()}), None)),
        (
            "/services/{service}/keyvalue/value",
            of_service(
                json!({
                    "get": read("value", "The value of a key"),
                    "put": write("setValue", "Sets the value of a key"),
                    "delete": done("deleteValue", "Deletes a key. One that is not there is no error"),
                }),
                Some(key()),
            ),
        ),
        ("/services/{service}/blobs", of_service(json!({"get": blobs()}), None)),
        (
            "/services/{service}/blobs/content",
            of_service(
                json!({
                    "get": read("blob", "A blob, as it is read. If the service fails, the answer breaks off"),
                    "put": write("putBlob", "Makes a blob, or replaces it. It appears when all of the body is there"),
                    "delete": done("deleteBlob", "Deletes a blob. One that is not there is no error"),
                }),
                Some(name()),
            ),
        ),
    ])
}

/// The operations of a service. Each has these parameters.
fn of_service(mut item: Value, more: Option<Value>) -> Value {
    let parameters: Vec<_> = std::iter::once(reference("service")).chain(more).collect();
    set(&mut item, "parameters", parameters.into());
    item
}

fn prefix(of: &str) -> Value {
    query("prefix", false, &format!("Only {of} with this beginning"), json!({"type": "string"}))
}

fn keys() -> Value {
    let mut operation = operation("keys", "The keys of a key-value store, in pages and in no order", &schema("Keys"));
    let cursor = query("cursor", false, "`cursor` of the page before", json!({"type": "string"}));
    set(&mut operation, "parameters", json!([prefix("keys"), cursor]));
    operation
}

fn blobs() -> Value {
    let mut operation = answered(
        "blobs",
        "The blobs of a service, one on each line and in no order",
        json!({
            "description": "Lines of JSON. If the service fails, the answer breaks off.",
            "content": {"application/jsonl": {"schema": schema("Blob")}},
        }),
        "200",
    );
    set(&mut operation, "parameters", json!([prefix("blobs")]));
    operation
}

fn read(id: &str, summary: &str) -> Value {
    answered(id, summary, json!({"description": "The bytes", "content": {"application/octet-stream": {}}}), "200")
}

fn write(id: &str, summary: &str) -> Value {
    let mut operation = done(id, summary);
    set(&mut operation, "requestBody", json!({"required": true, "content": {"application/octet-stream": {}}}));
    set(&mut operation, "parameters", json!([reference("content_digest")]));
    operation
}

fn done(id: &str, summary: &str) -> Value {
    answered(id, summary, json!({"description": "Done"}), "204")
}

/// An operation that has this answer where it succeeds.
fn answered(id: &str, summary: &str, answer: Value, status: &str) -> Value {
    let failed = json!({"$ref": "#/components/responses/Problem"});
    json!({"operationId": id, "summary": summary, "responses": {status: answer, "default": failed}})
}
