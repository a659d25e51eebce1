use std::{
    sync::{Arc, Condvar, Mutex, OnceLock},
    task::Wake,
};

use super::*;

/// A target whose writes wait, fail or succeed, as the test says.
struct Scripted {
    state: Mutex<Script>,
    changed: Condvar,
    /// The queue to which it reports lost lines.
    queue: OnceLock<&'static Queue<&'static Scripted>>,
}

struct Script {
    mode: Mode,
    /// How many writes have begun.
    begun: usize,
    text: String,
}

#[derive(Clone, Copy)]
enum Mode {
    Works,
    Waits,
    Fails,
    /// Writes so many bytes, and then fails.
    FailsAfter(usize),
}

impl Target for &'static Scripted {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap();
        state.begun += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| matches!(state.mode, Mode::Waits)).unwrap();
        let taken = match state.mode {
            Mode::FailsAfter(room) if room > 0 => bytes.len().min(room),
            Mode::Fails | Mode::FailsAfter(_) => return Err(io::ErrorKind::StorageFull.into()),
            Mode::Works | Mode::Waits => bytes.len(),
        };
        if let Mode::FailsAfter(room) = &mut state.mode {
            *room -= taken;
        }
        state.text.push_str(std::str::from_utf8(&bytes[..taken]).unwrap());
        Ok(taken)
    }

    fn report_lost(&self, lines: u64) {
        self.queue.get().unwrap().line(format!("lost {lines}\n").as_bytes());
    }
}

impl Scripted {
    fn set(&self, mode: Mode) {
        self.state.lock().unwrap().mode = mode;
        self.changed.notify_all();
    }

    fn wait_until_writing(&self) {
        drop(self.changed.wait_while(self.state.lock().unwrap(), |state| state.begun == 0).unwrap());
    }

    fn text(&self) -> String {
        self.state.lock().unwrap().text.clone()
    }
}

/// A queue. Its thread runs until the tests end.
fn queue(mode: Mode) -> &'static Queue<&'static Scripted> {
    let script = Script { mode, begun: 0, text: String::new() };
    let target = Scripted { state: script.into(), changed: Condvar::new(), queue: OnceLock::new() };
    let target: &Scripted = Box::leak(Box::new(target));
    target.queue.get_or_init(|| Box::leak(Box::new(Queue::new(target))))
}

/// The text that the target has, once all entries are written.
fn written(queue: &Queue<&'static Scripted>) -> String {
    queue.flush(Duration::from_secs(60));
    queue.target.text()
}

#[derive(Default)]
struct Woken(Mutex<bool>, Condvar);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

impl Woken {
    fn wait(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |woken| !*woken).unwrap());
    }
}

#[test]
fn entries_are_written_in_order() {
    let queue = queue(Mode::Works);
    queue.line(b"line\n");
    queue.output(b"out");
    queue.output(b"put\n");
    queue.note(b"note\n".to_vec());
    assert_eq!((written(queue).as_str(), queue.lost()), ("line\noutput\nnote\n", 0));
}

#[test]
fn a_line_that_finds_no_room_is_lost_and_reported_once_when_the_queue_is_written() {
    let queue = queue(Mode::Waits);
    queue.line(b"first\n");
    queue.target.wait_until_writing();
    let long = ["x".repeat(LINES_ROOM / 2), "\n".to_owned()].concat();
    (0..4).for_each(|_| queue.line(long.as_bytes()));
    queue.note(b"note\n".to_vec());
    assert_eq!((queue.lost(), queue.target.text().as_str()), (3, ""));
    queue.target.set(Mode::Works);
    assert!(written(queue) == format!("first\n{long}note\nlost 3\n"));
    queue.line(b"last\n");
    assert!(written(queue).ends_with("note\nlost 3\nlast\n"));
    assert_eq!(queue.lost(), 3);
}

#[test]
fn lines_that_cannot_be_written_are_lost_and_reported_once_when_writing_works_again() {
    let queue = queue(Mode::Fails);
    queue.line(b"one\n");
    queue.line(b"two\n");
    queue.output(b"output is no line\n");
    assert_eq!((written(queue).as_str(), queue.lost()), ("", 2));
    queue.target.set(Mode::Works);
    queue.line(b"three\n");
    assert_eq!((written(queue).as_str(), queue.lost()), ("three\nlost 2\n", 2));
}

#[test]
fn a_line_that_is_written_in_part_is_lost_and_the_next_line_begins_on_a_new_one() {
    let queue = queue(Mode::FailsAfter(2));
    queue.line(b"first\n");
    assert_eq!(written(queue), "fi");
    queue.line(b"second\n");
    assert_eq!((written(queue).as_str(), queue.lost()), ("fi", 2));
    queue.target.set(Mode::Works);
    queue.line(b"third\n");
    assert_eq!(written(queue), "fi\nthird\nlost 2\n");
}

#[test]
fn a_guest_waits_for_room_and_none_of_its_output_is_lost() {
    let queue = queue(Mode::Waits);
    let woken = Arc::new(Woken::default());
    let waker = Arc::clone(&woken).into();
    let context = Context::from_waker(&waker);
    assert_eq!(queue.poll_room(&context), Poll::Ready(()));
    let output = "x".repeat(OUTPUT_ROOM);
    queue.output(output.as_bytes());
    assert_eq!((queue.poll_room(&context), queue.has_room()), (Poll::Pending, false));
    queue.line(b"a line has room of its own\n");
    queue.target.set(Mode::Works);
    woken.wait();
    assert_eq!(queue.poll_room(&context), Poll::Ready(()));
    assert!(written(queue) == output + "a line has room of its own\n");
    assert_eq!(queue.lost(), 0);
}

#[test]
fn waiting_for_a_mark_does_not_wait_for_later_entries() {
    let queue = queue(Mode::Waits);
    let woken = Arc::new(Woken::default());
    let waker = Arc::clone(&woken).into();
    let context = Context::from_waker(&waker);
    assert_eq!(queue.poll_written(queue.mark(), &context), Poll::Ready(()));
    queue.line(b"first\n");
    let mark = queue.mark();
    assert_eq!(queue.poll_written(mark, &context), Poll::Pending);
    queue.line(b"second\n");
    queue.target.set(Mode::FailsAfter(6));
    woken.wait();
    queue.wait_written(mark);
    assert_eq!(queue.poll_written(mark, &context), Poll::Ready(()));
    assert_eq!((written(queue).as_str(), queue.lost()), ("first\n", 1));
}

#[test]
fn a_flush_ends_when_its_timeout_is_over() {
    let queue = queue(Mode::Waits);
    queue.line(b"line\n");
    queue.target.wait_until_writing();
    queue.flush(Duration::ZERO);
    assert_eq!(queue.target.text(), "");
}
