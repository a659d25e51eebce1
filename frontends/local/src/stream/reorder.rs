//! What is in work, and in which order it leaves: the state of a stream without its threads.

use std::collections::VecDeque;

use bytes::Bytes;

use super::lines::{Line, Lines};
use crate::{call::Answer, outcome::Summary};

/// How far the workers may run ahead of the oldest event that is not answered, and so how many there may be.
pub(crate) const WINDOW: usize = 1024;
/// How many bytes of results may wait for an older one or for whoever reads the output.
const HELD: usize = 8 << 20;
/// Results are written in batches of at least this many bytes, unless that would delay them.
const BATCH: usize = 64 << 10;

/// The lines that are not taken, the results that have not left, and the output that is not written.
///
/// - Results leave in the order of their lines.
/// - The oldest event is never held up by the ones behind it.
/// - What is held is bounded, whatever the input: by one chunk of input, [`HELD`] bytes, and an event and a result for
///   each worker.
pub(crate) struct ReorderBuffer {
    lines: Lines,
    ended: bool,
    closed: bool,
    /// The sequence number of the oldest event whose result has not left.
    first: u64,
    /// The results from `first` on, `None` while their events are being worked on.
    results: VecDeque<Option<Answer>>,
    /// Bytes in `results`.
    held: usize,
    output: Vec<u8>,
    summary: Summary,
}

/// One line that a worker has taken, and its place in the output.
pub(crate) struct Task {
    pub(crate) sequence: u64,
    pub(crate) line: Line,
}

/// What a worker does next.
pub(crate) enum Step {
    /// Answer this.
    Task(Task),
    /// Wait for input.
    Starved,
    /// Wait until results have left.
    Crowded,
    /// Stop: there is nothing more to do.
    End,
}

impl ReorderBuffer {
    pub(crate) fn new(max_line: usize) -> Self {
        Self {
            lines: Lines::new(max_line),
            ended: false,
            closed: false,
            first: 0,
            results: VecDeque::new(),
            held: 0,
            output: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Whether the next chunk can be pushed.
    pub(crate) fn has_room(&self) -> bool {
        self.lines.is_drained() || self.closed
    }

    /// Adds input. Returns whether more is wanted.
    pub(crate) fn push(&mut self, chunk: Bytes) -> bool {
        if !self.closed {
            self.lines.push(chunk);
        }
        !self.closed
    }

    /// No more input comes.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// No more lines are handed out.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// What a worker that is free does next.
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
                self.results.push_back(None);
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

    /// Takes an answer. Returns whether results have left the order, and so made room.
    pub(crate) fn put(&mut self, sequence: u64, answer: Answer) -> bool {
        let before = self.first;
        let place = sequence.checked_sub(before).and_then(|index| usize::try_from(index).ok());
        if let Some(slot) = place.and_then(|index| self.results.get_mut(index)) {
            self.held += answer.text.len();
            *slot = Some(answer);
        }
        while matches!(self.results.front(), Some(Some(_))) {
            self.results.pop_front().flatten().iter().for_each(|answer| self.leave(answer));
        }
        self.first != before
    }

    fn leave(&mut self, answer: &Answer) {
        self.first += 1;
        self.held -= answer.text.len();
        self.output.extend_from_slice(&answer.text);
        self.summary.count(answer.failure.as_ref());
    }

    /// Whether there is anything to write.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether there is no reason to wait for more to write: it is much, or nothing is being worked on.
    pub(crate) fn is_worth_writing(&self) -> bool {
        self.has_output() && (self.output.len() >= BATCH || (self.results.is_empty() && !self.lines.has_line()))
    }

    /// What can be written.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Whether every line is answered and written.
    pub(crate) fn is_finished(&self) -> bool {
        let answered = self.results.is_empty() && self.output.is_empty();
        answered && (self.closed || (self.ended && self.lines.is_finished()))
    }

    /// What has been answered so far.
    pub(crate) fn summary(&self) -> Summary {
        self.summary.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(input: &'static str) -> ReorderBuffer {
        let mut order = ReorderBuffer::new(100);
        order.push(Bytes::from_static(input.as_bytes()));
        order
    }

    fn take(order: &mut ReorderBuffer) -> u64 {
        match order.step() {
            Step::Task(task) => task.sequence,
            _ => panic!("no task"),
        }
    }

    fn answer(text: &str) -> Answer {
        Answer { text: text.as_bytes().to_vec(), failure: None }
    }

    #[test]
    fn results_leave_in_the_order_of_their_lines() {
        let mut order = of("1\n2\n3\n");
        let tasks = [take(&mut order), take(&mut order), take(&mut order)];
        assert!(!order.put(tasks[2], answer("c")));
        assert!(!order.put(tasks[1], answer("b")));
        assert!(!order.has_output());
        assert!(order.put(tasks[0], answer("a")));
        assert_eq!(order.take_output(), b"abc");
    }

    #[test]
    fn what_can_be_written_waits_while_more_is_on_its_way_and_not_otherwise() {
        let mut order = of("1\n2\n");
        let (one, two) = (take(&mut order), take(&mut order));
        order.put(one, answer("a"));
        assert!(order.has_output() && !order.is_worth_writing());
        order.put(two, answer("b"));
        assert!(order.is_worth_writing());
    }

    #[test]
    fn workers_wait_while_an_old_event_holds_up_many_results_or_large_ones() {
        let mut order = of("1\n2\n3\n");
        let (oldest, large) = (take(&mut order), take(&mut order));
        order.put(large, Answer { text: vec![b' '; HELD], failure: None });
        assert!(matches!(order.step(), Step::Crowded));
        order.put(oldest, answer("a"));
        assert_eq!(order.take_output().len(), HELD + 1);
        assert_eq!(take(&mut order), 2);

        let mut order = ReorderBuffer::new(100);
        order.push("1\n".repeat(2 * WINDOW).into());
        (0..WINDOW as u64).for_each(|sequence| assert_eq!(take(&mut order), sequence));
        assert!(matches!(order.step(), Step::Crowded));
    }

    #[test]
    fn ends_when_the_last_line_is_answered_and_written() {
        let mut order = of("1\n2");
        order.end();
        let (one, two) = (take(&mut order), take(&mut order));
        assert!(matches!(order.step(), Step::End));
        order.put(one, answer("a"));
        order.put(two, answer("b"));
        assert!(!order.is_finished());
        order.take_output();
        assert!(order.is_finished());
    }
}
