//! The numbers of core WebAssembly, out of text and into it.

use std::{fmt, io};

use bytes::Bytes;
use wasmtime::{Val, ValType};

use crate::function::quoted;
use crate::guest::number::{Integer, NumberError, expected_float, read_float, read_float_name, write_float};

/// A text that is not a number of the wanted type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotANumber {
    expected: Number,
    unfit: NumberError,
    got: String,
}

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    I32,
    I64,
    F32,
    F64,
}

impl Number {
    /// The type, if it is one of numbers.
    pub(super) fn of(ty: &ValType) -> Option<Self> {
        match ty {
            ValType::I32 => Some(Self::I32),
            ValType::I64 => Some(Self::I64),
            ValType::F32 => Some(Self::F32),
            ValType::F64 => Some(Self::F64),
            _ => None,
        }
    }

    fn read(self, text: &str) -> Result<Val, NumberError> {
        match self {
            Self::I32 => Integer::S32.read(text).and_then(i32_of).ok_or(NumberError::OutOfRange),
            Self::I64 => Integer::S64.read(text).and_then(i64_of).ok_or(NumberError::OutOfRange),
            Self::F32 => read_float(text).map(f32_of),
            Self::F64 => read_float(text).map(f64_of),
        }
    }

    fn read_string(self, content: &str) -> Option<Val> {
        match self {
            Self::I32 => Integer::S32.read_string(content).and_then(i32_of),
            Self::I64 => Integer::S64.read_string(content).and_then(i64_of),
            Self::F32 => read_float_name(content).map(f32_of),
            Self::F64 => read_float_name(content).map(f64_of),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

fn i32_of(value: i128) -> Option<Val> {
    value.try_into().ok().map(Val::I32)
}

fn i64_of(value: i128) -> Option<Val> {
    value.try_into().ok().map(Val::I64)
}

fn f32_of(value: f32) -> Val {
    Val::F32(value.to_bits())
}

fn f64_of(value: f64) -> Val {
    Val::F64(value.to_bits())
}

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, unfit, got } = self;
        let expected = match expected {
            Number::I32 => expected_integer(*expected, Integer::S32),
            Number::I64 => expected_integer(*expected, Integer::S64),
            Number::F32 => expected_float::<f32>(*unfit),
            Number::F64 => expected_float::<f64>(*unfit),
        };
        write!(f, "expected {expected}, got {got}")
    }
}

fn expected_integer(ty: Number, of: Integer) -> String {
    let (least, greatest) = of.range();
    format!("{ty} ({least} to {greatest})")
}

/// Reads a number of type `ty` out of an argument: a JSON value, or what a JSON string holds.
pub(super) fn parse(text: &str, ty: Number) -> Result<Val, NotANumber> {
    let json = text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii();
    parse_json(json, ty).or_else(|error| ty.read_string(text).ok_or(error))
}

/// Reads a number of type `ty` out of one JSON value.
pub(super) fn parse_json(json: &str, ty: Number) -> Result<Val, NotANumber> {
    let read = match json.starts_with('"') {
        true => serde_json::from_str::<String>(json).ok().and_then(|content| ty.read_string(&content)),
        false => return ty.read(json).map_err(|unfit| NotANumber { expected: ty, unfit, got: quoted(json) }),
    };
    read.ok_or_else(|| NotANumber { expected: ty, unfit: NumberError::NotANumber, got: quoted(json) })
}

/// A number as JSON.
pub(super) fn json(value: &Val) -> io::Result<Bytes> {
    /// More than any number takes: the longest are floats, such as `-1.7976931348623157e308`.
    const LONGEST: usize = 32;

    let mut text = [0; LONGEST];
    let mut rest = text.as_mut_slice();
    write_json(value, &mut rest)?;
    let left = rest.len();
    Ok(Bytes::copy_from_slice(text.get(..LONGEST - left).unwrap_or_default()))
}

