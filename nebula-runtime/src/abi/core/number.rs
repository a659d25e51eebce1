//! The numbers of core WebAssembly as text: in JSON, in paths and in plain text.
//!
//! Integers are decimal. What JSON has no number for is spelled as in the JSON mapping of Protocol Buffers: `"NaN"`,
//! `"Infinity"`, `"-Infinity"`. 64-bit integers keep every digit, and are taken as JSON strings as well, for callers whose
//! own numbers cannot hold them.

use std::{fmt, io};

use bytes::Bytes;
use wasmtime::{Val, ValType};

/// A text that is not a number of the wanted type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotANumber {
    expected: &'static str,
    got: String,
}

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)
    }
}

/// Whether a function with a parameter or a result of this type can be called with numbers.
pub(crate) fn is_numeric(ty: &ValType) -> bool {
    matches!(ty, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
}

/// Reads a number of type `ty`, in range.
pub(crate) fn parse(text: &str, ty: &ValType) -> Result<Val, NotANumber> {
    let (value, expected) = match ty {
        ValType::I32 => (text.parse().ok().map(Val::I32), "i32 (-2147483648 to 2147483647)"),
        ValType::I64 => (text.parse().ok().map(Val::I64), "i64 (-9223372036854775808 to 9223372036854775807)"),
        ValType::F32 => (parse_float(text).map(|value: f32| Val::F32(value.to_bits())), "f32"),
        ValType::F64 => (parse_float(text).map(|value: f64| Val::F64(value.to_bits())), "f64"),
        _ => (None, "a type that can be called"),
    };
    value.ok_or_else(|| NotANumber { expected, got: quoted(text) })
}

/// Reads a number of type `ty` out of one JSON value.
pub(crate) fn parse_json(json: &str, ty: &ValType) -> Result<Val, NotANumber> {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        // Only 64-bit integers and the names of what is not a number are strings in JSON.
        Some(text) if matches!(ty, ValType::I64) || is_special(text) => parse(text, ty),
        _ if matches!(ty, ValType::I32 | ValType::I64) => parse(whole(json), ty),
        _ => parse(json, ty),
    }
}

/// A number as JSON.
pub(crate) fn json(value: &Val) -> io::Result<Bytes> {
    /// More than any number takes: the longest are floats, such as `-1.7976931348623157e308`.
    const LONGEST: usize = 32;

    let mut text = [0; LONGEST];
    let mut rest = text.as_mut_slice();
    write_json(value, &mut rest)?;
    let left = rest.len();
    Ok(Bytes::copy_from_slice(text.get(..LONGEST - left).unwrap_or_default()))
}

/// Writes a number as JSON.
pub(crate) fn write_json(value: &Val, out: &mut impl io::Write) -> io::Result<()> {
    match value {
        Val::I32(value) => Ok(serde_json::to_writer(out, value)?),
        Val::I64(value) => Ok(serde_json::to_writer(out, value)?),
        Val::F32(bits) => write_float(f32::from_bits(*bits).into(), &f32::from_bits(*bits), out),
        Val::F64(bits) => write_float(f64::from_bits(*bits), &f64::from_bits(*bits), out),
        // `is_numeric` was asked about every result before.
        _ => out.write_all(b"null"),
    }
}

/// An integer without the fraction of zeros that JSON may write it with: `1.0` is one too (JSON Schema, "integer").
fn whole(json: &str) -> &str {
    match json.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => json,
    }
}

fn is_special(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// `str::parse` takes more spellings than JSON has ("inf", "+1", ".5", "1."): only those of JSON, and the named ones.
fn parse_float<F: std::str::FromStr>(text: &str) -> Option<F> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_json = digits.starts_with(|first: char| first.is_ascii_digit())
        && !digits.ends_with('.')
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if is_json || is_special(text) { text.parse().ok() } else { None }
}

fn write_float(wide: f64, value: &impl serde::Serialize, out: &mut impl io::Write) -> io::Result<()> {
    if wide.is_finite() {
        // The shortest text that reads back as the same number of its own width.
        Ok(serde_json::to_writer(out, value)?)
    } else if wide.is_nan() {
        out.write_all(b"\"NaN\"")
    } else {
        out.write_all(if wide > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" })
    }
}

/// A text as an error shows it: shortened, since it may be a hostile megabyte.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            let values = [
                (Val::I32(i32), ValType::I32),
                (Val::I64(i64), ValType::I64),
                (Val::F32(f32), ValType::F32),
                (Val::F64(f64), ValType::F64),
            ];
            for (value, ty) in values {
                let text = json(&value);
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{} is not JSON", text);
                let back = parse_json(&text, &ty);
                prop_assert!(back.as_ref().is_ok_and(|back| same(back, &value)), "{} gave {:?}", text, back);
            }
        }

        #[test]
        fn any_text_is_a_number_or_refused_without_a_panic(text in ".{0,60}|[-+.0-9eE]{1,12}") {
            for ty in [ValType::I32, ValType::I64, ValType::F32, ValType::F64] {
                let _ = (parse(&text, &ty), parse_json(&text, &ty));
            }
        }
    }

    #[test]
    fn refuses_what_is_out_of_range_or_of_another_type() {
        let cases = [
            ("2147483648", ValType::I32, "expected i32 (-2147483648 to 2147483647), got \"2147483648\""),
            ("1.5", ValType::I32, "expected i32 (-2147483648 to 2147483647), got \"1.5\""),
            ("ten", ValType::I32, "expected i32 (-2147483648 to 2147483647), got \"ten\""),
            ("inf", ValType::F64, "expected f64, got \"inf\""),
            (".5", ValType::F64, "expected f64, got \".5\""),
            ("", ValType::F32, "expected f32, got \"\""),
        ];
        for (text, ty, expected) in cases {
            assert_eq!(parse(text, &ty).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_json_string_is_a_number_only_where_json_has_none() {
        assert!(parse_json("\"9223372036854775807\"", &ValType::I64).is_ok());
        assert!(parse_json("\"NaN\"", &ValType::F32).is_ok());
        assert!(parse_json("\"1\"", &ValType::I32).is_err());
        assert!(parse_json("-1.0", &ValType::I32).is_ok());
        assert!(parse_json("1.5", &ValType::I64).is_err());
        assert!(parse_json("\"1.5\"", &ValType::F64).is_err());
    }
}
