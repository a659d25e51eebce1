//! Describes a component's functions for people and programs that want to call them: their WIT signatures, an example
//! of each argument, and JSON Schemas of arguments and results.
//!
//! The descriptions are made when a component is published, and kept in its manifest.

mod example;
mod schema;
mod text;
mod wit;

use std::sync::Arc;

use schema::Schemas;
use text::TypeText;
use wit::Wit;

use super::{
    Typed,
    exports::Function,
    shape::{Field, Form, Signature},
};
use crate::function::{Export, TypedExport, TypedParam};

impl Typed {
    /// The component's functions. `binary` is the component itself: it has the names of types and, unless its tools
    /// removed it, its author's documentation.
    pub(in crate::guest) fn describe(&self, binary: &[u8]) -> Vec<Export> {
        let wit = Wit::decode(binary);
        self.exports.functions.iter().map(|function| described(function, wit.as_ref())).collect()
    }

    /// Whether a function can be called by this name.
    pub(in crate::guest) fn has_export(&self, name: &str) -> bool {
        self.exports.named(name).is_some_and(|function| function.signature.is_ok())
    }
}

fn described(function: &Function, wit: Option<&Wit>) -> Export {
    let reflected = match &function.signature {
        Ok(signature) => signature,
        Err(refusal) => return refused(function, &refusal.0),
    };
    let interface = function.interface.as_deref();
    let named = wit.and_then(|wit| wit.signature(interface, &function.own_name));
    let signature = named.as_ref().unwrap_or(reflected);
    let types = |field: &Field| TypeText(&field.shape).to_string();
    Export {
        name: function.name.clone(),
        params: signature.params.iter().map(types).collect(),
        results: signature.result.iter().map(|result| TypeText(result).to_string()).collect(),
        typed: Some(Arc::new(typed(function, signature))),
    }
}

fn refused(function: &Function, why: &str) -> Export {
    let typed = TypedExport { refused: Some(why.to_owned()), ..TypedExport::default() };
    Export { name: function.name.clone(), params: Vec::new(), results: Vec::new(), typed: Some(Arc::new(typed)) }
}

fn typed(function: &Function, signature: &Signature) -> TypedExport {
    let mut schemas = Schemas::default();
    let mut param = |field: &Field| {
        let mut schema = schemas.of(&field.shape);
        schema::describe(&mut schema, field.docs.as_deref());
        let example = example::of(&field.shape);
        TypedParam { name: field.name.clone(), required: !field.shape.is_option(), schema, example }
    };
    let params = signature.params.iter().map(&mut param).collect();
    let is_fallible = matches!(signature.result.as_ref().map(|shape| &shape.form), Some(Form::Result(..)));
    TypedExport {
        wit: text::signature(&function.own_name, signature),
        interface: function.interface.clone(),
        docs: signature.docs.clone(),
        params,
        result: schemas.of_optional(signature.success()),
        error: is_fallible.then(|| schemas.of_optional(signature.failure())),
        types: schemas.named,
        refused: None,
    }
}
