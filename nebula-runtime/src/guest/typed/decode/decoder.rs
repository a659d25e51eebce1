//! What reads values: the way to the value that is being read, and the budget of memory.

use std::fmt::{self, Display};

use serde::de::{DeserializeSeed as _, Error};
use wasmtime::component::Val;

use super::super::shape::{Form, Shape};

/// Reads values, and remembers where it is.
pub(in super::super) struct Decoder<'t> {
    pub(super) path: Vec<Step<'t>>,
    failure: Option<String>,
    budget: usize,
    exhausted: bool,
}

/// A step from a value to one that is part of it.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Step<'t> {
    Argument(usize),
    Key(&'t str),
    Index(usize),
}

/// Why a text was not read as a value.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Unread {
    /// It is not JSON.
    Syntax(String),
    /// It is not of the type; with the path of the part that is not.
    Mismatch(String),
    /// Its values would take more memory than they may.
    TooLarge,
}

impl<'t> Decoder<'t> {
    /// A decoder whose values may take `budget` bytes altogether.
    pub(in super::super) fn new(budget: usize) -> Self {
        Self { path: Vec::new(), failure: None, budget, exhausted: false }
    }

    /// Reads a whole text as the argument of this index.
    pub(in super::super) fn decode(&mut self, argument: usize, shape: &'t Shape, json: &[u8]) -> Result<Val, Unread> {
        self.read(json, |decoder, json| {
            decoder.within(Step::Argument(argument), |decoder| decoder.seed(shape).deserialize(json))
        })
    }

    /// Reads a whole text as `read` does.
    pub(in super::super) fn read<'j, T>(
        &mut self,
        json: &'j [u8],
        read: impl FnOnce(&mut Self, &mut JsonText<'j>) -> Result<T, serde_json::Error>,
    ) -> Result<T, Unread> {
        self.path.clear();
        let mut text = serde_json::Deserializer::from_slice(json);
        let value = read(self, &mut text).and_then(|value| text.end().map(|()| value));
        value.map_err(|error| self.unread(&error))
    }

    pub(in super::super) fn seed<'d>(&'d mut self, shape: &'t Shape) -> Seed<'d, 't> {
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
    pub(in super::super) fn fail<E: Error>(&mut self, failure: impl Display) -> E {
        self.failure.get_or_insert_with(|| failure.to_string());
        E::custom("")
    }

    pub(in super::super) fn unexpected<E: Error>(&mut self, shape: &Shape, got: impl Display) -> E {
        self.fail(format_args!("expected {}, got {got}", Expected(shape)))
    }

    /// Takes what a value is about to allocate from the budget.
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

    /// Reads a part of a value. The path is left as it is where that fails: it then says where.
    pub(in super::super) fn within<T, E>(
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
pub(in super::super) type JsonText<'j> = serde_json::Deserializer<serde_json::de::SliceRead<'j>>;

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
pub(in super::super) struct Seed<'d, 't> {
    pub(in super::super) decoder: &'d mut Decoder<'t>,
    pub(in super::super) shape: &'t Shape,
}

/// What a type's values look like, for an error.
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
