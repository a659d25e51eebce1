//! Makes a PNG smaller or larger. The width comes from the request's query (`?width=64`) or from the arguments
//! (`--width 64`); the default is half of the old width. The height keeps the proportions. Samples become 8 bits. The
//! colour space that the file declares is kept.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};
use fast_image_resize::{PixelTrait, Resizer};
use png::{ColorType, Compression, Decoder, Encoder, Info, Transformations};
use std::env;
use std::error::Error;
use std::io::{self, Cursor, Read, Write};
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The longest side in pixels. With four bytes a pixel, the size of the largest square still fits 32 bits.
const LONGEST_SIDE: u32 = 16_384;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("resize: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let width = width(&env::var("QUERY_STRING").unwrap_or_default(), env::args().skip(1))?;
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    io::stdout().write_all(&resize(&input, width)?)?;
    Ok(())
}

/// The width that the query or the arguments give. The query comes first.
fn width(query: &str, mut arguments: impl Iterator<Item = String>) -> Result<Option<u32>> {
    let queried = query.split('&').find_map(|pair| pair.strip_prefix("width=")).map(str::to_owned);
    let width = match (queried, arguments.next().as_deref()) {
        (Some(width), _) => Some(width),
        (None, Some("--width")) => Some(arguments.next().ok_or("--width needs a number of pixels")?),
        (None, Some(other)) => return Err(format!("unknown argument {other:?}, there is only --width").into()),
        (None, None) => None,
    };
    let parse = |text: String| match text.parse() {
        Ok(0) | Err(_) => Err(format!("{text:?} is not a number of pixels").into()),
        Ok(width) => Ok(width),
    };
    width.map(parse).transpose()
}

fn resize(input: &[u8], width: Option<u32>) -> Result<Vec<u8>> {
    let source = Picture::decode(input)?;
    let width = width.unwrap_or(source.info.width / 2).max(1);
    let height = u64::from(source.info.height) * u64::from(width) / u64::from(source.info.width);
    source.scaled(width, u32::try_from(height)?.max(1))?.encode()
}

/// Pixels and their description.
struct Picture {
    info: Info<'static>,
    pixels: Vec<u8>,
}

impl Picture {
    /// Decodes a PNG. Palettes, a transparent colour and other bit depths become plain samples of 8 bits.
    fn decode(input: &[u8]) -> Result<Self> {
        let mut decoder = Decoder::new(Cursor::new(input));
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info()?;
        check_size(reader.info().width, reader.info().height)?;
        let mut pixels = vec![0; reader.output_buffer_size().ok_or("the image is too large")?];
        let frame = reader.next_frame(&mut pixels)?;
        let read = reader.info();
        let mut info = Info::with_size(frame.width, frame.height);
        (info.color_type, info.bit_depth) = (frame.color_type, frame.bit_depth);
        (info.srgb, info.gama_chunk, info.chrm_chunk) = (read.srgb, read.gama_chunk, read.chrm_chunk);
        info.icc_profile = read.icc_profile.clone();
        Ok(Self { info, pixels })
    }

    fn scaled(&self, width: u32, height: u32) -> Result<Self> {
        check_size(width, height)?;
        let samples = self.info.color_type.samples();
        let mut info = self.info.clone();
        (info.width, info.height) = (width, height);
        let mut scaled = Self { info, pixels: vec![0; width as usize * height as usize * samples] };
        match self.info.color_type {
            ColorType::Grayscale => self.scale_into::<U8>(&mut scaled)?,
            ColorType::GrayscaleAlpha => self.scale_into::<U8x2>(&mut scaled)?,
            ColorType::Rgb => self.scale_into::<U8x3>(&mut scaled)?,
            ColorType::Rgba => self.scale_into::<U8x4>(&mut scaled)?,
            ColorType::Indexed => return Err("the image still has a palette".into()),
        }
        Ok(scaled)
    }

