//! Reads numbers and texts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserializer as _, de::Error};
use wasmtime::component::Val;

use super::{compound::NameSeed, decoder::Seed};
use crate::function::{QUOTED, quoted, shortened};
use crate::guest::{
    number::{Float, Integer, expected_float, read_float, read_float_name},
    typed::shape::{Case, Form},
};

/// An integer as a value of its WIT type.
fn integer(of: Integer, value: i128) -> Option<Val> {
    Some(match of {
        Integer::S8 => Val::S8(value.try_into().ok()?),
        Integer::U8 => Val::U8(value.try_into().ok()?),
        Integer::S16 => Val::S16(value.try_into().ok()?),
        Integer::U16 => Val::U16(value.try_into().ok()?),
        Integer::S32 => Val::S32(value.try_into().ok()?),
        Integer::U32 => Val::U32(value.try_into().ok()?),
        Integer::S64 => Val::S64(value.try_into().ok()?),
        Integer::U64 => Val::U64(value.try_into().ok()?),
    })
}

impl Seed<'_, '_> {
    /// Reads a number from the text of a JSON value.
    pub(super) fn number<E: Error>(self, json: &str) -> Result<Val, E> {
        if !json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            // Not a number: a string may fit, and any other value is refused.
            return serde_json::Deserializer::from_str(json).deserialize_any(self).map_err(E::custom);
        }
        match self.shape.form {
            Form::Integer(of) => {
                let value = of.read(json).and_then(|value| integer(of, value));
                value.ok_or_else(|| self.decoder.unexpected(self.shape, shortened(json, QUOTED)))
            }
            Form::F32 => self.float(json).map(Val::Float32),
            Form::F64 => self.float(json).map(Val::Float64),
            _ => Err(self.decoder.unexpected(self.shape, shortened(json, QUOTED))),
        }
    }

    fn float<F: Float, E: Error>(self, json: &str) -> Result<F, E> {
        read_float(json).map_err(|error| {
            self.decoder.fail(format_args!("expected {}, got {}", expected_float::<F>(error), shortened(json, QUOTED)))
        })
    }

    pub(super) fn text<E: Error>(self, text: &str) -> Result<Val, E> {
        let Self { decoder, shape } = self;
        let read = match &shape.form {
            Form::String => {
                decoder.charge(text.len())?;
                Some(Val::String(text.to_owned()))
            }
            Form::Char => only_char(text).map(Val::Char),
            Form::Integer(of) => of.read_string(text).and_then(|value| integer(*of, value)),
            Form::F32 => read_float_name(text).map(Val::Float32),
            Form::F64 => read_float_name(text).map(Val::Float64),
            Form::Bytes => {
                decoder.charge(text.len() / 4 * 3 * size_of::<Val>())?;
                let bytes = STANDARD.decode(text).ok();
                bytes.map(|bytes| Val::List(bytes.into_iter().map(Val::U8).collect()))
            }
            Form::Enum(cases) => {
                let case = NameSeed::find(cases, text).map_err(|unknown| decoder.fail(unknown.of("case")))?;
                Some(Val::Enum(case.name.clone()))
            }
            Form::Variant(cases) => {
                let case = NameSeed::find(cases, text).map_err(|unknown| decoder.fail(unknown.of("case")))?;
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
