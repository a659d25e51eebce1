//! Writes types and signatures as WIT.

use std::{
    collections::BTreeSet,
    fmt::{self, Display, Formatter},
};

use crate::guest::typed::shape::{Case, Field, Form, Shape, Signature};

/// A function's signature, followed by the definitions of the named types that it uses, each once:
///
/// ```text
/// add-item: func(item: item, n: option<u32>) -> result<cart, error>
///   record item { sku: string, price: f64 }
/// ```
pub(super) fn signature(name: &str, signature: &Signature) -> String {
    let is_async = if signature.is_async { "async " } else { "" };
    let params: Vec<_> = signature.params.iter().map(|field| Member(field).to_string()).collect();
    let mut text = format!("{name}: {is_async}func({})", params.join(", "));
    if let Some(result) = &signature.result {
        text = format!("{text} -> {}", TypeText(result));
    }
    let mut known = BTreeSet::new();
    for shape in signature.params.iter().map(|field| &field.shape).chain(&signature.result) {
        define(shape, &mut known, &mut text);
    }
    text
}

/// Adds the definitions of the named types that a type uses, the outer ones first.
fn define<'s>(shape: &'s Shape, known: &mut BTreeSet<&'s str>, text: &mut String) {
    if let Some(named) = &shape.named {
        if !known.insert(&named.name) {
            return;
        }
        text.push_str(&format!("\n  {}", Definition(&named.name, &shape.form)));
    }
    let mut define = |shape| define(shape, known, text);
    match &shape.form {
        Form::List(of) | Form::Option(of) => define(of),
        Form::Tuple(types) => types.iter().for_each(define),
        Form::Result(ok, err) => ok.iter().chain(err).for_each(|shape| define(shape)),
        Form::Record(fields) => fields.iter().for_each(|field| define(&field.shape)),
        Form::Variant(cases) => cases.iter().filter_map(|case| case.shape.as_ref()).for_each(define),
        Form::Bool
        | Form::Integer(_)
        | Form::F32
        | Form::F64
        | Form::Char
        | Form::String
        | Form::Bytes
        | Form::Enum(_)
        | Form::Flags(_) => {}
    }
}

/// A type as it is written where it is used: its name, or its parts if it has no name.
pub(super) struct TypeText<'s>(pub(super) &'s Shape);

impl Display for TypeText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0.named {
            Some(named) => f.write_str(&named.name),
            None => FormText(&self.0.form).fmt(f),
        }
    }
}

struct FormText<'s>(&'s Form);

impl Display for FormText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::Bool => f.write_str("bool"),
            Form::Integer(of) => f.write_str(of.as_str()),
            Form::F32 => f.write_str("f32"),
            Form::F64 => f.write_str("f64"),
            Form::Char => f.write_str("char"),
            Form::String => f.write_str("string"),
            Form::Bytes => f.write_str("list<u8>"),
            Form::List(of) => write!(f, "list<{}>", TypeText(of)),
            Form::Tuple(types) => write!(f, "tuple<{}>", List(types.iter().map(TypeText))),
            Form::Option(of) => write!(f, "option<{}>", TypeText(of)),
            Form::Result(ok, err) => match (ok.as_deref(), err.as_deref()) {
                (None, None) => f.write_str("result"),
                (Some(ok), None) => write!(f, "result<{}>", TypeText(ok)),
                (None, Some(err)) => write!(f, "result<_, {}>", TypeText(err)),
                (Some(ok), Some(err)) => write!(f, "result<{}, {}>", TypeText(ok), TypeText(err)),
            },
            Form::Record(fields) => write!(f, "record {{ {} }}", List(fields.iter().map(Member))),
            Form::Variant(cases) => write!(f, "variant {{ {} }}", List(cases.iter().map(CaseText))),
            Form::Enum(cases) => write!(f, "enum {{ {} }}", List(cases.iter().map(CaseText))),
            Form::Flags(flags) => write!(f, "flags {{ {} }}", List(flags.iter().map(CaseText))),
        }
    }
}

/// The definition of a named type.
struct Definition<'s>(&'s str, &'s Form);

impl Display for Definition<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let text = FormText(self.1).to_string();
        match self.1 {
            // A keyword such as "record" stands before the name.
            Form::Record(_) | Form::Variant(_) | Form::Enum(_) | Form::Flags(_) => {
                let (keyword, body) = text.split_once(' ').unwrap_or((&text, ""));
                write!(f, "{keyword} {} {body}", self.0)
            }
            _ => write!(f, "type {} = {text}", self.0),
        }
    }
}

struct Member<'s>(&'s Field);

impl Display for Member<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.name, TypeText(&self.0.shape))
    }
}

struct CaseText<'s>(&'s Case);

impl Display for CaseText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name)?;
        self.0.shape.as_ref().map_or(Ok(()), |shape| write!(f, "({})", TypeText(shape)))
    }
}

struct List<I>(I);

impl<I: Iterator<Item: Display> + Clone> Display for List<I> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.clone().enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
