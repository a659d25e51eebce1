//! The ids of traces and spans, and the header field that carries them.

use std::fmt;

use http::HeaderValue;

/// The id of a trace: 16 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// The id of a span: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// A span, as the header field `traceparent` tells it (W3C Trace Context, section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace that it belongs to.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether the span is recorded.
    pub is_sampled: bool,
}

impl TraceId {
    /// A new id.
    pub fn random() -> Self {
        Self(fastrand::u128(1..).to_be_bytes())
    }

    /// An id in 32 hexadecimal digits. `None` for other texts, and for the id of zeros, which is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text).map(Self)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl SpanId {
    /// A new id.
    pub fn random() -> Self {
        Self(fastrand::u64(1..).to_be_bytes())
    }

    /// An id in 16 hexadecimal digits. `None` for other texts, and for the id of zeros, which is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        parse(text).map(Self)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The field `traceparent`.
impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, is_sampled } = self;
        write!(f, "00-{trace}-{span}-{:02x}", u8::from(*is_sampled))
    }
}

impl SpanContext {
    /// Reads the field `traceparent`. `None` if it is invalid: then it counts as not sent. A field of a later version
    /// is read as far as this version knows it.
    pub fn parse(field: &HeaderValue) -> Option<Self> {
        let mut parts = field.to_str().ok()?.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let [version] = parse_hex::<1>(version).filter(|version| *version != [0xff])?;
        if version == 0 && parts.next().is_some() {
            return None;
        }
        let [flags] = parse_hex::<1>(flags)?;
        Some(Self { trace: TraceId::parse(trace)?, span: SpanId::parse(span)?, is_sampled: flags & 1 == 1 })
    }

    /// The field `traceparent`.
    pub fn to_header(self) -> HeaderValue {
        // A field of digits and hyphens is always valid.
        HeaderValue::try_from(self.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

/// An id, which is not of zeros.
fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    parse_hex(text).filter(|bytes| *bytes != [0; N])
}

/// Bytes in lower-case hexadecimal digits.
fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let mut pair = pair.iter().map(|digit| char::from(*digit).to_digit(16));
        *byte = pair.try_fold(0, |byte, digit| Some(byte * 16 + u8::try_from(digit?).ok()?))?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_and_written() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let ids = Some((trace.to_owned(), span.to_owned()));
        let cases = [
            (format!("00-{trace}-{span}-01"), ids.clone(), true),
            (format!("00-{trace}-{span}-00"), ids.clone(), false),
            (format!("00-{trace}-{span}-03"), ids.clone(), true),
            (format!("cc-{trace}-{span}-01-what-the-future-will-be"), ids, true),
            (format!("00-{trace}-{span}-01-more"), None, false),
            (format!("ff-{trace}-{span}-01"), None, false),
            (format!("00-{}-{span}-01", trace.to_uppercase()), None, false),
            (format!("00-{}-{span}-01", "0".repeat(32)), None, false),
            (format!("00-{trace}-{}-01", "0".repeat(16)), None, false),
            (format!("00-{trace}-{span}"), None, false),
            (format!("00-{trace}x-{span}-01"), None, false),
            (format!("00-{}é-{span}-01", &trace[2..]), None, false),
            (String::new(), None, false),
        ];
        for (text, ids, is_sampled) in cases {
            let field = HeaderValue::try_from(&text).unwrap();
            let read = SpanContext::parse(&field);
            let found = read.map(|context| (context.trace.to_string(), context.span.to_string()));
            assert_eq!((found, read.is_some_and(|context| context.is_sampled)), (ids, is_sampled), "{text}");
        }
        let field = HeaderValue::try_from(format!("00-{trace}-{span}-01")).unwrap();
        assert_eq!(SpanContext::parse(&field).unwrap().to_header(), field);
    }
}
