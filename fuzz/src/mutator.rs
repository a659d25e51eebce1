//! Changes inputs at random, the same way in each run.

use fastrand::Rng;

/// The largest input that is made.
const MAX_SIZE: usize = 64 * 1024;

/// The most changes that are made to one input.
const MAX_STEPS: usize = 6;

/// Pieces that parsers stumble over: ends of numbers, of texts and of nesting.
const PIECES: [&[u8]; 24] = [
    b"",
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x80\x80\x80\x80\x10",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"1e999",
    b"NaN",
    b"null",
    b"\"\"",
    b"\\ud800",
    b"\\u0000",
    b"\xc3",
    "\u{feff}".as_bytes(),
    "\u{1f600}".as_bytes(),
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b"%2F",
    b"%zz",
    b"../",
    b"\r\n",
    b"\r\n\r\n",
];

/// Changes inputs.
pub(crate) struct Mutator {
    random: Rng,
    inputs: Vec<Vec<u8>>,
}

impl Mutator {
    /// A mutator of these inputs.
    pub(crate) fn new(inputs: Vec<Vec<u8>>) -> Self {
        Self { random: Rng::with_seed(18), inputs }
    }

    /// One of the inputs with a few changes.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.random.choice(&self.inputs).cloned().unwrap_or_default();
        for _ in 0..self.random.usize(1..=MAX_STEPS) {
            self.change(&mut input);
        }
        input.truncate(MAX_SIZE);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        match self.random.u8(0..7) {
            0 => self.flip_a_bit(input),
            1 => self.replace_a_byte(input),
            2 => self.cut(input),
            3 => self.repeat(input),
            4 => self.swap_numbers(input),
            5 => self.splice(input),
            _ => self.insert_a_piece(input),
        }
    }

    fn flip_a_bit(&mut self, input: &mut [u8]) {
        if let Some(byte) = self.random.choice(input.iter_mut()) {
            *byte ^= 1 << self.random.u8(0..8);
        }
    }

    fn replace_a_byte(&mut self, input: &mut [u8]) {
        if let Some(byte) = self.random.choice(input.iter_mut()) {
            *byte = self.random.u8(..);
        }
    }

    fn cut(&mut self, input: &mut Vec<u8>) {
        let range = self.range(input);
        input.drain(range);
    }

    fn repeat(&mut self, input: &mut Vec<u8>) {
        let range = self.range(input);
        let (at, piece) = (range.end, input.get(range).unwrap_or_default().repeat(self.random.usize(1..=20)));
        input.splice(at..at, piece);
    }

    /// Replaces a digit by a number with many.
    fn swap_numbers(&mut self, input: &mut Vec<u8>) {
        let digits: Vec<_> = (0..input.len()).filter(|at| input.get(*at).is_some_and(u8::is_ascii_digit)).collect();
        if let Some(&at) = self.random.choice(&digits) {
            let number = self.random.u64(..) >> self.random.u32(0..64);
            input.splice(at..=at, number.to_string().into_bytes());
        }
    }

    /// Replaces the end by that of another input.
    fn splice(&mut self, input: &mut Vec<u8>) {
        let other = self.random.choice(&self.inputs).cloned().unwrap_or_default();
        let (at, from) = (self.random.usize(0..=input.len()), self.random.usize(0..=other.len()));
        input.truncate(at);
        input.extend_from_slice(other.get(from..).unwrap_or_default());
    }

    fn insert_a_piece(&mut self, input: &mut Vec<u8>) {
        let at = self.random.usize(0..=input.len());
        let piece = self.random.choice(PIECES).unwrap_or_default();
        input.splice(at..at, piece.iter().copied());
    }

    fn range(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let start = self.random.usize(0..=input.len());
        start..start + self.random.usize(0..=(input.len() - start).min(64))
    }
}