    fn scale_into<P: PixelTrait>(&self, target: &mut Self) -> Result<()> {
        let source = TypedImageRef::<P>::from_buffer(self.info.width, self.info.height, &self.pixels)?;
        let mut target = TypedImage::<P>::from_buffer(target.info.width, target.info.height, &mut target.pixels)?;
        Ok(Resizer::new().resize_typed(&source, &mut target, None)?)
    }

    fn encode(self) -> Result<Vec<u8>> {
        let mut output = Vec::new();
        let mut encoder = Encoder::with_info(&mut output, self.info)?;
        encoder.set_compression(Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(output)
    }
}

fn check_size(width: u32, height: u32) -> Result<()> {
    match width.max(height) {
        0..=LONGEST_SIDE => Ok(()),
        _ => Err(format!("{width} by {height} pixels are too many, no side may be over {LONGEST_SIDE}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_halved_by_default() {
        let halved = Picture::decode(&resize(&checkered(40, 20, ColorType::Rgb), None).unwrap()).unwrap();
        assert_eq!((halved.info.width, halved.info.height), (20, 10));
    }

    #[test]
    fn a_picture_of_one_colour_keeps_the_colour() {
        for color_type in [ColorType::Grayscale, ColorType::GrayscaleAlpha, ColorType::Rgb, ColorType::Rgba] {
            let info = described(32, 24, color_type);
            let pixels = vec![200; 32 * 24 * color_type.samples()];
            let resized = resize(&Picture { info, pixels }.encode().unwrap(), Some(7)).unwrap();
            let resized = Picture::decode(&resized).unwrap();
            assert_eq!((resized.info.width, resized.info.height, resized.info.color_type), (7, 5, color_type));
            assert_eq!(resized.pixels, vec![200; 7 * 5 * color_type.samples()]);
        }
    }

    #[test]
    fn no_side_becomes_shorter_than_one_pixel() {
        let resized = Picture::decode(&resize(&checkered(100, 1, ColorType::Grayscale), Some(1)).unwrap()).unwrap();
        assert_eq!((resized.info.width, resized.info.height), (1, 1));
    }

    #[test]
    fn the_query_comes_before_the_arguments() {
        let arguments = || ["--width", "5"].map(str::to_owned).into_iter();
        assert_eq!(width("a=b&width=64", arguments()).unwrap(), Some(64));
        assert_eq!(width("", arguments()).unwrap(), Some(5));
        assert_eq!(width("", std::iter::empty()).unwrap(), None);
    }

    #[test]
    fn the_error_names_an_invalid_width() {
        let message = |query: &str, arguments: &[&str]| {
            width(query, arguments.iter().map(|argument| String::from(*argument))).unwrap_err().to_string()
        };
        assert_eq!(message("width=0", &[]), r#""0" is not a number of pixels"#);
        assert_eq!(message("width=-1", &[]), r#""-1" is not a number of pixels"#);
        assert_eq!(message("", &["--width"]), "--width needs a number of pixels");
        assert_eq!(message("", &["--height"]), r#"unknown argument "--height", there is only --width"#);
    }

    #[test]
    fn a_file_that_is_not_a_png_or_too_large_is_refused() {
        assert!(resize(b"not a PNG", None).is_err());
        let error = resize(&checkered(2, 2, ColorType::Rgb), Some(16_385)).unwrap_err();
        assert_eq!(error.to_string(), "16385 by 16385 pixels are too many, no side may be over 16384");
    }

    fn described(width: u32, height: u32, color_type: ColorType) -> Info<'static> {
        let mut info = Info::with_size(width, height);
        (info.color_type, info.bit_depth) = (color_type, png::BitDepth::Eight);
        info
    }

    fn checkered(width: u32, height: u32, color_type: ColorType) -> Vec<u8> {
        let samples = width as usize * height as usize * color_type.samples();
        let pixels = (0..samples).map(|sample| if sample % 2 == 0 { 0 } else { 255 }).collect();
        Picture { info: described(width, height, color_type), pixels }.encode().unwrap()
    }
}
