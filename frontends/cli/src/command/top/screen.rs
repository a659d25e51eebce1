//! The terminal that the table is on: plain escape sequences (ECMA-48), which every terminal knows.

use std::{
    future::pending,
    io::{self, IsTerminal as _, Read as _},
    thread,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use crate::{failure::Failure, print};

/// The terminal while the table is on it. Dropping it brings back what was there before.
pub(super) struct Screen {
    /// How the terminal treated keys before.
    keys: Option<Termios>,
}

/// How many lines and columns a terminal has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) style: Style,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// Reversed colours.
    Header,
    /// Red.
    Alarming,
}

/// Another page of the terminal, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

impl Screen {
    /// Begins a page. Keys are not shown, and are read one by one.
    ///
    /// # Errors
    /// The terminal cannot be written, or cannot be set up.
    pub(super) fn open() -> Result<Self, Failure> {
        let screen = Self { keys: take_keys().map_err(Failure::Standard)? };
        print::part(ENTER)?;
        Ok(screen)
    }

    /// The size of the terminal now.
    pub(super) fn size(&self) -> Size {
        let size = tcgetwinsize(io::stdout()).map_or((0, 0), |size| (size.ws_row, size.ws_col));
        let (rows, columns) = if size.0 == 0 || size.1 == 0 { (24, 80) } else { size };
        Size { rows: rows.into(), columns: columns.into() }
    }

    /// Shows these lines in place of the ones before. Returns false if the terminal is gone.
    pub(super) fn draw(&self, lines: &[Line]) -> Result<bool, Failure> {
        print::part(&redrawn(lines))
    }
}

/// What the terminal is sent to show these lines in place of the ones before. Each line is cleared behind its end, and
/// the screen behind the last line, so that nothing flickers.
fn redrawn(lines: &[Line]) -> String {
    let lines: Vec<_> = lines.iter().map(Line::styled).collect();
    format!("\x1b[H{}\x1b[J", lines.join("\r\n"))
}

/// Lets keys be read one by one, and returns how the terminal treated them before. `None` if stdin is no terminal.
fn take_keys() -> io::Result<Option<Termios>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    let before = tcgetattr(&stdin)?;
    let mut one_by_one = before.clone();
    // Ctrl-C stays a signal.
    one_by_one.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    tcsetattr(&stdin, OptionalActions::Now, &one_by_one)?;
    Ok(Some(before))
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = print::part(LEAVE);
        if let Some(before) = &self.keys {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

impl Line {
    /// The first columns of the line.
    pub(super) fn cut(self, columns: usize) -> Self {
        Self { text: self.text.chars().take(columns).collect(), ..self }
    }

    fn styled(&self) -> String {
        let (begin, end) = match self.style {
            Style::Plain => ("", ""),
            Style::Header => ("\x1b[7m", "\x1b[0m"),
            Style::Alarming => ("\x1b[31m", "\x1b[0m"),
        };
        format!("{begin}{}{end}\x1b[K", self.text)
    }
}

/// What ends the table: the key q, or a signal.
pub(super) struct Ends {
    signals: [Signal; 3],
    quit: oneshot::Receiver<()>,
}

impl Ends {
    /// Handles signals, and reads keys if stdin is a terminal.
    ///
    /// # Errors
    /// The process cannot handle signals.
    pub(super) fn start() -> Result<Self, Failure> {
        let handle = |kind| signal(kind).map_err(Failure::Signals);
        let signals =
            [handle(SignalKind::interrupt())?, handle(SignalKind::terminate())?, handle(SignalKind::hangup())?];
        Ok(Self { signals, quit: read_keys().map_err(Failure::Threads)? })
    }

    /// Waits for the end.
    pub(super) async fn wait(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        let quit = async {
            if (&mut self.quit).await.is_err() {
                // No keys can be read.
                pending::<()>().await;
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            () = quit => {}
        }
    }
}

/// Tells when the key q is pressed. The thread that reads keys ends with the process: nothing can interrupt its `read`.
fn read_keys() -> io::Result<oneshot::Receiver<()>> {
    let (sender, quit) = oneshot::channel();
    if io::stdin().is_terminal() {
        thread::Builder::new().name("keys".to_owned()).spawn(move || {
            let mut keys = io::stdin().lock().bytes().map_while(Result::ok);
            if keys.any(|key| matches!(key, b'q' | b'Q')) {
                // The receiver is gone when the table has ended.
                let _ = sender.send(());
            }
        })?;
    }
    Ok(quit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_take_the_place_of_those_before() {
        let line = |text: &str, style| Line { text: text.to_owned(), style };
        let lines = [line("totals", Style::Plain), line("function", Style::Header), line("f", Style::Alarming)];
        let expected = "\x1b[Htotals\x1b[K\r\n\x1b[7mfunction\x1b[0m\x1b[K\r\n\x1b[31mf\x1b[0m\x1b[K\x1b[J";
        assert_eq!(redrawn(&lines), expected);
    }
}
