//! JSON, read as values of WIT types: straight from its text, led by the type, without a tree of JSON in between.
//!
//! What nests is bounded by the type, and what is allocated by a budget: a record of a hundred options is two bytes of
//! JSON, and kilobytes here.

mod compound;
mod scalar;

use std::fmt::{self, Display};

use serde::{
    Deserialize as _, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use wasmtime::component::Val;

pub(super) use self::compound::Entry;
use super::shape::{Form, Shape};

/// Reads values, and remembers where it is.
pub(super) struct Decoder<'t> {
    path: Vec<Step<'t>>,
    failure: Option<String>,
    budget: usize,
    exhausted: bool,
}

/// A step from a value to one that is part of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'t> {
    Argument(usize),
    Key(&'t str),
    Index(usize),
}

/// Why a text was not read as a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not JSON.
    Syntax(String),
    /// It is not of the type; with the path of the part that is not.
    Mismatch(String),
    /// Its values would take more memory than they may.
    TooLarge,
}

impl<'t> Decoder<'t> {
    /// A decoder whose values may take `budget` bytes altogether.
    pub(super) fn new(budget: usize) -> Self {
        Self { path: Vec::new(), failure: None, budget, exhausted: false }
    }

    /// Reads a whole text as the argument of this index.
    pub(super) fn decode(&mut self, argument: usize, shape: &'t Shape, json: &[u8]) -> Result<Val, Unread> {
        self.read(json, |decoder, json| {
            decoder.within(Step::Argument(argument), |decoder| decoder.seed(shape).deserialize(json))
        })
    }

    /// Reads a whole text as `read` does.
    pub(super) fn read<'j, T>(
        &mut self,
        json: &'j [u8],
        read: impl FnOnce(&mut Self, &mut JsonText<'j>) -> Result<T, serde_json::Error>,
    ) -> Result<T, Unread> {
        self.path.clear();
        let mut text = serde_json::Deserializer::from_slice(json);
        let value = read(self, &mut text).and_then(|value| text.end().map(|()| value));
        value.map_err(|error| self.unread(&error))
    }

    pub(super) fn seed<'d>(&'d mut self, shape: &'t Shape) -> Seed<'d, 't> {
        Seed { decoder: self, shape }
    }

    fn unread(&mut self, error: &serde_json::Error) -> Unread {
        let failure = match self.failure.take() {
            _ if self.exhausted => return Unread::TooLarge,
            Some(failure) => failure,
            None if !error.is_data() => return Unread::Syntax(error.to_string()),
            None => {
                let failure = error.to_string();
                failure.split(" at line ").next().unwrap_or_default().to_owned()
            }
        };
        Unread::Mismatch(format!("{}{failure}", Path(&self.path)))
    }

    /// Fails at the place where it is. The message stays here: an error of the JSON reader would add lines and columns.
    pub(super) fn fail<E: Error>(&mut self, failure: impl Display) -> E {
        self.failure.get_or_insert_with(|| failure.to_string());
        E::custom("")
    }

    fn unexpected<E: Error>(&mut self, shape: &Shape, got: impl Display) -> E {
        self.fail(format_args!("expected {}, got {got}", scalar::Expected(shape)))
    }

    /// Takes what a value is about to allocate from the budget.
    fn charge<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => {
                self.exhausted = true;
                Err(E::custom(""))
            }
        }
    }

    /// Reads a part of a value. The path is left as it is where that fails: it then says where.
    pub(super) fn within<T, E>(
        &mut self,
        step: Step<'t>,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.path.push(step);
        let value = read(self)?;
        self.path.pop();
        Ok(value)
    }
}

/// A text of JSON that is being read.
pub(super) type JsonText<'j> = serde_json::Deserializer<serde_json::de::SliceRead<'j>>;

/// Where something is, in front of what is said of it: `arg 0: .items[2].price: `.
struct Path<'p, 't>(&'p [Step<'t>]);

impl Display for Path<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.0 {
            match step {
                Step::Argument(index) => write!(f, "arg {index}: ")?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        match self.0 {
            [] | [Step::Argument(_)] => Ok(()),
            _ => f.write_str(": "),
        }
    }
}

/// Reads the next value as one of a type.
pub(super) struct Seed<'d, 't> {
    decoder: &'d mut Decoder<'t>,
    shape: &'t Shape,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Val, D::Error> {
        self.decoder.charge(size_of::<Val>())?;
        match &self.shape.form {
            // Not as the JSON reader's number, which is rounded to 64 bits.
            Form::Integer(_) | Form::F32 | Form::F64 => self.number(<&RawValue>::deserialize(json)?.get()),
            Form::Option(_) => json.deserialize_option(self),
            _ => json.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        scalar::Expected(self.shape).fmt(f)
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
