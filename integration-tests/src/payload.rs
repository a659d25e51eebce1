//! Bytes as a case writes them.

use std::borrow::Cow;

use serde::Deserialize;

/// Bytes as a case writes them: as text, or as a recipe where they are many or no text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Payload {
    /// The text's bytes.
    Text(String),
    /// The same text again and again.
    Repeated {
        /// The text.
        repeat: String,
        /// How often.
        times: usize,
    },
    /// A JSON array of the same element again and again.
    Array {
        /// The element.
        array: String,
        /// How many of it there are.
        times: usize,
    },
    /// As many bytes as this, of all values.
    Octets {
        /// How many.
        octets: usize,
    },
    /// Two hexadecimal digits a byte.
    Hex {
        /// The digits.
        hex: String,
    },
    /// A picture, as a PNG.
    Png {
        /// Its width and its height, in pixels.
        png: [u32; 2],
    },
}

impl Payload {
    /// How many bytes there are, or more.
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

/// A picture of stripes.
fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let pixels: Vec<u8> = (0..width * height).flat_map(|pixel| [(pixel % width) as u8, 128, 255]).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}