/// Writes a number as JSON.
pub(super) fn write_json(value: &Val, out: &mut impl io::Write) -> io::Result<()> {
    match value {
        Val::I32(value) => Ok(serde_json::to_writer(out, value)?),
        Val::I64(value) => Ok(serde_json::to_writer(out, value)?),
        Val::F32(bits) => write_float(f32::from_bits(*bits), out),
        Val::F64(bits) => write_float(f64::from_bits(*bits), out),
        // Only functions of numbers are called.
        _ => out.write_all(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Number; 4] = [Number::I32, Number::I64, Number::F32, Number::F64];

    fn json(value: &Val) -> String {
        let mut out = Vec::new();
        write_json(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn same(left: &Val, right: &Val) -> bool {
        match (left, right) {
            (Val::I32(left), Val::I32(right)) => left == right,
            (Val::I64(left), Val::I64(right)) => left == right,
            // The sign and payload of a NaN have no spelling.
            (Val::F32(left), Val::F32(right)) => {
                left == right || f32::from_bits(*left).is_nan() && f32::from_bits(*right).is_nan()
            }
            (Val::F64(left), Val::F64(right)) => {
                left == right || f64::from_bits(*left).is_nan() && f64::from_bits(*right).is_nan()
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn every_number_survives_json(i32 in any::<i32>(), i64 in any::<i64>(), f32 in any::<u32>(), f64 in any::<u64>()) {
            let values = [Val::I32(i32), Val::I64(i64), Val::F32(f32), Val::F64(f64)];
            for (value, ty) in values.into_iter().zip(ALL) {
                let text = json(&value);
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{} is not JSON", text);
                let back = parse_json(&text, ty);
                prop_assert!(back.as_ref().is_ok_and(|back| same(back, &value)), "{} gave {:?}", text, back);
            }
        }

        #[test]
        fn any_text_is_a_number_or_refused_without_a_panic(text in ".{0,60}|[-+.0-9eE]{1,12}|\"[-+.0-9eE]{1,12}\"") {
            for ty in ALL {
                let _ = (parse(&text, ty), parse_json(&text, ty));
            }
        }
    }

    #[test]
    fn what_is_no_number_of_the_type_is_refused_with_its_range() {
        let cases = [
            ("2147483648", Number::I32, "expected i32 (-2147483648 to 2147483647), got \"2147483648\""),
            ("1.5", Number::I32, "expected i32 (-2147483648 to 2147483647), got \"1.5\""),
            ("ten", Number::I32, "expected i32 (-2147483648 to 2147483647), got \"ten\""),
            ("inf", Number::F64, "expected f64, got \"inf\""),
            (".5", Number::F64, "expected f64, got \".5\""),
            ("", Number::F32, "expected f32, got \"\""),
            ("3.5e38", Number::F32, "expected f32 (-3.4028235e38 to 3.4028235e38), got \"3.5e38\""),
            ("-1e400", Number::F64, "expected f64 (-1.7976931348623157e308 to 1.7976931348623157e308), got \"-1e400\""),
        ];
        for (text, ty, expected) in cases {
            assert_eq!(parse(text, ty).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_json_string_is_a_number_only_where_json_has_none() {
        let taken = [("\"9223372036854775807\"", Number::I64), ("\"\\u0031\"", Number::I64), ("\"NaN\"", Number::F32)];
        let refused =
            [("\"1\"", Number::I32), ("\"1.5\"", Number::F64), ("\"1.5\"", Number::I64), ("NaN", Number::F64)];
        taken.into_iter().for_each(|(json, ty)| assert!(parse_json(json, ty).is_ok(), "{json}"));
        refused.into_iter().for_each(|(json, ty)| assert!(parse_json(json, ty).is_err(), "{json}"));
    }

    #[test]
    fn an_argument_is_a_json_value_or_what_a_json_string_holds() {
        let taken = [("NaN", Number::F64), ("\"NaN\"", Number::F64), (" 1e3 ", Number::I32), ("\"7\"", Number::I64)];
        let refused = [("\"7\"", Number::I32), (" NaN", Number::F64), ("+7", Number::I64), ("007", Number::I64)];
        taken.into_iter().for_each(|(text, ty)| assert!(parse(text, ty).is_ok(), "{text}"));
        refused.into_iter().for_each(|(text, ty)| assert!(parse(text, ty).is_err(), "{text}"));
    }
}
