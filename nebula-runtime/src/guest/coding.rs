//! Decodes the content codings of a request's body (RFC 9110, section 8.4), for core and typed functions. The other
//! kinds of guests get the body as it came.

use std::io::{self, Read};

use brotli_decompressor::Decompressor as BrotliDecoder;
use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::future::{BoxFuture, Either, Ready, ready};
use http::{HeaderMap, header::CONTENT_ENCODING};
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use tokio::task::yield_now;

use crate::call::{ErrorKind, Input, InvokeError, too_large};

/// The codings that Nebula decodes, as the value of a header.
const ACCEPTED: &str = "br, deflate, gzip, zstd";

/// How many codings may be applied to a body, one after the other. Each may take as much time as a body of the largest
/// size.
const MAX_CODINGS: usize = 2;

/// How many bytes are decoded before other tasks may run.
const DECODE_STEP: u64 = 64 << 10;

/// All bytes of an event.
type Collected = Result<Bytes, InvokeError>;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Brotli,
    Deflate,
    Gzip,
    Zstd,
}

/// Collects all bytes of an event, and decodes them if the event is a request with content codings.
///
/// # Errors
/// - [`ErrorKind::PayloadTooLarge`] if the body has more than `limit` bytes before or after decoding;
/// - [`ErrorKind::InvalidInput`] if the body has an unknown coding or cannot be decoded;
/// - the body's own error if it breaks off.
pub(super) fn decoded_body(input: Input, limit: u64) -> Either<Ready<Collected>, BoxFuture<'static, Collected>> {
    let codings = match &input {
        Input::Http(request) if !request.body().is_known_empty() => codings(request.headers()),
        _ => Ok(Vec::new()),
    };
    let codings = match codings {
        Ok(codings) => codings,
        Err(refusal) => return Either::Left(ready(Err(refusal))),
    };
    match input.into_body().limited(limit).into_whole() {
        // Most bodies are short, complete and without a coding. They need no boxed future.
        Ok(bytes) if codings.is_empty() => Either::Left(ready(Ok(bytes))),
        Ok(bytes) => Either::Right(Box::pin(decode(codings, bytes, limit))),
        Err(body) => Either::Right(Box::pin(async move {
            let bytes = body.collect(u64::MAX).await?;
            decode(codings, bytes, limit).await
        })),
    }
}

/// The codings of a request's body, in the order in which they were applied.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, InvokeError> {
    let mut codings = Vec::new();
    for list in headers.get_all(CONTENT_ENCODING) {
        for name in list.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
        {
            codings.extend(Coding::named(name)?);
        }
    }
    if codings.len() > MAX_CODINGS {
        return Err(InvokeError::unsupported_coding(
            ACCEPTED,
            format!("the body has more than {MAX_CODINGS} content codings"),
        ));
    }
    Ok(codings)
}

async fn decode(codings: Vec<Coding>, mut body: Bytes, limit: u64) -> Collected {
    // An empty body is empty in every coding.
    if body.is_empty() {
        return Ok(body);
    }
    for coding in codings.into_iter().rev() {
        body = coding.decode(&body, limit).await?;
    }
    Ok(body)
}

impl Coding {
    /// The coding of this name (RFC 9110, section 8.4.1). `None` for `identity`, which changes nothing.
    fn named(name: &[u8]) -> Result<Option<Self>, InvokeError> {
        Ok(Some(match name.to_ascii_lowercase().as_slice() {
            b"identity" => return Ok(None),
            b"br" => Self::Brotli,
            b"deflate" => Self::Deflate,
            b"gzip" | b"x-gzip" => Self::Gzip,
            b"zstd" => Self::Zstd,
            _ => {
                let name = String::from_utf8_lossy(name);
                let detail = format!(
                    "the body's content-encoding {name:?} is not known; send it as it is, or in one of: {ACCEPTED}"
                );
                return Err(InvokeError::unsupported_coding(ACCEPTED, detail));
            }
        }))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Decodes a body. It stops soon after `limit` bytes, so that a small body cannot fill the memory.
    async fn decode(self, encoded: &[u8], limit: u64) -> Result<Bytes, InvokeError> {
        let (mut rest, mut decoded) = (encoded, Vec::new());
        let mut decoder = self.decoder(&mut rest);
        while decoder.by_ref().take(DECODE_STEP).read_to_end(&mut decoded).map_err(|error| self.broken(error))? > 0 {
            if decoded.len() as u64 > limit {
                return Err(too_large(limit));
            }
            yield_now().await;
        }
        drop(decoder);
        if rest.is_empty() { Ok(decoded.into()) } else { Err(self.broken(io::Error::other("octets after the end"))) }
    }

    fn decoder<'a>(self, encoded: &'a mut &[u8]) -> Box<dyn Read + Send + 'a> {
        match self {
            Self::Brotli => Box::new(BrotliDecoder::new(encoded, 0)),
            Self::Deflate if has_zlib_header(encoded) => Box::new(ZlibDecoder::new(encoded)),
            // Some clients leave out the header (RFC 9110, section 8.4.1.2).
            Self::Deflate => Box::new(DeflateDecoder::new(encoded)),
            Self::Gzip => Box::new(MultiGzDecoder::new(encoded)),
            Self::Zstd => Box::new(ZstdDecoder { encoded, frame: None }),
        }
    }

    fn broken(self, error: io::Error) -> InvokeError {
        let detail = format!("the body is not the {} that its content-encoding says it is", self.name());
        InvokeError::new(ErrorKind::InvalidInput, detail).with_source(error)
    }
}

