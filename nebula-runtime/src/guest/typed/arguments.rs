//! An event as a function's arguments.
//!
//! A body is an array of the arguments in order, an object of them by name, or the one argument itself. With one parameter
//! these could be mistaken for each other, and its type decides:
//!
//! - an array is the argument itself where values of the type are written as arrays (`list`, `tuple`, `flags`), and holds
//!   the argument where they are not;
//! - an object is the argument itself where values of the type are written as objects (`record`, `variant`, `result`, an
//!   option of an option), unless its first key is the parameter's name and no key of the type: then it holds the argument;
//! - whatever else is the argument itself.
//!
//! So the argument itself is always understood, and the other two wherever they can mean nothing else. An argument that is
//! left out is none, where it is an option.
//!
//! A path's part is JSON where that fits its parameter's type, and else the text that it is: `10` is a number for a
//! parameter that is one, and a text for a `string`.

use std::fmt;

use serde::{
    Deserialize as _, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use wasmtime::component::Val;

use super::{
    decode::{Decoder, Entry, JsonText, Step, Unread},
    shape::{Field, Form, Shape},
};
use crate::function::without_byte_order_mark;

/// Why an event holds no arguments of a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// What is wrong with it.
    Invalid(String),
    /// The arguments would take more memory than they may.
    TooLarge,
}

/// The arguments that a body holds, which may take `budget` bytes of memory.
pub(super) fn of_body(params: &[Field], body: &[u8], budget: usize) -> Result<Vec<Val>, Unfit> {
    let body = without_byte_order_mark(body).trim_ascii();
    let mut decoder = Decoder::new(budget);
    let first = body.first().copied();
    let read = match (params, first) {
        (params, None) => return of_texts(params, &[], budget),
        ([], Some(b'n')) => decoder.read(body, |_, json| <()>::deserialize(json).map(|()| Vec::new())),
        ([only], Some(b'[')) if is_array(&only.shape) => alone(&mut decoder, only, body),
        ([only], Some(b'{')) if is_object(&only.shape) && !names(only, body) => alone(&mut decoder, only, body),
        (params, Some(b'[')) => {
            decoder.read(body, |decoder, json| json.deserialize_seq(Positional { decoder, params }))
        }
        (params, Some(b'{')) => decoder.read(body, |decoder, json| json.deserialize_map(Named { decoder, params })),
        ([only], Some(_)) => alone(&mut decoder, only, body),
        (params, Some(_)) => {
            return Err(match decoder.read(body, |_, json: &mut JsonText<'_>| IgnoredAny::deserialize(json)) {
                Ok(_) => {
                    Unfit::Invalid(format!("{}; give an array of them, or an object by their names", takes(params)))
                }
                Err(unread) => unfit(unread),
            });
        }
    };
    read.map_err(unfit)
}

/// The arguments that a path's parts are, which may take `budget` bytes of memory.
pub(super) fn of_texts(params: &[Field], texts: &[String], budget: usize) -> Result<Vec<Val>, Unfit> {
    if texts.len() > params.len() {
        return Err(Unfit::Invalid(format!("{}, got {}", takes(params), texts.len())));
    }
    let mut decoder = Decoder::new(budget);
    let pairs = params.iter().enumerate().map(|(index, param)| (index, param, texts.get(index)));
    let values = pairs.map(|(index, param, text)| match text {
        Some(text) => of_text(&mut decoder, index, &param.shape, text).map_err(unfit),
        None if param.shape.is_option() => Ok(Val::Option(None)),
        None => Err(Unfit::Invalid(format!("{}, got {}", takes(params), texts.len()))),
    });
    values.collect()
}

fn of_text<'t>(decoder: &mut Decoder<'t>, index: usize, shape: &'t Shape, text: &str) -> Result<Val, Unread> {
    let json = without_byte_order_mark(text.as_bytes());
    let as_json = match decoder.decode(index, shape, json) {
        Err(Unread::TooLarge) => return Err(Unread::TooLarge),
        Ok(value) => return Ok(value),
        Err(unread) => unread,
    };
    let quoted = serde_json::to_string(text).unwrap_or_default();
    decoder.decode(index, shape, quoted.as_bytes()).map_err(|as_text| match as_json {
        // It is no JSON: it can only have been meant as a text.
        Unread::Syntax(_) => as_text,
        meant => meant,
    })
}

