//! Puts the results of events that run at once into the order of their lines.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::lines::{Line, Lines};
use crate::{call::Answer, outcome::Summary, progress::Progress};

/// How many events the workers can be ahead of the oldest event that is not answered. There are no more workers than
/// this.
pub(crate) const WINDOW: usize = 1024;
/// How many bytes of results can wait for an older result, or for the reader of the output.
const HELD: usize = 8 << 20;
/// Results are written in batches of at least this many bytes, unless that would delay them.
const BATCH: usize = 64 << 10;

/// The lines that are not handed out yet, the results that wait for an older one, and the output that is not written
/// yet.
///
/// - Results leave in the order of their lines.
/// - The oldest event never waits for the events after it.
/// - Its memory is bounded for any input: one chunk of input, [`HELD`] bytes, and an event and a result for each
///   worker.
pub(crate) struct ReorderBuffer {
    lines: Lines,
    ended: bool,
    closed: bool,
    /// The sequence number of the oldest event whose result has not left.
    first: u64,
    /// The events from `first` on.
    results: VecDeque<Slot>,
    /// The bytes in `results`.
    held: usize,
    output: Vec<u8>,
    summary: Summary,
    progress: Arc<Progress>,
}

/// An event whose result has not left.
struct Slot {
    /// Where its line ends in the input.
    end: u64,
    /// `None` while the event is running.
    answer: Option<Answer>,
}

/// A line for a worker, and its place in the output.
pub(crate) struct Task {
    pub(crate) sequence: u64,
    pub(crate) line: Line,
}

/// The next step of a worker.
pub(crate) enum Step {
    /// Answer this line.
    Task(Task),
    /// Wait for input.
    Starved,
    /// Wait until results have left the buffer.
    Crowded,
    /// Stop: the stream has ended.
    End,
}

impl ReorderBuffer {
    pub(crate) fn new(max_line: usize, progress: Arc<Progress>) -> Self {
        Self {
            lines: Lines::new(max_line),
            ended: false,
            closed: false,
            first: 0,
            results: VecDeque::new(),
            held: 0,
            output: Vec::new(),
            summary: Summary::default(),
            progress,
        }
    }

    /// Whether the next chunk can be added.
    pub(crate) fn has_room(&self) -> bool {
        self.lines.is_drained() || self.closed
    }

    /// Adds a chunk of input. Returns false if the buffer is closed.
    pub(crate) fn push(&mut self, chunk: Bytes) -> bool {
        if !self.closed {
            self.lines.push(chunk);
        }
        !self.closed
    }

    /// The input has ended.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Hands out no more lines.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// The next step of a free worker.
    pub(crate) fn step(&mut self) -> Step {
        if self.closed {
            return Step::End;
        }
        if self.results.len() >= WINDOW || self.held + self.output.len() >= HELD {
            return Step::Crowded;
        }
        match self.next_line() {
            Some(line) => {
                let sequence = self.first + self.results.len() as u64;
                self.results.push_back(Slot { end: self.lines.offset(), answer: None });
                Step::Task(Task { sequence, line })
            }
            None if self.ended => Step::End,
            None => Step::Starved,
        }
    }

    fn next_line(&mut self) -> Option<Line> {
        match self.lines.next() {
            None if self.ended => self.lines.finish(),
            line => line,
        }
    }

    /// Adds an answer. Returns whether results have left the buffer, and so made room.
    pub(crate) fn put(&mut self, sequence: u64, answer: Answer) -> bool {
        let before = self.first;
        let place = sequence.checked_sub(before).and_then(|index| usize::try_from(index).ok());
        if let Some(slot) = place.and_then(|index| self.results.get_mut(index)) {
            self.held += answer.text.len();
            slot.answer = Some(answer);
        }
        while let Some(Slot { end, answer: Some(answer) }) = self.results.pop_front_if(|oldest| oldest.answer.is_some())
        {
            self.leave(&answer, end);
        }
        self.first != before
    }

    fn leave(&mut self, answer: &Answer, end: u64) {
        self.first += 1;
        self.held -= answer.text.len();
        self.output.extend_from_slice(&answer.text);
        self.summary.count(answer.failure.as_ref());
        self.progress.count(answer.failure.is_some(), end);
    }

    /// Whether there is output to write.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether there is output, and no reason to wait for more: it is large, or no event is running.
    pub(crate) fn is_worth_writing(&self) -> bool {
        self.has_output() && (self.output.len() >= BATCH || (self.results.is_empty() && !self.lines.has_line()))
    }

    /// Takes the output.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Whether every line is answered and written.
    pub(crate) fn is_finished(&self) -> bool {
        let answered = self.results.is_empty() && self.output.is_empty();
        answered && (self.closed || (self.ended && self.lines.is_finished()))
    }

    /// The summary so far.
    pub(crate) fn summary(&self) -> Summary {
        self.summary.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(input: &'static str) -> ReorderBuffer {
        let mut buffer = ReorderBuffer::new(100, Arc::default());
        buffer.push(Bytes::from_static(input.as_bytes()));
        buffer
    }

    fn take(buffer: &mut ReorderBuffer) -> u64 {
        match buffer.step() {
            Step::Task(task) => task.sequence,
            _ => panic!("no task"),
        }
    }

    fn answer(text: &str) -> Answer {
        Answer { text: text.as_bytes().to_vec(), failure: None }
    }

    #[test]
    fn results_leave_in_the_order_of_their_lines() {
        let mut buffer = of("1\n2\n3\n");
        let tasks = [take(&mut buffer), take(&mut buffer), take(&mut buffer)];
        assert!(!buffer.put(tasks[2], answer("c")));
        assert!(!buffer.put(tasks[1], answer("b")));
        assert!(!buffer.has_output());
        assert!(buffer.put(tasks[0], answer("a")));
        assert_eq!(buffer.take_output(), b"abc");
    }

    #[test]
    fn output_waits_while_other_events_are_running() {
        let mut buffer = of("1\n2\n");
        let (one, two) = (take(&mut buffer), take(&mut buffer));
        buffer.put(one, answer("a"));
        assert!(buffer.has_output() && !buffer.is_worth_writing());
        buffer.put(two, answer("b"));
        assert!(buffer.is_worth_writing());
    }

    #[test]
    fn workers_wait_while_many_results_or_large_ones_wait_for_an_older_one() {
        let mut buffer = of("1\n2\n3\n");
        let (oldest, large) = (take(&mut buffer), take(&mut buffer));
        buffer.put(large, Answer { text: vec![b' '; HELD], failure: None });
        assert!(matches!(buffer.step(), Step::Crowded));
        buffer.put(oldest, answer("a"));
        assert_eq!(buffer.take_output().len(), HELD + 1);
        assert_eq!(take(&mut buffer), 2);

        let mut buffer = ReorderBuffer::new(100, Arc::default());
        buffer.push("1\n".repeat(2 * WINDOW).into());
        (0..WINDOW as u64).for_each(|sequence| assert_eq!(take(&mut buffer), sequence));
        assert!(matches!(buffer.step(), Step::Crowded));
    }

    #[test]
    fn the_stream_ends_when_the_last_line_is_answered_and_written() {
        let mut buffer = of("1\n2");
        buffer.end();
        let (one, two) = (take(&mut buffer), take(&mut buffer));
        assert!(matches!(buffer.step(), Step::End));
        buffer.put(one, answer("a"));
        buffer.put(two, answer("b"));
        assert!(!buffer.is_finished());
        buffer.take_output();
        assert!(buffer.is_finished());
    }
}
