//! Numbers and texts.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserializer as _, de::Error};
use wasmtime::component::Val;

use super::{Seed, compound::Name, quoted, shortened};
use crate::abi::typed::shape::{Case, Form, Integer, Shape};

/// An integer as JSON has it, as the number that its type is.
pub(super) fn integer(shape: &Shape, value: i128) -> Option<Val> {
    Some(match shape.form {
        Form::Integer(Integer::S8) => Val::S8(value.try_into().ok()?),
        Form::Integer(Integer::U8) => Val::U8(value.try_into().ok()?),
        Form::Integer(Integer::S16) => Val::S16(value.try_into().ok()?),
        Form::Integer(Integer::U16) => Val::U16(value.try_into().ok()?),
        Form::Integer(Integer::S32) => Val::S32(value.try_into().ok()?),
        Form::Integer(Integer::U32) => Val::U32(value.try_into().ok()?),
        Form::Integer(Integer::S64) => Val::S64(value.try_into().ok()?),
        Form::Integer(Integer::U64) => Val::U64(value.try_into().ok()?),
        _ => return None,
    })
}

/// A number with a fraction or an exponent. JSON's `1.0` is the integer 1 (JSON Schema, "integer"), where it is exact.
pub(super) fn whole(shape: &Shape, value: f64) -> Option<Val> {
    const EXACT: f64 = 9_007_199_254_740_992.0;

    if value.fract() == 0.0 && value.abs() < EXACT { integer(shape, value as i128) } else { None }
}

impl Seed<'_, '_> {
    /// A float out of the text of a JSON value.
    pub(super) fn float<E: Error>(self, json: &str) -> Result<Val, E> {
        if !json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            // A name of what is no number, or nothing that fits.
            return serde_json::Deserializer::from_str(json).deserialize_any(self).map_err(E::custom);
        }
        let float = match self.shape.form {
            Form::F32 => json.parse().ok().filter(|value: &f32| value.is_finite()).map(Val::Float32),
            _ => json.parse().ok().filter(|value: &f64| value.is_finite()).map(Val::Float64),
        };
        float.ok_or_else(|| self.decoder.unexpected(self.shape, shortened(json)))
    }

    pub(super) fn text<E: Error>(self, text: &str) -> Result<Val, E> {
        let Self { decoder, shape } = self;
        let read = match &shape.form {
            Form::String => {
                decoder.charge(text.len())?;
                Some(Val::String(text.to_owned()))
            }
            Form::Char => only_char(text).map(Val::Char),
            Form::Integer(of) if of.is_wide() => text.parse().ok().and_then(|value| integer(shape, value)),
            Form::F32 => special(text).map(|value| Val::Float32(value as f32)),
            Form::F64 => special(text).map(Val::Float64),
            Form::Bytes => {
                decoder.charge(text.len() / 4 * 3 * size_of::<Val>())?;
                let bytes = STANDARD.decode(text).ok();
                bytes.map(|bytes| Val::List(bytes.into_iter().map(Val::U8).collect()))
            }
            Form::Enum(cases) => {
                let case = Name::find(cases, text).map_err(|unknown| decoder.fail(unknown.of("case")))?;
                Some(Val::Enum(case.name.clone()))
            }
            Form::Variant(cases) => {
                let case = Name::find(cases, text).map_err(|unknown| decoder.fail(unknown.of("case")))?;
                if case.shape.is_some() {
                    return Err(decoder.fail(needs_payload(case)));
                }
                Some(Val::Variant(case.name.clone(), None))
            }
            _ => None,
        };
        read.ok_or_else(|| decoder.unexpected(shape, quoted(text)))
    }
}

fn needs_payload(case: &Case) -> String {
    format!("the case {} has a value: {{\"{}\": …}}", case.name, case.name)
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// What JSON has no number for.
fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// What a type's values look like, for an error.
pub(super) struct Expected<'t>(pub(super) &'t Shape);

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.form {
            Form::Bool => f.write_str("bool"),
            Form::Integer(of) => {
                let (least, greatest) = of.range();
                write!(f, "{} ({least} to {greatest})", of.as_str())
            }
            Form::F32 => f.write_str("f32"),
            Form::F64 => f.write_str("f64"),
            Form::Char => f.write_str("char (a string of one character)"),
            Form::String => f.write_str("string"),
            Form::Bytes => f.write_str("list<u8> (a base64 string, or an array of bytes)"),
            Form::List(_) => f.write_str("a list (an array)"),
            Form::Tuple(types) => write!(f, "a tuple (an array of {})", types.len()),
            Form::Option(_) => f.write_str("{\"some\": …} or null"),
            Form::Result(..) => f.write_str("{\"ok\": …} or {\"err\": …}"),
            Form::Record(_) => f.write_str("a record (an object)"),
            Form::Variant(_) => f.write_str("a variant ({\"case\": value}, or \"case\")"),
            Form::Enum(_) => f.write_str("an enum (a string)"),
            Form::Flags(_) => f.write_str("flags (an array of strings)"),
        }
    }
}
