//! The state of reading values: the path to the value that is being read, and the budget of memory.

use std::fmt::{self, Display};

use serde::de::{DeserializeSeed as _, Error};
use wasmtime::component::Val;

use super::super::shape::{Form, Shape};

/// Reads values, and keeps the path to the value that it reads.
pub(in super::super) struct Decoder<'t> {
    pub(super) path: Vec<PathStep<'t>>,
    /// Why the value at `path` cannot be read.
    failure: Option<String>,
    /// How many more bytes the values may take.
    budget: usize,
    /// Whether the values would take more than that.
    exhausted: bool,
}

/// A step of a path: from a value to one of its parts.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum PathStep<'t> {
    Argument(usize),
    Key(&'t str),
    Index(usize),
}

/// Why a text cannot be read as a value.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum DecodeError {
    /// The text is not JSON.
    Syntax(String),
    /// The value, or a part of it, is not of its type. The message begins with the path of the part.
    Mismatch(String),
    /// The value would take more memory than is allowed.
    TooLarge,
}

impl<'t> Decoder<'t> {
    /// A decoder whose values may take `budget` bytes altogether.
    pub(in super::super) fn new(budget: usize) -> Self {
        Self { path: Vec::new(), failure: None, budget, exhausted: false }
    }

    /// Reads a text as one value: the argument with this index.
    pub(in super::super) fn decode(
        &mut self,
        argument: usize,
        shape: &'t Shape,
        json: &[u8],
    ) -> Result<Val, DecodeError> {
        self.read(json, |decoder, json| {
            decoder.within(PathStep::Argument(argument), |decoder| decoder.seed(shape).deserialize(json))
        })
    }

    /// Reads a text with `read`, and refuses the text if anything follows.
    pub(in super::super) fn read<'j, T>(
        &mut self,
        json: &'j [u8],
        read: impl FnOnce(&mut Self, &mut JsonText<'j>) -> Result<T, serde_json::Error>,
    ) -> Result<T, DecodeError> {
        self.path.clear();
        let mut text = serde_json::Deserializer::from_slice(json);
        let value = read(self, &mut text).and_then(|value| text.end().map(|()| value));
        value.map_err(|error| self.decode_error(&error))
    }

    pub(in super::super) fn seed<'d>(&'d mut self, shape: &'t Shape) -> Seed<'d, 't> {
        Seed { decoder: self, shape }
    }

    fn decode_error(&mut self, error: &serde_json::Error) -> DecodeError {
        let failure = match self.failure.take() {
            _ if self.exhausted => return DecodeError::TooLarge,
            Some(failure) => failure,
            None if !error.is_data() => return DecodeError::Syntax(error.to_string()),
            None => {
                let failure = error.to_string();
                failure.split(" at line ").next().unwrap_or_default().to_owned()
            }
        };
        DecodeError::Mismatch(format!("{}{failure}", Path(&self.path)))
    }

    /// Makes reading fail at the current path. The message is kept here, because the JSON reader would add a line and a
    /// column to it.
    pub(in super::super) fn fail<E: Error>(&mut self, failure: impl Display) -> E {
        self.failure.get_or_insert_with(|| failure.to_string());
        E::custom("")
    }

    /// Makes reading fail because the JSON is not of the type `shape`.
    pub(in super::super) fn unexpected<E: Error>(&mut self, shape: &Shape, got: impl Display) -> E {
        self.fail(format_args!("expected {}, got {got}", Expected(shape)))
    }

    /// Takes the bytes that a value is about to allocate from the budget.
    pub(in super::super) fn charge<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
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

    /// Reads a part of a value. If that fails, the path stays as it is, so that the error can name it.
    pub(in super::super) fn within<T, E>(
        &mut self,
        step: PathStep<'t>,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.path.push(step);
        let value = read(self)?;
        self.path.pop();
        Ok(value)
    }
}

/// A JSON text that is being read.
pub(in super::super) type JsonText<'j> = serde_json::Deserializer<serde_json::de::SliceRead<'j>>;

/// A path as an error's message begins with it: `arg 0: .items[2].price: `.
struct Path<'p, 't>(&'p [PathStep<'t>]);

impl Display for Path<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.0 {
            match step {
                PathStep::Argument(index) => write!(f, "arg {index}: ")?,
                PathStep::Key(key) => write!(f, ".{key}")?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
            }
        }
        match self.0 {
            [] | [PathStep::Argument(_)] => Ok(()),
            _ => f.write_str(": "),
        }
    }
}

/// Reads the next JSON value as a value of a type.
pub(in super::super) struct Seed<'d, 't> {
    pub(in super::super) decoder: &'d mut Decoder<'t>,
    pub(in super::super) shape: &'t Shape,
}

/// Says how a type's values are written, for an error's message.
pub(in super::super) struct Expected<'t>(pub(in super::super) &'t Shape);

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
