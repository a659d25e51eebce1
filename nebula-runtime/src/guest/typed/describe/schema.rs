//! Writes WIT types as JSON Schemas (2020-12).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    function::schema,
    guest::{
        number::Integer,
        typed::shape::{Case, Field, Form, Shape},
    },
};

/// Collects the schemas of named types. Other schemas refer to these as `#/$defs/NAME`.
#[derive(Default)]
pub(super) struct Schemas {
    pub(super) named: BTreeMap<String, Value>,
}

/// Adds the author's documentation to a schema.
pub(super) fn describe(schema: &mut Value, docs: Option<&str>) {
    if let (Some(docs), Some(schema)) = (docs, schema.as_object_mut()) {
        schema.insert("description".to_owned(), docs.into());
    }
}

impl Schemas {
    /// The schema of a type.
    pub(super) fn of(&mut self, shape: &Shape) -> Value {
        let Some(named) = &shape.named else {
            return self.of_form(&shape.form);
        };
        if !self.named.contains_key(&named.name) {
            let mut schema = self.of_form(&shape.form);
            describe(&mut schema, named.docs.as_deref());
            self.named.insert(named.name.clone(), schema);
        }
        json!({"$ref": format!("#/$defs/{}", named.name)})
    }

    /// The schema of a type, or of `null` if there is no type.
    pub(super) fn of_optional(&mut self, shape: Option<&Shape>) -> Value {
        shape.map_or_else(|| json!({"type": "null"}), |shape| self.of(shape))
    }

    fn of_form(&mut self, form: &Form) -> Value {
        match form {
            Form::Bool => json!({"type": "boolean"}),
            Form::Integer(of) => integer(*of),
            Form::F32 => schema::number("f32"),
            Form::F64 => schema::number("f64"),
            Form::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
            Form::String => json!({"type": "string"}),
            Form::Bytes => json!({"type": "string", "contentEncoding": "base64", "pattern": BASE64}),
            Form::List(of) => json!({"type": "array", "items": self.of(of)}),
            Form::Tuple(types) => schema::tuple(&types.iter().map(|ty| self.of(ty)).collect::<Vec<_>>()),
            Form::Option(of) if of.is_option() => json!({"anyOf": [tagged("some", &self.of(of)), {"type": "null"}]}),
            Form::Option(of) => json!({"anyOf": [self.of(of), {"type": "null"}]}),
            Form::Result(ok, err) => {
                let ok = tagged("ok", &self.of_optional(ok.as_deref()));
                let err = tagged("err", &self.of_optional(err.as_deref()));
                json!({"oneOf": [ok, err]})
            }
            Form::Record(fields) => self.record(fields),
            Form::Variant(cases) => json!({"oneOf": cases.iter().map(|case| self.case(case)).collect::<Vec<_>>()}),
            Form::Enum(cases) => labels(cases),
            Form::Flags(flags) => json!({"type": "array", "items": labels(flags), "uniqueItems": true}),
        }
    }

    fn record(&mut self, fields: &[Field]) -> Value {
        let required = fields.iter().filter(|field| !field.shape.is_option());
        let required: Vec<_> = required.map(|field| field.name.as_str()).collect();
        let property = |field: &Field| {
            let mut schema = self.of(&field.shape);
            describe(&mut schema, field.docs.as_deref());
            (field.name.clone(), schema)
        };
        let properties: Map<_, _> = fields.iter().map(property).collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }

    fn case(&mut self, case: &Case) -> Value {
        let mut schema = match &case.shape {
            Some(shape) => tagged(&case.name, &self.of(shape)),
            None => json!({"const": case.name}),
        };
        describe(&mut schema, case.docs.as_deref());
        schema
    }
}

/// Base64 of the standard alphabet, with padding and without left-over bits (RFC 4648, section 4).
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

fn integer(of: Integer) -> Value {
    let format = match of {
        Integer::S8 => "int8",
        Integer::U8 => "uint8",
        Integer::S16 => "int16",
        Integer::U16 => "uint16",
        Integer::S32 => "int32",
        Integer::U32 => "uint32",
        Integer::S64 => "int64",
        Integer::U64 => "uint64",
    };
    let (least, greatest) = of.range();
    // Converted, because `json!` does not take integers of 128 bits.
    let bound = |bound: i128| i64::try_from(bound).map_or_else(|_| json!(u64::MAX), |bound| json!(bound));
    json!({"type": "integer", "format": format, "minimum": bound(least), "maximum": bound(greatest)})
}

fn labels(cases: &[Case]) -> Value {
    let mut schema = json!({"type": "string", "enum": cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>()});
    let documented = cases.iter().filter_map(|case| Some(format!("`{}`: {}", case.name, case.docs.as_ref()?)));
    let documented: Vec<_> = documented.collect();
    describe(&mut schema, Some(documented.join("\n").as_str()).filter(|docs| !docs.is_empty()));
    schema
}

fn tagged(tag: &str, schema: &Value) -> Value {
    json!({"type": "object", "properties": { tag: schema }, "required": [tag], "additionalProperties": false})
}
