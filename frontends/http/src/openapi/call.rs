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

/// The responses of a call: the result with this `content`, and the failures.
pub(super) fn answered(content: &Value, mut failures: Map<String, Value>) -> Value {
    failures.insert("200".to_owned(), json!({"description": "The function's result", "content": content}));
    failures.into()
}
