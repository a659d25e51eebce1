//! The ways in which a case writes down bytes.

use std::borrow::Cow;

use serde::Deserialize;

/// Bytes as a case writes them down: a text, or a recipe for bytes that are many or are not text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Payload {
    /// The text's bytes.
    Text(String),
    /// A text, repeated.
    Repeated {
        /// The text.
        repeat: String,
        /// How often it is repeated.
        times: usize,
    },
    /// A JSON array that repeats one element.
    Array {
        /// The element.
        array: String,
        /// The number of elements.
        times: usize,
    },
    /// This many bytes, which cycle through all values.
    Octets {
        /// The number of bytes.
        octets: usize,
    },
    /// Hexadecimal digits, two for each byte.
    Hex {
        /// The digits.
        hex: String,
    },
    /// A picture in PNG format.
    Png {
        /// Width and height, in pixels.
        png: [u32; 2],
    },
}

impl Payload {
    /// An upper bound of the number of bytes.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Hex { hex: text } => text.len(),
            Self::Repeated { repeat: text, times } | Self::Array { array: text, times } => (text.len() + 1) * times,
            Self::Octets { octets } => *octets,
            Self::Png { png: [width, height] } => 4 * *width as usize * *height as usize,
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Text(text) => text.as_bytes().into(),
            Self::Repeated { repeat, times } => repeat.as_bytes().repeat(*times).into(),
            Self::Array { array, times } => format!("[{}]", vec![array.as_str(); *times].join(",")).into_bytes().into(),
            Self::Octets { octets } => (0..=u8::MAX).rev().cycle().take(*octets).collect::<Vec<_>>().into(),
            Self::Hex { hex } => hex.as_bytes().chunks(2).map(byte).collect::<Vec<_>>().into(),
            Self::Png { png: [width, height] } => picture(*width, *height).into(),
        }
    }
}

fn byte(digits: &[u8]) -> u8 {
    u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).expect("hex is pairs of hexadecimal digits")
}

/// A PNG of a striped picture.
fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let pixels: Vec<u8> = (0..width * height).flat_map(|pixel| [(pixel % width) as u8, 128, 255]).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}
