//! Reads and writes numbers. One rule holds for core and typed functions, and for arguments, lines, parts of a path and
//! bodies:
//!
//! - A number follows JSON's grammar (RFC 8259, section 6). Its value is read exactly: `1e3` and `1000.0` are the
//!   integer 1000 (JSON Schema, "integer"), and `0.5` is not an integer.
//! - A float is the nearest one to that value, rounded once. A value that is too great for its type is refused.
//! - Floats for which JSON has no number are written as in the JSON mapping of Protocol Buffers: `"NaN"`, `"Infinity"`,
//!   `"-Infinity"`. Integers of 64 bits are also read from strings, for callers whose numbers are too small for them.

mod decimal;
#[cfg(test)]
mod tests;

use std::{io, str::FromStr};

use decimal::Decimal;

/// A type of integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integer {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
}

/// A type of floats.
pub(crate) trait Float: FromStr + Into<f64> + serde::Serialize + Copy {
    /// The type's name in WIT.
    const NAME: &'static str;
    /// The greatest finite value, as text.
    const GREATEST: &'static str;

    /// Converts NaN or an infinity to this type.
    fn from_special(special: f64) -> Self;
}

/// Why a text cannot be read as a number of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// The text is not a number.
    NotANumber,
    /// The number is outside the type's range.
    OutOfRange,
}

impl Integer {
    /// The type's name in WIT.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::S8 => "s8",
            Self::U8 => "u8",
            Self::S16 => "s16",
            Self::U16 => "u16",
            Self::S32 => "s32",
            Self::U32 => "u32",
            Self::S64 => "s64",
            Self::U64 => "u64",
        }
    }

    /// The least and the greatest value.
    pub(crate) fn range(self) -> (i128, i128) {
        match self {
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
        }
    }

    /// Whether a caller's own numbers may be too small for this type: those of JavaScript hold 53 bits.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Self::S64 | Self::U64)
    }

    /// Reads a JSON number as an integer of this type.
    pub(crate) fn read(self, text: &str) -> Option<i128> {
        let (least, greatest) = self.range();
        Decimal::parse(text)?.integer().filter(|value| (least..=greatest).contains(value))
    }

    /// Reads the content of a JSON string as an integer of this type.
    pub(crate) fn read_string(self, content: &str) -> Option<i128> {
        if self.is_wide() { self.read(content) } else { None }
    }
}

impl Float for f32 {
    const NAME: &'static str = "f32";
    const GREATEST: &'static str = "3.4028235e38";

    fn from_special(special: f64) -> Self {
        special as Self
    }
}

impl Float for f64 {
    const NAME: &'static str = "f64";
    const GREATEST: &'static str = "1.7976931348623157e308";

    fn from_special(special: f64) -> Self {
        special
    }
}

/// Reads a JSON number as a float.
pub(crate) fn read_float<F: Float>(text: &str) -> Result<F, NumberError> {
    let value = Decimal::parse(text).and_then(|decimal| decimal.float::<F>()).ok_or(NumberError::NotANumber)?;
    if value.into().is_finite() { Ok(value) } else { Err(NumberError::OutOfRange) }
}

/// Reads the content of a JSON string as a float: the name of NaN or of an infinity.
pub(crate) fn read_float_name<F: Float>(content: &str) -> Option<F> {
    let special = match content {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    };
    Some(F::from_special(special))
}

/// Writes a float as JSON: as the shortest text that is read back as the same float of this type.
pub(crate) fn write_float<F: Float>(value: F, out: impl io::Write) -> io::Result<()> {
    match value.into() {
        wide if wide.is_finite() => Ok(serde_json::to_writer(out, &value)?),
        wide if wide.is_nan() => write_all(out, b"\"NaN\""),
        wide if wide > 0.0 => write_all(out, b"\"Infinity\""),
        _ => write_all(out, b"\"-Infinity\""),
    }
}

fn write_all(mut out: impl io::Write, text: &[u8]) -> io::Result<()> {
    out.write_all(text)
}

/// The part of an error that says which values are expected: the float's type, and its range if the number is out of
/// range.
pub(crate) fn expected_float<F: Float>(error: NumberError) -> String {
    match error {
        NumberError::NotANumber => F::NAME.to_owned(),
        NumberError::OutOfRange => format!("{} (-{} to {})", F::NAME, F::GREATEST, F::GREATEST),
    }
}
