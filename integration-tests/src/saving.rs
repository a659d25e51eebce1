//! Functions that a server watches, and the ways in which editors save their files.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{PATIENCE, nebula::Nebula, project::Project, server::Server};

/// How many lines of a log tell what happened just now.
const LAST: usize = 50;

/// A way to save a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Written over, in two steps.
    InPlace,
    /// Written beside it, then renamed over it.
    Rename,
    /// Removed, then made.
    Remake,
    /// Its folder removed with all that is in it, then made.
    RemakeFolder,
    /// A link on the way to it made to lead to another folder, as Kubernetes does.
    SwapLink,
}

/// What a function's file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The file that is published.
    Source,
    /// What a command makes that file of.
    Input,
}

/// A server that watches functions. Each answers with the number that was saved last.
pub struct Saving {
    project: Project,
    server: Server,
    functions: Vec<Kind>,
    /// The number that was saved last, and how often each function was.
    last: u32,
    saved: Vec<usize>,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::InPlace, Self::Rename, Self::Remake, Self::RemakeFolder, Self::SwapLink];

    /// Saves the file `now/f.wat` of `folder`, where `now` is a link to a folder beside it.
    fn save(self, folder: &Path, text: &str, number: u32) {
        let file = folder.join("now/f.wat");
        match self {
            Self::InPlace => in_two_steps(&file, text),
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
                link(folder, text, number);
                fs::remove_dir_all(before).unwrap();
            }
        }
    }
}

fn in_two_steps(file: &Path, text: &str) {
    let (first, second) = text.split_at(text.len() / 2);
    let mut file = File::create(file).unwrap();
    file.write_all(first.as_bytes()).unwrap();
    file.write_all(second.as_bytes()).unwrap();
}

/// Makes a folder with the file in it, and `now` a link to that, at once.
fn link(folder: &Path, text: &str, number: u32) {
    let version = format!("version-{number}");
    fs::create_dir_all(folder.join(&version)).unwrap();
    fs::write(folder.join(&version).join("f.wat"), text).unwrap();
    symlink(version, folder.join("next")).unwrap();
    fs::rename(folder.join("next"), folder.join("now")).unwrap();
}

fn module(number: u32) -> String {
    format!("(module (func (export \"f\") (result i32) (i32.const {number})))")
}

impl Saving {
    /// Serves functions of these kinds.
    pub fn start(functions: &[Kind]) -> Self {
        let project = Project::new([]);
        let mut toml = String::new();
        for (index, kind) in functions.iter().enumerate() {
            link(&project.join(format!("f{index}")), &module(0), 0);
            toml += &match kind {
                Kind::Source => format!("[functions.f{index}]\nsource = \"f{index}/now/f.wat\"\n"),
                Kind::Input => format!(
                    "[functions.f{index}]\nsource = \"made/f{index}.wat\"\nwatch = [\"/f{index}/\"]\n\
                     build = \"mkdir -p made; cp f{index}/now/f.wat made/f{index}.wat\"\n"
                ),
            };
        }
        project.write("nebula.toml", toml);
        let server = Server::start(&Nebula::built(), &project, &["--watch"]).unwrap();
        Self { project, server, functions: functions.to_owned(), last: 0, saved: vec![0; functions.len()] }
    }

    /// Saves a function's file, and waits until it answers with what was saved. Returns how long that took.
    pub fn save(&mut self, index: usize, way: Way) -> Duration {
        self.last += 1;
        self.saved[index] += 1;
        way.save(&self.project.join(format!("f{index}")), &module(self.last), self.last);
        let saved = Instant::now();
        loop {
            let answered = self.server.get(&format!("/api/f{index}"));
            assert_eq!(answered.status, 200, "f{index}, {way:?}: {}\n{}", answered.text(), self.last_log());
            if answered.text() == self.last.to_string() {
                return saved.elapsed();
            }
            assert!(saved.elapsed() < PATIENCE, "f{index}, {way:?}: {}\n{}", answered.text(), self.last_log());
        }
    }

    /// Fails where a function was built or published more or less often than it was saved.
    pub fn check_that_nothing_was_done_twice(&self) {
        let expected: Vec<_> = (0..self.functions.len()).map(|index| self.expected(index)).collect();
        let begun = Instant::now();
        // A function answers a moment before the log says that it was published.
        let mut done = self.done();
        while done.iter().zip(&expected).any(|(done, expected)| done.1 < expected.1) && begun.elapsed() < PATIENCE {
            done = self.done();
        }
        assert_eq!(done, expected, "builds and publishes of each function\n{}", self.last_log());
    }

    /// How often a function is to be built and published: when it was saved, and at the start.
    fn expected(&self, index: usize) -> (usize, usize) {
        let saved = self.saved[index] + 1;
        (if self.functions[index] == Kind::Input { saved } else { 0 }, saved)
    }

    /// How often each function was built and published, as the log tells it.
    fn done(&self) -> Vec<(usize, usize)> {
        let events = self.server.events();
        let count = |index: usize, start: &str| {
            let function = format!("f{index}");
            let is_it = |event: &&Value| event["message"].as_str().is_some_and(|message| message.starts_with(start));
            events.iter().filter(|event| event["function"] == function.as_str()).filter(is_it).count()
        };
        (0..self.functions.len()).map(|index| (count(index, "building: "), count(index, "published"))).collect()
    }

    /// The last lines of the server's log, without the reports of calls.
    pub fn last_log(&self) -> String {
        let lines: Vec<_> = self.server.events().iter().map(Value::to_string).collect();
        lines[lines.len().saturating_sub(LAST)..].join("\n")
    }
}
