//! Values of WIT types, written as JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use wasmtime::component::Val;

use super::shape::{Case, Field, Form, Shape};
use crate::guest::number::{Float, write_float};

/// Why a value was not written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unwritten {
    /// Its text would be longer than is allowed.
    TooLarge,
    /// It is not of its type, which Wasmtime rules out.
    Mismatch,
}

/// Writes a value of type `shape`, or `null` for none, in at most `max` bytes.
pub(super) fn encode(shape: Option<&Shape>, value: Option<&Val>, max: u64) -> Result<Vec<u8>, Unwritten> {
    let mut encoder = Encoder { out: Vec::with_capacity(128), max: usize::try_from(max).unwrap_or(usize::MAX) };
    encoder.optional(shape, value)?;
    Ok(encoder.out)
}

struct Encoder {
    out: Vec<u8>,
    max: usize,
}

impl Encoder {
    fn value(&mut self, shape: &Shape, value: &Val) -> Result<(), Unwritten> {
        match (&shape.form, value) {
            (Form::Bool, Val::Bool(value)) => self.json(value),
            (Form::Integer(_), value) => self.integer(value),
            (Form::F32, Val::Float32(value)) => self.float(*value),
            (Form::F64, Val::Float64(value)) => self.float(*value),
            (Form::Char, Val::Char(value)) => self.json(value),
            (Form::String, Val::String(value)) => self.json(value),
            (Form::Bytes, Val::List(bytes)) => self.bytes(bytes),
            (Form::List(of), Val::List(items)) => self.array(items, |this, _, item| this.value(of, item)),
            (Form::Tuple(types), Val::Tuple(items)) => self.array(items, |this, index, item| {
                let ty = types.get(index).ok_or(Unwritten::Mismatch)?;
                this.value(ty, item)
            }),
            (Form::Option(of), Val::Option(value)) => self.option(of, value.as_deref()),
            (Form::Result(ok, err), Val::Result(result)) => match result {
                Ok(value) => self.tagged("ok", ok.as_deref(), value.as_deref()),
                Err(value) => self.tagged("err", err.as_deref(), value.as_deref()),
            },
            (Form::Record(fields), Val::Record(values)) => self.record(fields, values),
            (Form::Variant(cases), Val::Variant(name, payload)) => self.variant(cases, name, payload.as_deref()),
            (Form::Enum(_), Val::Enum(name)) => self.json(name),
            (Form::Flags(_), Val::Flags(names)) => self.json(names),
            _ => Err(Unwritten::Mismatch),
        }
    }

    fn optional(&mut self, shape: Option<&Shape>, value: Option<&Val>) -> Result<(), Unwritten> {
        match (shape, value) {
            (Some(shape), Some(value)) => self.value(shape, value),
            (None, None) => self.push(b"null"),
            _ => Err(Unwritten::Mismatch),
        }
    }

    fn integer(&mut self, value: &Val) -> Result<(), Unwritten> {
        match value {
            Val::S8(value) => self.json(value),
            Val::U8(value) => self.json(value),
            Val::S16(value) => self.json(value),
            Val::U16(value) => self.json(value),
            Val::S32(value) => self.json(value),
            Val::U32(value) => self.json(value),
            Val::S64(value) => self.json(value),
            Val::U64(value) => self.json(value),
            _ => Err(Unwritten::Mismatch),
        }
    }

    fn float(&mut self, value: impl Float) -> Result<(), Unwritten> {
        write_float(value, &mut self.out).map_err(|_| Unwritten::Mismatch)?;
        self.check()
    }

    fn bytes(&mut self, bytes: &[Val]) -> Result<(), Unwritten> {
        // Of what is too large, not even a copy is made.
        if bytes.len() > self.max {
            return Err(Unwritten::TooLarge);
        }
        let byte = |value: &Val| match value {
            Val::U8(byte) => Ok(*byte),
            _ => Err(Unwritten::Mismatch),
        };
        let bytes = bytes.iter().map(byte).collect::<Result<Vec<_>, _>>()?;
        self.json(&STANDARD.encode(bytes))
    }

    /// `null` or the value. Where the value may itself be `null`, it is wrapped: `{"some": null}`.
    fn option(&mut self, of: &Shape, value: Option<&Val>) -> Result<(), Unwritten> {
        match value {
            None => self.push(b"null"),
            Some(value) if of.is_option() => self.tagged("some", Some(of), Some(value)),
            Some(value) => self.value(of, value),
        }
    }

    fn record(&mut self, fields: &[Field], values: &[(String, Val)]) -> Result<(), Unwritten> {
        if fields.len() != values.len() {
            return Err(Unwritten::Mismatch);
        }
        self.push(b"{")?;
        for (index, (field, (_, value))) in fields.iter().zip(values).enumerate() {
            self.separate(index)?;
            self.json(&field.name)?;
            self.push(b":")?;
            self.value(&field.shape, value)?;
        }
        self.push(b"}")
    }

    fn variant(&mut self, cases: &[Case], name: &str, payload: Option<&Val>) -> Result<(), Unwritten> {
        let case = cases.iter().find(|case| case.name == name).ok_or(Unwritten::Mismatch)?;
        match &case.shape {
            None => self.json(name),
            shape => self.tagged(name, shape.as_ref(), payload),
        }
    }

    /// `{"tag": value}`.
    fn tagged(&mut self, tag: &str, shape: Option<&Shape>, value: Option<&Val>) -> Result<(), Unwritten> {
        self.push(b"{")?;
        self.json(tag)?;
        self.push(b":")?;
        self.optional(shape, value)?;
        self.push(b"}")
    }

    fn array(
        &mut self,
        items: &[Val],
        mut write: impl FnMut(&mut Self, usize, &Val) -> Result<(), Unwritten>,
    ) -> Result<(), Unwritten> {
        self.push(b"[")?;
        for (index, item) in items.iter().enumerate() {
            self.separate(index)?;
            write(self, index, item)?;
        }
        self.push(b"]")
    }

    fn separate(&mut self, index: usize) -> Result<(), Unwritten> {
        if index == 0 { Ok(()) } else { self.push(b",") }
    }

    fn push(&mut self, text: &[u8]) -> Result<(), Unwritten> {
        self.out.extend_from_slice(text);
        self.check()
    }

    /// Writes what is no more than a few times larger as JSON than it is in memory.
    fn json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Unwritten> {
        serde_json::to_writer(&mut self.out, value).map_err(|_| Unwritten::Mismatch)?;
        self.check()
    }

    fn check(&self) -> Result<(), Unwritten> {
        if self.out.len() > self.max { Err(Unwritten::TooLarge) } else { Ok(()) }
    }
}
