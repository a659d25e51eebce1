//! Reads JSON as values of WIT types. The text is read straight into values, according to the type, without a tree of
//! JSON.
//!
//! The type limits how deep values are nested, and a budget limits how much memory they take: a record of a hundred
//! options may be two bytes of JSON, and takes kilobytes as a value.

mod compound;
mod decoder;
mod scalar;

use std::fmt::{self, Display as _};

use serde::{
    Deserialize as _, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use wasmtime::component::Val;

use self::decoder::{Expected, Seed};
pub(super) use self::{
    compound::EntryKind,
    decoder::{DecodeError, Decoder, JsonText, PathStep},
};
use super::shape::Form;

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        self.decoder.charge(size_of::<Val>())?;
        match &self.shape.form {
            // The number's text, because the JSON reader rounds numbers to 64 bits.
            Form::Integer(_) | Form::F32 | Form::F64 => self.number(<&RawValue>::deserialize(json)?.get()),
            Form::Option(_) => json.deserialize_option(self),
            _ => json.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Expected(self.shape).fmt(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Val, E> {
        match self.shape.form {
            Form::Bool => Ok(Val::Bool(value)),
            _ => Err(self.decoder.unexpected(self.shape, value)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Val, E> {
        Err(self.decoder.unexpected(self.shape, value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Val, E> {
        Err(self.decoder.unexpected(self.shape, value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Val, E> {
        Err(self.decoder.unexpected(self.shape, value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Val, E> {
        self.text(text)
    }

    fn visit_unit<E: Error>(self) -> Result<Val, E> {
        Err(self.decoder.unexpected(self.shape, "null"))
    }

    fn visit_none<E: Error>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        self.some(json)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Val, A::Error> {
        self.array(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Val, A::Error> {
        self.object(entries)
    }
}
