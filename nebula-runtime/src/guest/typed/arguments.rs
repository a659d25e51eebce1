//! Reads a function's arguments from an event.
//!
//! A body is an array of the arguments in order, an object with the arguments by name, or the only argument itself. If
//! the function has one parameter, these may look the same. Then the parameter's type decides:
//!
//! - An array is the argument itself if values of the type are written as arrays (`list`, `tuple`, `flags`). Otherwise
//!   it contains the argument.
//! - An object is the argument itself if values of the type are written as objects (`record`, `variant`, `result`, an
//!   option of an option). But if its first key is the parameter's name and not a key of the type, it contains the
//!   argument.
//! - Any other value is the argument itself.
//!
//! So the argument itself is always understood, and an array or object around it if that can mean nothing else. An
//! argument of an option type may be left out: it is then `none`.
//!
//! A part of a path is read as JSON if that fits its parameter's type, and otherwise as a text: `10` is a number for a
//! `u8`, and a text for a `string`.

use std::fmt;

use serde::{
    Deserialize as _, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use wasmtime::component::Val;

use super::{
    decode::{DecodeError, Decoder, EntryKind, JsonText, PathStep},
    shape::{Field, Form, Shape},
};
use crate::function::without_byte_order_mark;

/// Why an event's arguments cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ArgumentError {
    /// They do not fit the function, for this reason.
    Invalid(String),
    /// They would take more memory than is allowed.
    TooLarge,
}

/// Reads the arguments from a body. They may take `budget` bytes of memory.
pub(super) fn of_body(params: &[Field], body: &[u8], budget: usize) -> Result<Vec<Val>, ArgumentError> {
    let body = without_byte_order_mark(body).trim_ascii();
    let mut decoder = Decoder::new(budget);
    let first = body.first().copied();
    let read = match (params, first) {
        (params, None) => return of_texts(params, &[], budget),
        ([], Some(b'n')) => decoder.read(body, |_, json| <()>::deserialize(json).map(|()| Vec::new())),
        ([only], Some(b'[')) if is_array(&only.shape) => alone(&mut decoder, only, body),
        ([only], Some(b'{')) if is_object(&only.shape) && !names(only, body) => alone(&mut decoder, only, body),
        (params, Some(b'[')) => {
            decoder.read(body, |decoder, json| json.deserialize_seq(ByPosition { decoder, params }))
        }
        (params, Some(b'{')) => decoder.read(body, |decoder, json| json.deserialize_map(ByName { decoder, params })),
        ([only], Some(_)) => alone(&mut decoder, only, body),
        (params, Some(_)) => {
            return Err(match decoder.read(body, |_, json: &mut JsonText<'_>| IgnoredAny::deserialize(json)) {
                Ok(_) => ArgumentError::Invalid(format!(
                    "{}; give an array of them, or an object by their names",
                    takes(params)
                )),
                Err(decode_error) => argument_error(decode_error),
            });
        }
    };
    read.map_err(argument_error)
}

/// Reads the arguments from the parts of a path. They may take `budget` bytes of memory.
pub(super) fn of_texts(params: &[Field], texts: &[String], budget: usize) -> Result<Vec<Val>, ArgumentError> {
    if texts.len() > params.len() {
        return Err(ArgumentError::Invalid(format!("{}, got {}", takes(params), texts.len())));
    }
    let mut decoder = Decoder::new(budget);
    let pairs = params.iter().enumerate().map(|(index, param)| (index, param, texts.get(index)));
    let values = pairs.map(|(index, param, text)| match text {
        Some(text) => of_text(&mut decoder, index, &param.shape, text).map_err(argument_error),
        None if param.shape.is_option() => Ok(Val::Option(None)),
        None => Err(ArgumentError::Invalid(format!("{}, got {}", takes(params), texts.len()))),
    });
    values.collect()
}

fn of_text<'t>(decoder: &mut Decoder<'t>, index: usize, shape: &'t Shape, text: &str) -> Result<Val, DecodeError> {
    let json = without_byte_order_mark(text.as_bytes());
    let as_json = match decoder.decode(index, shape, json) {
        Err(DecodeError::TooLarge) => return Err(DecodeError::TooLarge),
        Ok(value) => return Ok(value),
        Err(decode_error) => decode_error,
    };
    let quoted = serde_json::to_string(text).unwrap_or_default();
    decoder.decode(index, shape, quoted.as_bytes()).map_err(|as_text| match as_json {
        // The text is not JSON, so the caller did not mean it as JSON.
        DecodeError::Syntax(_) => as_text,
        as_json => as_json,
    })
}

fn alone<'t>(decoder: &mut Decoder<'t>, param: &'t Field, body: &[u8]) -> Result<Vec<Val>, DecodeError> {
    decoder.decode(0, &param.shape, body).map(|value| vec![value])
}

fn argument_error(decode_error: DecodeError) -> ArgumentError {
    match decode_error {
        DecodeError::Syntax(error) => ArgumentError::Invalid(format!("expected JSON: {error}")),
        DecodeError::Mismatch(failure) => ArgumentError::Invalid(failure),
        DecodeError::TooLarge => ArgumentError::TooLarge,
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

/// Whether values of this type can be written as arrays.
fn is_array(shape: &Shape) -> bool {
    match &shape.form {
        Form::Bytes | Form::List(_) | Form::Tuple(_) | Form::Flags(_) => true,
        Form::Option(of) => is_array(of),
        _ => false,
    }
}

/// Whether values of this type can be written as objects.
fn is_object(shape: &Shape) -> bool {
    match &shape.form {
        Form::Record(_) | Form::Variant(_) | Form::Result(..) => true,
        Form::Option(of) => of.is_option() || is_object(of),
        _ => false,
    }
}

/// Whether an object contains the argument by its name: the object's first key is the parameter's name, and not a key
/// of the parameter's type.
fn names(param: &Field, body: &[u8]) -> bool {
    let mut found = false;
    // This reads only the first key, and not the whole body a second time.
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

/// Reads arguments from an array, in order.
struct ByPosition<'d, 't> {
    decoder: &'d mut Decoder<'t>,
    params: &'t [Field],
}

impl<'de> Visitor<'de> for ByPosition<'_, '_> {
    type Value = Vec<Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Val>, A::Error> {
        let Self { decoder, params } = self;
        let mut values = Vec::with_capacity(params.len());
        for param in params {
            let step = PathStep::Argument(values.len());
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

/// Reads arguments from an object, by their names.
struct ByName<'d, 't> {
    decoder: &'d mut Decoder<'t>,
    params: &'t [Field],
}

impl<'de> Visitor<'de> for ByName<'_, '_> {
    type Value = Vec<Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Vec<Val>, A::Error> {
        self.decoder.fields(self.params, entries, EntryKind::Argument)
    }
}
