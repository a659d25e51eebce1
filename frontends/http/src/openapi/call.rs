//! The description of a call, for all kinds of functions.

use serde_json::{Map, Value, json};

/// How an export is called.
pub(super) struct Call {
    pub(super) summary: String,
    pub(super) description: Option<String>,
    /// The arguments in the path, if they can be there.
    pub(super) in_path: Option<Vec<Parameter>>,
    /// The arguments in a body, as a media type object. `None` without arguments.
    pub(super) body: Option<Value>,
    pub(super) body_required: bool,
    /// Whether a call without arguments always fails.
    pub(super) needs_arguments: bool,
    pub(super) result: Value,
    pub(super) error: Option<Value>,
    /// Whether results have a tag, by which a client asks whether its result is still the same.
    pub(super) has_tags: bool,
}

/// An argument in the path.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) schema: Value,
}

impl Parameter {
    /// The parameter object.
    pub(super) fn object(&self) -> Value {
        json!({"name": self.name, "in": "path", "required": true, "schema": self.schema})
    }
}

/// The responses of a call: the result with this `content`, and the failures. With a tag, a client that has the result
/// need not get it again.
pub(super) fn answered(content: &Value, has_tag: bool, mut failures: Map<String, Value>) -> Value {
    let result = match has_tag {
        false => json!({"description": "The function's result", "content": content}),
        true => {
            let known = json!({"description": "The client has the result: If-None-Match names its ETag"});
            failures.insert("304".to_owned(), known);
            let headers = json!({"ETag": {"description": "Names the result", "schema": {"type": "string"}}});
            json!({"description": "The function's result", "headers": headers, "content": content})
        }
    };
    failures.insert("200".to_owned(), result);
    failures.into()
}
