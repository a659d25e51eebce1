//! A server that watches functions, and the ways in which editors save files.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{PATIENCE, nebula::Nebula, project::Project, server::Server};

/// The number of log lines that a failed test shows.
const SHOWN_LINES: usize = 50;

/// A way in which an editor saves a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveMethod {
    /// Overwrites the file, in two steps.
    InPlace,
    /// Writes another file, then renames it to the file.
    Rename,
    /// Removes the file, then makes it again.
    Remake,
    /// Removes the folder with everything in it, then makes it again.
    RemakeFolder,
    /// Points a symbolic link in the file's path to another folder, as Kubernetes does.
    SwapLink,
}

/// The role of the file that is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchedFile {
    /// It is the function's source, which is published.
    Source,
    /// It is the input of the build command that makes the source.
    BuildInput,
}

/// A server that watches functions. Each function returns the number that was saved last.
pub struct WatchedServer {
    project: Project,
    server: Server,
    files: Vec<WatchedFile>,
    /// The number that was saved last.
    last: u32,
    /// How often each function was saved.
    saves: Vec<usize>,
}

impl SaveMethod {
    /// All ways to save a file.
    pub const ALL: [Self; 5] = [Self::InPlace, Self::Rename, Self::Remake, Self::RemakeFolder, Self::SwapLink];

    /// Saves the file `now/f.wat` in `folder`, where `now` is a link to another folder in `folder`.
    fn save(self, folder: &Path, text: &str, number: u32) {
        let file = folder.join("now/f.wat");
        match self {
            Self::InPlace => write_in_two_steps(&file, text),
            Self::Rename => {
                fs::write(folder.join("now/f.part"), text).unwrap();
                fs::rename(folder.join("now/f.part"), file).unwrap();
            }
            Self::Remake => {
                fs::remove_file(&file).unwrap();
                fs::write(file, text).unwrap();
            }
            Self::RemakeFolder => {
                let there = fs::canonicalize(folder.join("now")).unwrap();
                fs::remove_dir_all(&there).unwrap();
                fs::create_dir(there).unwrap();
                fs::write(file, text).unwrap();
            }
            Self::SwapLink => {
                let before = fs::canonicalize(folder.join("now")).unwrap();
                write_behind_link(folder, text, number);
                fs::remove_dir_all(before).unwrap();
            }
        }
    }
}

fn write_in_two_steps(file: &Path, text: &str) {
    let (first, second) = text.split_at(text.len() / 2);
    let mut file = File::create(file).unwrap();
    file.write_all(first.as_bytes()).unwrap();
    file.write_all(second.as_bytes()).unwrap();
}

/// Makes a new folder with the file, and atomically points the link `now` to it.
fn write_behind_link(folder: &Path, text: &str, number: u32) {
    let version = format!("version-{number}");
    fs::create_dir_all(folder.join(&version)).unwrap();
    fs::write(folder.join(&version).join("f.wat"), text).unwrap();
    symlink(version, folder.join("next")).unwrap();
    fs::rename(folder.join("next"), folder.join("now")).unwrap();
}

fn module(number: u32) -> String {
    format!("(module (func (export \"f\") (result i32) (i32.const {number})))")
}

impl WatchedServer {
    /// Starts a server with one function for each of these files.
    pub fn start(files: &[WatchedFile]) -> Self {
        let project = Project::new([]);
        let mut toml = String::new();
        for (index, file) in files.iter().enumerate() {
            write_behind_link(&project.join(format!("f{index}")), &module(0), 0);
            toml += &match file {
                WatchedFile::Source => format!("[functions.f{index}]\nsource = \"f{index}/now/f.wat\"\n"),
                WatchedFile::BuildInput => format!(
                    "[functions.f{index}]\nsource = \"made/f{index}.wat\"\nwatch = [\"/f{index}/\"]\n\
                     build = \"mkdir -p made; cp f{index}/now/f.wat made/f{index}.wat\"\n"
                ),
            };
        }
        project.write("nebula.toml", toml);
        let server = Server::start(&Nebula::built(), &project, &["--watch"]).unwrap();
        Self { project, server, files: files.to_owned(), last: 0, saves: vec![0; files.len()] }
    }

    /// Saves a function's file, and waits until the function returns the saved number. Returns how long that took.
    pub fn save(&mut self, index: usize, method: SaveMethod) -> Duration {
        self.last += 1;
        self.saves[index] += 1;
        method.save(&self.project.join(format!("f{index}")), &module(self.last), self.last);
        let saved = Instant::now();
        loop {
            let response = self.server.get(&format!("/api/f{index}"));
            assert_eq!(response.status, 200, "f{index}, {method:?}: {}\n{}", response.text(), self.last_log());
            if response.text() == self.last.to_string() {
                return saved.elapsed();
            }
            assert!(saved.elapsed() < PATIENCE, "f{index}, {method:?}: {}\n{}", response.text(), self.last_log());
        }
    }

    /// Fails unless each function was built and published exactly as often as it was saved.
    pub fn check_nothing_was_done_twice(&self) {
        let expected: Vec<_> = (0..self.files.len()).map(|index| self.expected(index)).collect();
        let began = Instant::now();
        // A new version is served a moment before the log says that it was published.
        let mut done = self.done();
        while done.iter().zip(&expected).any(|(done, expected)| done.1 < expected.1) && began.elapsed() < PATIENCE {
            done = self.done();
        }
        assert_eq!(done, expected, "builds and publishes of each function\n{}", self.last_log());
    }

    /// How often a function must have been built and published: once at the start, and once for each save.
    fn expected(&self, index: usize) -> (usize, usize) {
        let saves = self.saves[index] + 1;
        (if self.files[index] == WatchedFile::BuildInput { saves } else { 0 }, saves)
    }

    /// How often each function was built and published, according to the log.
    fn done(&self) -> Vec<(usize, usize)> {
        let events = self.server.events();
        let count = |index: usize, start: &str| {
            let function = format!("f{index}");
            let has_message =
                |event: &&Value| event["message"].as_str().is_some_and(|message| message.starts_with(start));
            events.iter().filter(|event| event["function"] == function.as_str()).filter(has_message).count()
        };
        (0..self.files.len()).map(|index| (count(index, "building: "), count(index, "published"))).collect()
    }

    /// The last lines of the server's log, without the reports of invocations.
    pub fn last_log(&self) -> String {
        let lines: Vec<_> = self.server.events().iter().map(Value::to_string).collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}