fn alone<'t>(decoder: &mut Decoder<'t>, param: &'t Field, body: &[u8]) -> Result<Vec<Val>, Unread> {
    decoder.decode(0, &param.shape, body).map(|value| vec![value])
}

fn unfit(unread: Unread) -> Unfit {
    match unread {
        Unread::Syntax(error) => Unfit::Invalid(format!("expected JSON: {error}")),
        Unread::Mismatch(failure) => Unfit::Invalid(failure),
        Unread::TooLarge => Unfit::TooLarge,
    }
}

fn takes(params: &[Field]) -> String {
    let names: Vec<_> = params.iter().map(|param| param.name.as_str()).collect();
    match params.len() {
        0 => "the function takes no arguments".to_owned(),
        1 => format!("the function takes 1 argument ({})", names.join(", ")),
        count => format!("the function takes {count} arguments ({})", names.join(", ")),
    }
}

/// Whether values of this type may be written as arrays.
fn is_array(shape: &Shape) -> bool {
    match &shape.form {
        Form::Bytes | Form::List(_) | Form::Tuple(_) | Form::Flags(_) => true,
        Form::Option(of) => is_array(of),
        _ => false,
    }
}

/// Whether values of this type may be written as objects.
fn is_object(shape: &Shape) -> bool {
    match &shape.form {
        Form::Record(_) | Form::Variant(_) | Form::Result(..) => true,
        Form::Option(of) => of.is_option() || is_object(of),
        _ => false,
    }
}

/// Whether an object begins with the parameter's name, and that is no key of its type.
fn names(param: &Field, body: &[u8]) -> bool {
    let mut found = false;
    // It stops at the first key, so that this is no second reading of it all.
    let _ = serde_json::Deserializer::from_slice(body).deserialize_map(FirstKey(|key: &str| found = key == param.name));
    found && !has_key(&param.shape, &param.name)
}

fn has_key(shape: &Shape, key: &str) -> bool {
    match &shape.form {
        Form::Record(fields) => fields.iter().any(|field| field.name == key),
        Form::Variant(cases) => cases.iter().any(|case| case.name == key),
        Form::Result(..) => matches!(key, "ok" | "err"),
        Form::Option(of) if of.is_option() => key == "some",
        Form::Option(of) => has_key(of, key),
        _ => false,
    }
}

struct FirstKey<F>(F);

impl<'de, F: FnMut(&str)> Visitor<'de> for FirstKey<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        if let Some(key) = entries.next_key::<String>()? {
            (self.0)(&key);
        }
        Ok(())
    }
}

/// Reads an array of arguments in order.
struct Positional<'d, 't> {
    decoder: &'d mut Decoder<'t>,
    params: &'t [Field],
}

impl<'de> Visitor<'de> for Positional<'_, '_> {
    type Value = Vec<Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Val>, A::Error> {
        let Self { decoder, params } = self;
        let mut values = Vec::with_capacity(params.len());
        for param in params {
            let step = Step::Argument(values.len());
            let value = decoder.within(step, |decoder| items.next_element_seed(decoder.seed(&param.shape)))?;
            match value {
                Some(value) => values.push(value),
                None if param.shape.is_option() => values.push(Val::Option(None)),
                None => return Err(decoder.fail(format_args!("{}, got {}", takes(params), values.len()))),
            }
        }
        if items.next_element::<IgnoredAny>()?.is_some() {
            return Err(decoder.fail(format_args!("{}, got more", takes(params))));
        }
        Ok(values)
    }
}

/// Reads an object of arguments by their names.
struct Named<'d, 't> {
    decoder: &'d mut Decoder<'t>,
    params: &'t [Field],
}

impl<'de> Visitor<'de> for Named<'_, '_> {
    type Value = Vec<Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Vec<Val>, A::Error> {
        self.decoder.fields(self.params, entries, Entry::Argument)
    }
}
