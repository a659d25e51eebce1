//! A call of a function, in the words of OpenAPI.

use serde_json::{Map, Value, json};

/// How something is called, whatever kind it is of.
pub(super) struct Call {
    pub(super) summary: String,
    pub(super) description: Option<String>,
    /// The arguments as parts of the path, where they can be.
    pub(super) in_path: Option<Vec<Parameter>>,
    /// The arguments as a body: a media type object. `None` where there are none.
    pub(super) body: Option<Value>,
    pub(super) body_required: bool,
    /// Whether a call without arguments can only fail.
    pub(super) needs_arguments: bool,
    pub(super) result: Value,
    pub(super) error: Option<Value>,
}

/// A part of a path.
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

/// The responses of a call whose result is `content`, and those of a failure.
pub(super) fn answered(content: &Value, mut failures: Map<String, Value>) -> Value {
    failures.insert("200".to_owned(), json!({"description": "The function's result", "content": content}));
    failures.into()
}
