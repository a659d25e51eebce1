//! Writes values of WIT types as JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use wasmtime::component::Val;

use super::shape::{Case, Field, Form, Shape};
use crate::guest::number::{Float, write_float};

/// Why a value cannot be written as JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EncodeError {
    /// The JSON would be longer than is allowed.
    TooLarge,
    /// The value is not of its type. Wasmtime guarantees that it is.
    Mismatch,
}

/// Writes a value of the type `shape` as at most `max` bytes of JSON. Without a type and a value, it writes `null`.
pub(super) fn encode(shape: Option<&Shape>, value: Option<&Val>, max: u64) -> Result<Vec<u8>, EncodeError> {
    let mut encoder = Encoder { out: Vec::with_capacity(128), max: usize::try_from(max).unwrap_or(usize::MAX) };
    encoder.optional(shape, value)?;
    Ok(encoder.out)
}

struct Encoder {
    out: Vec<u8>,
    max: usize,
}

impl Encoder {
    fn value(&mut self, shape: &Shape, value: &Val) -> Result<(), EncodeError> {
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
                let ty = types.get(index).ok_or(EncodeError::Mismatch)?;
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
            _ => Err(EncodeError::Mismatch),
        }
    }

    fn optional(&mut self, shape: Option<&Shape>, value: Option<&Val>) -> Result<(), EncodeError> {
        match (shape, value) {
            (Some(shape), Some(value)) => self.value(shape, value),
            (None, None) => self.push(b"null"),
            _ => Err(EncodeError::Mismatch),
        }
    }

    fn integer(&mut self, value: &Val) -> Result<(), EncodeError> {
        match value {
            Val::S8(value) => self.json(value),
            Val::U8(value) => self.json(value),
            Val::S16(value) => self.json(value),
            Val::U16(value) => self.json(value),
            Val::S32(value) => self.json(value),
            Val::U32(value) => self.json(value),
            Val::S64(value) => self.json(value),
            Val::U64(value) => self.json(value),
            _ => Err(EncodeError::Mismatch),
        }
    }

    fn float(&mut self, value: impl Float) -> Result<(), EncodeError> {
        write_float(value, &mut self.out).map_err(|_| EncodeError::Mismatch)?;
        self.check()
    }

    fn bytes(&mut self, bytes: &[Val]) -> Result<(), EncodeError> {
        // Checked first, so that a value which is too large is not copied.
        if bytes.len() > self.max {
            return Err(EncodeError::TooLarge);
        }
        let byte = |value: &Val| match value {
            Val::U8(byte) => Ok(*byte),
            _ => Err(EncodeError::Mismatch),
        };
        let bytes = bytes.iter().map(byte).collect::<Result<Vec<_>, _>>()?;
        self.json(&STANDARD.encode(bytes))
    }

    /// Writes `null` or the value. A value that may itself be `null` is wrapped: `{"some": null}`.
    fn option(&mut self, of: &Shape, value: Option<&Val>) -> Result<(), EncodeError> {
        match value {
            None => self.push(b"null"),
            Some(value) if of.is_option() => self.tagged("some", Some(of), Some(value)),
            Some(value) => self.value(of, value),
        }
    }

    fn record(&mut self, fields: &[Field], values: &[(String, Val)]) -> Result<(), EncodeError> {
        if fields.len() != values.len() {
            return Err(EncodeError::Mismatch);
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

    fn variant(&mut self, cases: &[Case], name: &str, payload: Option<&Val>) -> Result<(), EncodeError> {
        let case = cases.iter().find(|case| case.name == name).ok_or(EncodeError::Mismatch)?;
        match &case.shape {
            None => self.json(name),
            shape => self.tagged(name, shape.as_ref(), payload),
        }
    }

    /// Writes `{"tag": value}`.
    fn tagged(&mut self, tag: &str, shape: Option<&Shape>, value: Option<&Val>) -> Result<(), EncodeError> {
        self.push(b"{")?;
        self.json(tag)?;
        self.push(b":")?;
        self.optional(shape, value)?;
        self.push(b"}")
    }

    fn array(
        &mut self,
        items: &[Val],
        mut write: impl FnMut(&mut Self, usize, &Val) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.push(b"[")?;
        for (index, item) in items.iter().enumerate() {
            self.separate(index)?;
            write(self, index, item)?;
        }
        self.push(b"]")
    }

    fn separate(&mut self, index: usize) -> Result<(), EncodeError> {
        if index == 0 { Ok(()) } else { self.push(b",") }
    }

    fn push(&mut self, text: &[u8]) -> Result<(), EncodeError> {
        self.out.extend_from_slice(text);
        self.check()
    }

    /// Writes a value with Serde. The length is checked only afterwards, so this is for values whose JSON is at most a few
    /// times as large as the value in memory.
    fn json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), EncodeError> {
        serde_json::to_writer(&mut self.out, value).map_err(|_| EncodeError::Mismatch)?;
        self.check()
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.out.len() > self.max { Err(EncodeError::TooLarge) } else { Ok(()) }
    }
}