/// RFC 1950, section 2.2: the method is deflate, and the first two octets are a multiple of 31.
fn has_zlib_header(encoded: &[u8]) -> bool {
    let first = encoded.first_chunk().map(|octets| u16::from_be_bytes(*octets));
    first.is_some_and(|octets| octets % 31 == 0 && (octets >> 8) & 0xf == 8)
}

/// Reads the frames of a Zstandard body, one after the other.
struct ZstdDecoder<'a, 'b> {
    encoded: &'a mut &'b [u8],
    frame: Option<FrameDecoder>,
}

impl ZstdDecoder<'_, '_> {
    /// The largest window that a decoder for HTTP must support (RFC 9659, section 3).
    const WINDOW: u64 = 8 << 20;

    /// Begins the next frame, or skips it if it holds no data.
    fn next_frame(&mut self) -> io::Result<()> {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(Self::WINDOW);
        match frame.init(&mut *self.encoded) {
            Ok(()) => self.frame = Some(frame),
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let rest = self.encoded.get(length as usize..).ok_or(io::ErrorKind::UnexpectedEof)?;
                *self.encoded = rest;
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(())
    }
}

impl Read for ZstdDecoder<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(frame) = &mut self.frame else {
                if self.encoded.is_empty() {
                    return Ok(0);
                }
                self.next_frame()?;
                continue;
            };
            match read_frame(frame, self.encoded, buffer)? {
                0 => self.frame = None,
                read => return Ok(read),
            }
        }
    }
}

/// Reads from one frame. Returns 0 at its end.
fn read_frame(frame: &mut FrameDecoder, encoded: &mut &[u8], buffer: &mut [u8]) -> io::Result<usize> {
    while frame.can_collect() == 0 && !frame.is_finished() {
        frame.decode_blocks(&mut *encoded, BlockDecodingStrategy::UptoBlocks(1)).map_err(io::Error::other)?;
    }
    let read = frame.read(buffer)?;
    let stated = frame.get_checksum_from_data().filter(|_| read == 0 && !buffer.is_empty());
    if stated.is_some() && stated != frame.get_calculated_checksum() {
        return Err(io::Error::other("the checksum does not match the content"));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    /// `[2, 3]` in each coding.
    const ENCODED: [(Coding, &[u8]); 4] = [
        (Coding::Brotli, b"\x8b\x02\x80[2, 3]\x03"),
        (Coding::Deflate, b"\x78\x9c\x8b\x36\xd2\x51\x30\x8e\x05\x00\x04\xf5\x01\x6a"),
        (Coding::Gzip, b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\x8b\x36\xd2\x51\x30\x8e\x05\0\x6e\xac\x72\x3f\x06\0\0\0"),
        (Coding::Zstd, b"\x28\xb5\x2f\xfd\x24\x06\x31\0\0[2, 3]\xe0\xd7\x2c\xbf"),
    ];

    /// The largest body of the tests, in bytes.
    const LIMIT: u64 = 1 << 16;

    fn decode(coding: Coding, encoded: &[u8], limit: u64) -> Result<Bytes, ErrorKind> {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        tokio.block_on(coding.decode(encoded, limit)).map_err(|error| error.kind())
    }

    #[test]
    fn the_limit_holds_for_the_decoded_body() {
        for (coding, encoded) in ENCODED {
            assert_eq!(decode(coding, encoded, 6), Ok(Bytes::from_static(b"[2, 3]")), "{coding:?}");
            assert_eq!(decode(coding, encoded, 5), Err(ErrorKind::PayloadTooLarge), "{coding:?}");
        }
    }

    proptest! {
        /// A decoder must not panic.
        #[test]
        fn a_damaged_body_is_decoded_or_refused(
            of in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 0..4), behind in vec(any::<u8>(), 0..64),
        ) {
            let (coding, encoded) = *of.get(&ENCODED);
            let mut damaged = encoded.to_vec();
            for (at, byte) in changes {
                *at.get_mut(&mut damaged) = byte;
            }
            damaged.extend(behind);
            if let Ok(decoded) = decode(coding, &damaged, LIMIT) {
                prop_assert!(decoded.len() as u64 <= LIMIT);
            }
        }
    }
}
