//! Makes an example value of a type.

use serde_json::{Value, json};

use crate::guest::typed::shape::{Case, Form, Shape};

/// An example value of this type as JSON. A function accepts it as an argument.
pub(super) fn of(shape: &Shape) -> Value {
    match &shape.form {
        Form::Bool => json!(true),
        Form::Integer(_) => json!(1),
        Form::F32 | Form::F64 => json!(1.5),
        Form::Char => json!("a"),
        Form::String => json!("text"),
        Form::Bytes => json!("Ynl0ZXM="),
        Form::List(item) => json!([of(item)]),
        Form::Tuple(types) => types.iter().map(of).collect(),
        Form::Option(value) if value.is_option() => json!({"some": of(value)}),
        Form::Option(value) => of(value),
        Form::Result(ok, _) => json!({"ok": ok.as_deref().map(of)}),
        Form::Record(fields) => fields.iter().map(|field| (field.name.clone(), of(&field.shape))).collect(),
        Form::Variant(cases) => cases.first().map(variant).unwrap_or_default(),
        Form::Enum(cases) => cases.first().map(|case| json!(case.name)).unwrap_or_default(),
        Form::Flags(flags) => flags.iter().take(1).map(|flag| json!(flag.name)).collect(),
    }
}

fn variant(case: &Case) -> Value {
    match &case.shape {
        Some(shape) => json!({ &case.name: of(shape) }),
        None => json!(case.name),
    }
}
