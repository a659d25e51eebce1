//! A decimal number as it is written. Nothing is rounded, and a large exponent costs no time or memory.

use std::str::FromStr;

/// A number of JSON's grammar (RFC 8259, section 6).
pub(super) struct Decimal<'t> {
    text: &'t str,
    is_negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
    /// The power of ten. One that does not fit 64 bits becomes the nearest that does; no text has enough digits for
    /// this to change the value that is read.
    exponent: i64,
}

impl<'t> Decimal<'t> {
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let unsigned = text.strip_prefix('-');
        let (whole, rest) = leading_digits(unsigned.unwrap_or(text).as_bytes())?;
        if matches!(whole, [b'0', _, ..]) {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => leading_digits(rest)?,
            rest => (&[][..], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => read_exponent(rest)?,
            _ => return None,
        };
        Some(Self { text, is_negative: unsigned.is_some(), whole, fraction, exponent })
    }

    /// The value, if it is an integer of at most 20 digits. Every integer of 64 bits is one.
    pub(super) fn integer(&self) -> Option<i128> {
        const MAX_DIGITS: i64 = 20;

        let leading = self.digits().take_while(is_zero).count();
        if leading == self.whole.len() + self.fraction.len() {
            return Some(0);
        }
        let trailing = self.digits().rev().take_while(is_zero).count();
        let significant = self.whole.len() + self.fraction.len() - leading - trailing;
        let zeros = self.exponent.saturating_sub(count(self.fraction.len())).saturating_add(count(trailing));
        // With a power below zero, a digit other than zero stands after the decimal point, so the value is not an
        // integer.
        let zeros = u32::try_from(zeros).ok().filter(|zeros| count(significant) + i64::from(*zeros) <= MAX_DIGITS)?;
        let digits = self.digits().skip(leading).take(significant);
        let value = digits.fold(0, |value: i128, digit| value * 10 + i128::from(digit - b'0')) * 10_i128.pow(zeros);
        Some(if self.is_negative { -value } else { value })
    }

    /// The nearest float of a type. It is infinite if the value is greater than the type's greatest.
    pub(super) fn float<F: FromStr>(&self) -> Option<F> {
        /// The standard library reads exponents of up to four digits exactly.
        const EXACT: i64 = 9_999;

        let text = if self.exponent.unsigned_abs() > EXACT.unsigned_abs() { &self.normalized() } else { self.text };
        text.parse().ok()
    }

    /// A text that the standard library reads as the same float. Its exponent is limited: beyond the limit, every value
    /// is zero or infinite as a float. Its digits are limited, too: all further digits only decide on which side of the
    /// middle between two floats the value is, so one digit stands for them.
    fn normalized(&self) -> String {
        /// More than the 767 digits that the middle between two floats has at most.
        const DIGITS: usize = 800;
        const BEYOND_FLOATS: i64 = 1_000;

        let leading = self.digits().take_while(is_zero).count();
        let power = self.exponent.saturating_add(count(self.whole.len())).saturating_sub(count(leading));
        let sign = if self.is_negative { "-" } else { "" };
        let digits: String = self.digits().skip(leading).take(DIGITS).map(char::from).collect();
        let has_more = self.digits().skip(leading + DIGITS).any(|digit| digit != b'0');
        let more = if has_more { "1" } else { "" };
        format!("{sign}0.{digits}{more}0e{}", power.clamp(-BEYOND_FLOATS, BEYOND_FLOATS))
    }

    fn digits(&self) -> impl DoubleEndedIterator<Item = u8> {
        self.whole.iter().chain(self.fraction).copied()
    }
}

fn is_zero(digit: &u8) -> bool {
    *digit == b'0'
}

fn count(digits: usize) -> i64 {
    i64::try_from(digits).unwrap_or(i64::MAX)
}

/// Splits a text after the digits that it begins with. `None` if it begins with none.
fn leading_digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (digits, rest) = leading_digits(digits)?;
    let add = |value: i64, digit: &u8| value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    let power = digits.iter().fold(0, add);
    rest.is_empty().then_some(if is_negative { -power } else { power })
}
