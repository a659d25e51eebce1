//! Bytes that a command sends on as it reads them: those of a file, or stdin.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use nebula_runtime::{ServiceError, ServiceErrorKind};
use tokio::task::spawn_blocking;

use crate::{data::Content, failure::Failure, progress::Transfer};

/// The bytes of a file, or stdin.
pub(crate) struct Input {
    reader: Box<dyn Read + Send>,
    /// The path of the file.
    path: Option<PathBuf>,
    /// The size of the file.
    size: Option<u64>,
}

/// Why an input could not be read to its end, once that is known.
#[derive(Clone, Default)]
pub(crate) struct InputFailure(Arc<Mutex<Option<Failure>>>);

/// How much is read at once.
const PIECE: usize = 256 << 10;

impl Input {
    /// The bytes of a file; those of stdin, if there is no path.
    ///
    /// # Errors
    /// The file does not exist or cannot be read, or is a folder.
    pub(crate) fn open(path: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self { reader: Box::new(io::stdin()), path: None, size: None }) };
        let (file, size) = open(&path).map_err(|source| Failure::Read { path: path.clone(), source })?;
        Ok(Self { reader: Box::new(file), path: Some(path), size })
    }

    /// The bytes as the content of a blob. `transfer` is told of them. The failure says afterwards why they ended too early.
    pub(crate) fn content(self, transfer: Arc<Transfer>) -> (Content, InputFailure) {
        let Self { reader, path, size } = self;
        size.into_iter().for_each(|size| transfer.expect(size));
        let failure = InputFailure::default();
        let reading = Reading { reader, buffer: vec![0; PIECE], left: size };
        let noted = failure.clone();
        let bytes = stream::try_unfold(reading, move |reading| {
            let (transfer, noted, path) = (Arc::clone(&transfer), noted.clone(), path.clone());
            async move {
                let (reading, piece) = reading.next().await.map_err(|error| noted.note(path, error))?;
                transfer.advance(piece.len());
                Ok((!piece.is_empty()).then_some((piece, reading)))
            }
        });
        (Content { size, bytes: bytes.boxed() }, failure)
    }
}

fn open(path: &Path) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, about.is_file().then_some(about.len())))
}

impl InputFailure {
    fn note(&self, path: Option<PathBuf>, error: io::Error) -> ServiceError {
        let detail = error.to_string();
        let failure = match path {
            Some(path) => Failure::Read { path, source: error },
            None => Failure::Standard(error),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        ServiceError::new(ServiceErrorKind::Unavailable, detail)
    }

    /// The reason for which the input ended too early, if it did; else `other`.
    pub(crate) fn or(&self, other: Failure) -> Failure {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(other)
    }
}

/// An input that is being read.
struct Reading {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// How much of the file is left, where the input is one.
    left: Option<u64>,
}

impl Reading {
    /// The next bytes; none at the end. A file that grows has the bytes that it had.
    async fn next(mut self) -> io::Result<(Self, Bytes)> {
        let read = move || self.read().map(|piece| (self, piece));
        spawn_blocking(read).await.map_err(io::Error::from)?
    }

    fn read(&mut self) -> io::Result<Bytes> {
        let most = self.left.map_or(PIECE, |left| usize::try_from(left).unwrap_or(PIECE).min(PIECE));
        let (room, _) = self.buffer.split_at_mut(most);
        let read = loop {
            match self.reader.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if read == 0 && most > 0 && self.left.is_some() {
            return Err(io::Error::other("the file was cut meanwhile"));
        }
        self.left = self.left.map(|left| left - read as u64);
        Ok(Bytes::copy_from_slice(room.get(..read).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_file_has_the_bytes_that_it_had_when_it_was_opened_or_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film");
        let cases = [(600_000, Ok(600_000)), (700_000, Ok(600_000)), (500_000, Err("failed to read"))];
        for (then, expected) in cases {
            fs::write(&path, vec![7; 600_000]).unwrap();
            let transfer = Arc::<Transfer>::default();
            let (content, failure) = Input::open(Some(path.clone())).unwrap().content(Arc::clone(&transfer));
            assert_eq!(content.size, Some(600_000));
            File::options().write(true).open(&path).unwrap().set_len(then).unwrap();
            match (content.bytes.try_collect::<Vec<_>>().await, expected) {
                (Ok(pieces), Ok(size)) => {
                    assert_eq!(pieces.concat().len(), size);
                    assert_eq!(transfer.to_string(), "585.9 KiB of 585.9 KiB");
                }
                (Err(error), Err(expected)) => {
                    let failure = failure.or(error.into()).to_string();
                    assert!(failure.starts_with(expected), "{failure}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_folder_is_no_input() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Input::open(Some(folder.path().to_owned())), Err(Failure::Read { .. })));
    }
}
