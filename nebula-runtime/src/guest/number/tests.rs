//! Compares numbers with an exact reference: the same value as plain digits, without an exponent.

use proptest::prelude::*;

use super::*;

const INTEGERS: [Integer; 8] =
    [Integer::S8, Integer::U8, Integer::S16, Integer::U16, Integer::S32, Integer::U32, Integer::S64, Integer::U64];

/// A number as it is written, and the same number without an exponent: its digits before and after the decimal point.
#[derive(Debug)]
struct Written {
    text: String,
    sign: &'static str,
    whole: String,
    fraction: String,
}

impl Written {
    fn of(is_negative: bool, whole: &str, fraction: &str, exponent: i64, form: &str) -> Self {
        let sign = if is_negative { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        let text = match (form, exponent) {
            ("", 0) => format!("{sign}{whole}{point}{fraction}"),
            ("", exponent) => format!("{sign}{whole}{point}{fraction}e{exponent}"),
            (form, exponent) if exponent < 0 => format!("{sign}{whole}{point}{fraction}{form}-00{}", -exponent),
            (form, exponent) => format!("{sign}{whole}{point}{fraction}{form}+00{exponent}"),
        };
        let zeros = "0".repeat(exponent.unsigned_abs() as usize);
        let (digits, point) = match exponent < 0 {
            true => (format!("{zeros}{whole}{fraction}"), whole.len()),
            false => (format!("{whole}{fraction}{zeros}"), whole.len() + exponent.unsigned_abs() as usize),
        };
        let (whole, fraction) = digits.split_at(point);
        Self { text, sign, whole: whole.to_owned(), fraction: fraction.to_owned() }
    }

    fn plain(&self) -> String {
        format!("{}{}.{}0", self.sign, self.whole, self.fraction)
    }

    /// The number as an integer of a type, if it is one.
    fn integer(&self, of: Integer) -> Option<i128> {
        if self.fraction.contains(|digit| digit != '0') {
            return None;
        }
        let significant = self.whole.trim_start_matches('0');
        let value: i128 = format!("{}0{significant}", self.sign).parse().ok()?;
        let (least, greatest) = of.range();
        (least..=greatest).contains(&value).then_some(value)
    }
}

fn written() -> impl Strategy<Value = Written> {
    let whole = "0|[1-9][0-9]{0,24}|[1-9]0{0,24}|922337203685477580[5-9]|1844674407370955161[3-7]|214748364[6-9]|12[7-9]|25[5-7]";
    let fraction = "|0{1,25}|[0-9]{1,25}";
    (any::<bool>(), whole, fraction, -40_i64..40, "|e|E")
        .prop_map(|(sign, whole, fraction, exponent, form)| Written::of(sign, &whole, &fraction, exponent, &form))
}

/// The middle between two floats of 32 bits, or a number just above it. Rounding twice would give wrong results there.
fn close() -> impl Strategy<Value = Written> {
    (0..f32::MAX.to_bits(), any::<bool>(), "|0{0,900}1").prop_map(|(bits, is_negative, more)| {
        let (float, next) = (f32::from_bits(bits), f32::from_bits(bits + 1));
        let middle = format!("{:.200}", (f64::from(float) + f64::from(next)) / 2.0);
        let (whole, fraction) = middle.split_once('.').unwrap();
        Written::of(is_negative, whole, &(fraction.to_owned() + &more), 0, "")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn an_integer_is_read_exactly_in_every_notation(number in written()) {
        for of in INTEGERS {
            prop_assert_eq!(of.read(&number.text), number.integer(of), "{:?} of {}", of, number.text);
        }
    }

    #[test]
    fn a_float_is_the_nearest_to_the_exact_value(number in prop_oneof![written(), close()]) {
        let (wide, narrow) = (number.plain().parse::<f64>().unwrap(), number.plain().parse::<f32>().unwrap());
        let finite = |is_finite| if is_finite { Ok(()) } else { Err(NumberError::OutOfRange) };
        prop_assert_eq!(read_float(&number.text).map(f64::to_bits), finite(wide.is_finite()).map(|()| wide.to_bits()));
        prop_assert_eq!(read_float(&number.text).map(f32::to_bits), finite(narrow.is_finite()).map(|()| narrow.to_bits()));
    }

    #[test]
    fn every_float_is_read_as_it_is_written(bits in any::<u64>()) {
        let (wide, narrow) = (f64::from_bits(bits), f32::from_bits(bits as u32));
        let mut out = Vec::new();
        if wide.is_finite() && narrow.is_finite() {
            write_float(wide, &mut out).unwrap();
            prop_assert_eq!(read_float(str::from_utf8(&out).unwrap()).map(f64::to_bits), Ok(wide.to_bits()));
            out.clear();
            write_float(narrow, &mut out).unwrap();
            prop_assert_eq!(read_float(str::from_utf8(&out).unwrap()).map(f32::to_bits), Ok(narrow.to_bits()));
        }
    }

    #[test]
    fn exactly_the_numbers_of_json_are_numbers(text in "-?[0-9.eE+-]{0,8}") {
        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok_and(|json| json.get() == text);
        prop_assert_eq!(Decimal::parse(&text).is_some(), is_json, "{}", text);
    }
}

proptest! {
    // Few cases, because each reads long texts.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_large_exponent_and_as_many_zeros_cancel_each_other(zeros in 9_990_usize..12_000, digits in "[1-9][0-9]{0,30}") {
        let (small, large) = (format!("0.{}{digits}e{zeros}", "0".repeat(zeros)), format!("{digits}{}e-{zeros}", "0".repeat(zeros)));
        prop_assert_eq!(read_float(&small).map(f64::to_bits), Ok(format!("0.{digits}").parse::<f64>().unwrap().to_bits()));
        prop_assert_eq!(read_float(&large).map(f32::to_bits), Ok(digits.parse::<f32>().unwrap().to_bits()));
        prop_assert_eq!(Integer::U64.read(&large), Written::of(false, &digits, "", 0, "").integer(Integer::U64));
    }
}

#[test]
fn a_long_exponent_takes_no_time_and_no_memory() {
    let nines = "9".repeat(1 << 20);
    let (large, small) = (format!("1e{nines}"), format!("-1e-{nines}"));
    for text in ["1e999999999", &large] {
        assert_eq!(Integer::S64.read(text), None);
        assert_eq!(read_float::<f64>(text), Err(NumberError::OutOfRange));
    }
    for text in ["-1e-999999999", &small] {
        assert_eq!(Integer::S64.read(text), None);
        assert_eq!(read_float(text).map(f64::to_bits), Ok((-0.0_f64).to_bits()));
    }
    for zero in ["0e999999999", "-0.000e-99999999999999999999", "-0"] {
        assert_eq!(Integer::U8.read(zero), Some(0));
    }
    assert_eq!(read_float(&format!("-0e{nines}")).map(f64::to_bits), Ok((-0.0_f64).to_bits()));
}

#[test]
fn a_float_of_32_bits_is_not_rounded_by_way_of_64() {
    // Just above the middle between 1 and the next float of 32 bits. As a float of 64 bits, it is exactly the middle.
    let text = "1.000000059604644775390625000000000000000001";
    assert_eq!(read_float(text), Ok(1.000_000_1_f32));
    assert_eq!(text.parse::<f64>().unwrap() as f32, 1.0);
}

#[test]
fn the_greatest_float_in_an_error_is_the_greatest_of_its_type() {
    assert_eq!(f32::GREATEST.parse(), Ok(f32::MAX));
    assert_eq!(f64::GREATEST.parse(), Ok(f64::MAX));
}
