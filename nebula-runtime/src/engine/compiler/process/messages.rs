//! What a runtime and a compiler tell each other.

use std::io::{self, Read, Write};

use super::super::super::Flavour;

/// What a module is compiled for. The module follows, up to the end of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) flavour: Flavour,
    /// Whether the engine reserves no address space.
    pub(super) is_unreserved: bool,
}

const FLAVOURS: [Flavour; 4] = [Flavour::Plain, Flavour::Concurrent, Flavour::ManyStacks, Flavour::Deterministic];

impl Job {
    pub(super) fn write(self, to: &mut impl Write) -> io::Result<()> {
        let flavour = FLAVOURS.iter().position(|flavour| *flavour == self.flavour);
        to.write_all(&[flavour.and_then(|index| index.try_into().ok()).unwrap_or(u8::MAX), self.is_unreserved.into()])
    }

    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; 2];
        from.read_exact(&mut bytes)?;
        let [flavour, is_unreserved] = bytes;
        let flavour = FLAVOURS.get(usize::from(flavour)).ok_or_else(other_program)?;
        Ok(Self { flavour: *flavour, is_unreserved: is_unreserved != 0 })
    }
}

/// What became of a module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Code(Vec<u8>),
    /// The error, and its causes.
    Refused(Vec<String>),
}

impl Answer {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let texts;
        let (kind, content) = match self {
            Self::Code(code) => (0, code),
            Self::Refused(causes) => {
                texts = serde_json::to_vec(causes)?;
                (1, &texts)
            }
        };
        to.write_all(&[kind])?;
        to.write_all(&(content.len() as u64).to_le_bytes())?;
        to.write_all(content)
    }

    /// Fails if the stream ends before the answer does.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let (mut kind, mut length) = ([0], [0; 8]);
        from.read_exact(&mut kind)?;
        from.read_exact(&mut length)?;
        let (length, mut content) = (u64::from_le_bytes(length), Vec::new());
        from.take(length).read_to_end(&mut content)?;
        match kind {
            _ if content.len() as u64 != length => Err(io::ErrorKind::UnexpectedEof.into()),
            [0] => Ok(Self::Code(content)),
            _ => Ok(Self::Refused(serde_json::from_slice(&content)?)),
        }
    }
}

/// The texts of an error and its causes, the outermost first.
pub(super) fn causes(error: &wasmtime::Error) -> Vec<String> {
    error.chain().map(ToString::to_string).collect()
}

/// The error with these texts.
pub(super) fn error(mut causes: Vec<String>) -> wasmtime::Error {
    let innermost = wasmtime::Error::msg(causes.pop().unwrap_or_default());
    causes.into_iter().rev().fold(innermost, wasmtime::Error::context)
}

fn other_program() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the compiler is of another version of the program")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_and_answers_arrive_as_they_were_sent() {
        for flavour in FLAVOURS {
            let (job, mut sent) = (Job { flavour, is_unreserved: flavour == Flavour::Concurrent }, Vec::new());
            job.write(&mut sent).unwrap();
            assert_eq!(Job::read(&mut sent.as_slice()).unwrap(), job);
        }
        let error = wasmtime::Error::msg("a").context("b").context("c");
        for answer in [Answer::Code(vec![1, 2, 3]), Answer::Refused(causes(&error))] {
            let mut sent = Vec::new();
            answer.write(&mut sent).unwrap();
            assert_eq!(Answer::read(&mut sent.as_slice()).unwrap(), answer);
            sent.pop();
            assert!(Answer::read(&mut sent.as_slice()).is_err(), "{answer:?} was cut");
        }
        assert_eq!(format!("{:#}", super::error(causes(&error))), "c: b: a");
    }
}
