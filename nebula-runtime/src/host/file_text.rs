//! Texts of files that settings refer to.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use crate::sync::lock;

/// The text of a file, which is read again when the file changes.
pub(in crate::host) struct FileText {
    path: PathBuf,
    known: Mutex<Option<Known>>,
}

struct Known {
    text: Arc<str>,
    stamp: Stamp,
    looked: Instant,
}

/// What tells that a file has changed.
#[derive(PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
}

/// How long a text is used before the file is looked at again.
const FRESH: Duration = Duration::from_secs(1);

impl FileText {
    pub(in crate::host) fn new(path: PathBuf) -> Self {
        Self { path, known: Mutex::new(None) }
    }

    pub(in crate::host) fn path(&self) -> &Path {
        &self.path
    }

    /// The text, without the line end at its end. A text that was read once is kept where the file cannot be read any
    /// more: a secret that is being replaced must not fail a call.
    ///
    /// # Errors
    /// The file cannot be read, and never could be.
    pub(in crate::host) fn text(&self) -> io::Result<Arc<str>> {
        let mut known = lock(&self.known);
        if let Some(known) = known.as_ref().filter(|known| known.looked.elapsed() < FRESH) {
            return Ok(Arc::clone(&known.text));
        }
        match (self.read(known.as_ref()), known.as_mut()) {
            (Ok(read), _) => Ok(Arc::clone(&known.insert(read).text)),
            (Err(error), None) => Err(error),
            (Err(error), Some(known)) => {
                tracing::warn!(path = %self.path.display(), %error, "a setting's file cannot be read; its last text is used");
                known.looked = Instant::now();
                Ok(Arc::clone(&known.text))
            }
        }
    }

    fn read(&self, known: Option<&Known>) -> io::Result<Known> {
        let metadata = fs::metadata(&self.path)?;
        let stamp = Stamp { modified: metadata.modified().ok(), size: metadata.len() };
        let text = match known.filter(|known| known.stamp == stamp) {
            Some(known) => Arc::clone(&known.text),
            None => without_line_end(&fs::read_to_string(&self.path)?).into(),
        };
        Ok(Known { text, stamp, looked: Instant::now() })
    }
}

/// Editors and `echo` end a file with a line end, which is no part of a secret.
pub(in crate::host) fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_at_the_end_is_no_part_of_a_text() {
        let cases = [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("", "")];
        for (file, text) in cases {
            assert_eq!(without_line_end(file), text);
        }
    }
}
