//! The content of a body, independent of how a frontend encodes it.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nebula_runtime::Digest;
use serde::{Deserialize, de::IgnoredAny};

/// The content of a body, independent of how a frontend encodes it.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// A JSON text without white space between tokens. Numbers keep their spelling.
    Json(String),
    /// Any other text.
    Text(String),
    /// Bytes.
    Octets(Vec<u8>),
    /// A picture.
    Png(Picture),
    /// At least one byte from the beginning of these bytes. Timing decides how many arrive.
    PrefixOf(Vec<u8>),
}

/// A picture, independent of its compression.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// Width and height, in pixels.
    pub size: [u32; 2],
    /// The SHA-256 digest of the pixels, row by row.
    pub pixels: Digest,
}

impl Content {
    /// An empty body.
    pub const EMPTY: Self = Self::Text(String::new());

    /// Reads `bytes` as the variant of `expected`, or as text or octets if they are not that.
    pub fn read(bytes: &[u8], expected: &Self) -> Self {
        let text = str::from_utf8(bytes).ok();
        match (expected, text) {
            (Self::Json(_), Some(text)) => compact(text).map_or_else(|| Self::Text(text.to_owned()), Self::Json),
            (Self::Png(_), _) => picture(bytes).map_or_else(|| Self::Octets(bytes.to_vec()), Self::Png),
            (Self::PrefixOf(all), _) if !bytes.is_empty() && all.starts_with(bytes) => expected.clone(),
            (Self::PrefixOf(_), _) => Self::of_bytes(bytes),
            (Self::Text(_) | Self::Octets(_) | Self::Json(_), _) => Self::of_bytes(bytes),
        }
    }

    /// Reads `bytes` as text, or as octets if they are not UTF-8.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        str::from_utf8(bytes).map_or_else(|_| Self::Octets(bytes.to_vec()), |text| Self::Text(text.to_owned()))
    }

    /// Reads a JSON text. White space between tokens is ignored.
    pub fn of_json(text: &str) -> Self {
        Self::Json(compact(text).unwrap_or_else(|| panic!("a case expects invalid JSON: {text}")))
    }

    /// This content, of the given media type, as the JSON value that `nebula run` writes on one line.
    pub fn as_value(&self, media_type: &str) -> Self {
        match self {
            Self::Json(_) | Self::PrefixOf(_) => self.clone(),
            Self::Text(text) if media_type.starts_with("text/") => Self::Json(serde_json::to_string(text).unwrap()),
            Self::Text(text) => Self::of_base64(text.as_bytes()),
            Self::Octets(bytes) => Self::of_base64(bytes),
            Self::Png(_) => self.clone(),
        }
    }

    fn of_base64(bytes: &[u8]) -> Self {
        if bytes.is_empty() { Self::of_json("null") } else { Self::Json(format!("\"{}\"", STANDARD.encode(bytes))) }
    }

    /// Reads a JSON value that `nebula run` wrote on one line. A picture is a base64 string there.
    pub fn read_value(json: &str, expected: &Self) -> Self {
        match expected {
            Self::Png(_) => {
                let decoded = serde_json::from_str::<String>(json).ok().and_then(|text| STANDARD.decode(text).ok());
                Self::read(&decoded.unwrap_or_default(), expected)
            }
            _ => Self::Json(json.to_owned()),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4_000;
        match self {
            Self::Json(text) | Self::Text(text) if text.len() > SHOWN => {
                write!(f, "{} bytes of text from {:?}", text.len(), text.chars().take(60).collect::<String>())
            }
            Self::Json(text) => write!(f, "JSON {text}"),
            Self::Text(text) => write!(f, "text {text:?}"),
            Self::Octets(bytes) => write!(f, "{} octets from {:02x?}", bytes.len(), &bytes[..bytes.len().min(40)]),
            Self::Png(picture) => write!(f, "a PNG: {picture:?}"),
            Self::PrefixOf(bytes) => write!(f, "the beginning of {:?}", Self::of_bytes(bytes)),
        }
    }
}

/// `text` without white space between tokens, or `None` if it is not JSON. It is not parsed into a value, because that
/// would change numbers.
fn compact(text: &str) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let (mut quoted, mut escaped) = (false, false);
    let mut keep = |letter: &char| {
        let kept = quoted || !letter.is_ascii_whitespace();
        quoted ^= *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        kept
    };
    Some(text.chars().filter(|letter| keep(letter)).collect())
}

/// Decodes a PNG. `None` if it is not valid to its end.
fn picture(bytes: &[u8]) -> Option<Picture> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut pixels).ok()?;
    Some(Picture { size: [frame.width, frame.height], pixels: Digest::of(&pixels) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_between_json_tokens_is_ignored_and_nothing_else() {
        let read = |text: &str| Content::read(text.as_bytes(), &Content::of_json("0"));
        assert_eq!(read("{ \"a b\" :\n [ 1.0, \"\\\" \" ] }\n"), Content::of_json(r#"{"a b":[1.0,"\" "]}"#));
        assert_ne!(read("1.0"), Content::of_json("1"));
        assert_eq!(read("1 2"), Content::Text("1 2".to_owned()));
    }

    #[test]
    fn text_and_octets_become_json_values() {
        let value = |content: Content, media_type| content.as_value(media_type);
        assert_eq!(value(Content::Text("a\"".to_owned()), "text/plain"), Content::of_json(r#""a\"""#));
        assert_eq!(value(Content::Octets(vec![255, 254]), "application/octet-stream"), Content::of_json(r#""//4=""#));
    }
}
