//! Numbers as text: the one rule of all functions, whether they are core or typed, and whether the text is an argument, a
//! line, a path's part or a part of a body.
//!
//! - A number is what JSON's grammar says (RFC 8259, section 6). Its value is exact, however it is written: `1e3` and
//!   `1000.0` are the integer 1000 (JSON Schema, "integer"), and `0.5` is none.
//! - A float is the nearest to that value, rounded once. One beyond the greatest of its type is refused.
//! - What JSON has no number for is spelled as in the JSON mapping of Protocol Buffers: `"NaN"`, `"Infinity"`,
//!   `"-Infinity"`. Integers of 64 bits are taken as strings as well, for callers whose own numbers cannot hold them.

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
    /// The greatest value.
    const GREATEST: &'static str;

    /// The value that JSON has no number for.
    fn of_special(special: f64) -> Self;
}

/// Why a text is no number of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is none of the type, whatever its size.
    NotANumber,
    /// It is a number beyond the type's range.
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

    /// Whether callers' own numbers may be too small for it.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Self::S64 | Self::U64)
    }

    /// Reads a number.
    pub(crate) fn read(self, text: &str) -> Option<i128> {
        let (least, greatest) = self.range();
        Decimal::parse(text)?.integer().filter(|value| (least..=greatest).contains(value))
    }

    /// Reads the content of a JSON string.
    pub(crate) fn read_string(self, content: &str) -> Option<i128> {
        if self.is_wide() { self.read(content) } else { None }
    }
}

impl Float for f32 {
    const NAME: &'static str = "f32";
    const GREATEST: &'static str = "3.4028235e38";

    fn of_special(special: f64) -> Self {
        special as Self
    }
}

impl Float for f64 {
    const NAME: &'static str = "f64";
    const GREATEST: &'static str = "1.7976931348623157e308";

    fn of_special(special: f64) -> Self {
        special
    }
}

/// Reads a number as a float.
pub(crate) fn read_float<F: Float>(text: &str) -> Result<F, Unfit> {
    let value = Decimal::parse(text).and_then(|decimal| decimal.float::<F>()).ok_or(Unfit::NotANumber)?;
    if value.into().is_finite() { Ok(value) } else { Err(Unfit::OutOfRange) }
}

/// Reads the content of a JSON string as a float: the name of a value that JSON has no number for.
pub(crate) fn read_float_name<F: Float>(content: &str) -> Option<F> {
    let special = match content {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    };
    Some(F::of_special(special))
}

/// Writes a float as JSON: in the shortest text that reads back as the same number of its own width.
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

/// What values of a float's type look like, for an error; with their range where that is what the error is about.
pub(crate) fn expected_float<F: Float>(unfit: Unfit) -> String {
    match unfit {
        Unfit::NotANumber => F::NAME.to_owned(),
        Unfit::OutOfRange => format!("{} (-{} to {})", F::NAME, F::GREATEST, F::GREATEST),
    }
}
