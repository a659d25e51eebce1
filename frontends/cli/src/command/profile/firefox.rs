//! A profile in the format of Firefox's profiler ("processed profile format", version 55), which reads it in the browser
//! and sends it nowhere.
//!
//! The format is of columns: a table has a list for each of its properties. The crate that Wasmtime writes this format
//! with knows no lines.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{SystemTime, UNIX_EPOCH},
};

use nebula_runtime::{Profile, ProfileFrame};
use serde::Serialize;
use serde_json::{Value, json};

/// A whole file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    meta: Value,
    libs: [(); 0],
    threads: [Thread; 1],
    pages: [(); 0],
    profiler_overhead: [(); 0],
    counters: [(); 0],
}

/// The profile of the function `name`.
pub(super) fn document(name: &str, profile: &Profile) -> Document {
    Document {
        meta: meta(profile),
        libs: [],
        threads: [Thread::new(name, profile)],
        pages: [],
        profiler_overhead: [],
        counters: [],
    }
}

/// The category of all frames, in the list of `meta`. The first one is for what has no category.
const WEBASSEMBLY: usize = 1;

fn meta(profile: &Profile) -> Value {
    let length = profile.samples.last().map_or(0.0, |sample| millis(sample.at));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "version": 24,
        "preprocessedProfileVersion": 55,
        "product": "nebula",
        "interval": millis(profile.interval),
        "startTime": millis(now) - length,
        "processType": 0,
        "debug": false,
        "symbolicated": true,
        "usesOnlyOneStackType": true,
        "sourceCodeIsNotOnSearchfox": true,
        "extensions": {"length": 0, "baseURL": [], "id": [], "name": []},
        "markerSchema": [],
        "categories": [
            {"name": "Other", "color": "grey", "subcategories": ["Other"]},
            {"name": "WebAssembly", "color": "purple", "subcategories": ["Other"]},
        ],
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Thread {
    name: String,
    process_name: String,
    is_main_thread: bool,
    process_type: &'static str,
    pid: &'static str,
    tid: &'static str,
    process_startup_time: f64,
    process_shutdown_time: Option<f64>,
    register_time: f64,
    unregister_time: Option<f64>,
    paused_ranges: [(); 0],
    show_markers_in_timeline: bool,
    samples: Samples,
    stack_table: StackTable,
    frame_table: FrameTable,
    func_table: FunctionTable,
    string_array: Vec<String>,
    markers: Value,
    resource_table: Value,
    native_symbols: Value,
}

impl Thread {
    fn new(name: &str, profile: &Profile) -> Self {
        let mut strings = Numbered::default();
        let (functions, frames) = functions_and_frames(&profile.frames, &mut strings);
        let (stacks, ends) = stacks(&profile.stacks);
        Self {
            name: name.to_owned(),
            process_name: name.to_owned(),
            is_main_thread: true,
            process_type: "default",
            pid: "1",
            tid: "1",
            process_startup_time: 0.0,
            process_shutdown_time: None,
            register_time: 0.0,
            unregister_time: None,
            paused_ranges: [],
            show_markers_in_timeline: false,
            samples: Samples::new(profile, &ends),
            stack_table: stacks,
            frame_table: frames,
            func_table: functions,
            string_array: strings.values,
            markers: empty(["category", "data", "endTime", "name", "phase", "startTime"]),
            resource_table: empty(["lib", "name", "host", "type"]),
            native_symbols: empty(["address", "functionSize", "libIndex", "name"]),
        }
    }
}

/// A table with nothing in it.
fn empty<const N: usize>(columns: [&str; N]) -> Value {
    let columns = columns.map(|column| (column.to_owned(), json!([])));
    Value::Object([("length".to_owned(), json!(0))].into_iter().chain(columns).collect())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    length: usize,
    weight_type: &'static str,
    weight: Option<Vec<u64>>,
    stack: Vec<Option<usize>>,
    time_deltas: Vec<f64>,
}

impl Samples {
    /// `ends` has the innermost entry of each stack.
    fn new(profile: &Profile, ends: &[Option<usize>]) -> Self {
        let mut last = 0.0;
        let delta = |at: f64| at - std::mem::replace(&mut last, at);
        Self {
            length: profile.samples.len(),
            weight_type: "samples",
            weight: None,
            stack: profile.samples.iter().map(|sample| ends.get(sample.stack).copied().flatten()).collect(),
            time_deltas: profile.samples.iter().map(|sample| millis(sample.at)).map(delta).collect(),
        }
    }
}

/// Stacks as a tree: each entry is a frame that was called from another entry.
#[derive(Default, Serialize)]
struct StackTable {
    length: usize,
    prefix: Vec<Option<usize>>,
    frame: Vec<usize>,
}

/// The tree of all stacks, and the innermost entry of each.
fn stacks(stacks: &[Vec<usize>]) -> (StackTable, Vec<Option<usize>>) {
    let mut entries = Numbered::default();
    let end = |stack: &Vec<usize>| stack.iter().fold(None, |prefix, frame| Some(entries.number_of((prefix, *frame))));
    let ends = stacks.iter().map(end).collect();
    let (prefix, frame): (Vec<_>, Vec<_>) = entries.values.into_iter().unzip();
    (StackTable { length: frame.len(), prefix, frame }, ends)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FrameTable {
    length: usize,
    func: Vec<usize>,
    line: Vec<Option<u64>>,
    column: Vec<Option<u64>>,
    category: Vec<usize>,
    subcategory: Vec<usize>,
    address: Vec<i64>,
    inline_depth: Vec<u32>,
    native_symbol: Vec<Option<usize>>,
    #[serde(rename = "innerWindowID")]
    inner_window_id: Vec<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionTable {
    length: usize,
    name: Vec<usize>,
    file_name: Vec<Option<usize>>,
    line_number: Vec<Option<u64>>,
    column_number: Vec<Option<u64>>,
    #[serde(rename = "isJS")]
    is_js: Vec<bool>,
    #[serde(rename = "relevantForJS")]
    relevant_for_js: Vec<bool>,
    resource: Vec<i64>,
}

fn functions_and_frames(frames: &[ProfileFrame], strings: &mut Numbered<String>) -> (FunctionTable, FrameTable) {
    let mut functions = Numbered::default();
    let func = |frame: &ProfileFrame| {
        let name = strings.number_of(frame.function.clone());
        let file = frame.file.clone().map(|file| strings.number_of(file));
        functions.number_of((name, file))
    };
    let func: Vec<_> = frames.iter().map(func).collect();
    let (name, file_name): (Vec<_>, Vec<_>) = functions.values.into_iter().unzip();
    (FunctionTable::new(name, file_name), FrameTable::new(func, frames.iter().map(|frame| frame.line).collect()))
}

impl FrameTable {
    fn new(func: Vec<usize>, line: Vec<Option<u64>>) -> Self {
        let length = func.len();
        Self {
            length,
            func,
            line,
            column: vec![None; length],
            category: vec![WEBASSEMBLY; length],
            subcategory: vec![0; length],
            address: vec![-1; length],
            inline_depth: vec![0; length],
            native_symbol: vec![None; length],
            inner_window_id: vec![0; length],
        }
    }
}

impl FunctionTable {
    fn new(name: Vec<usize>, file_name: Vec<Option<usize>>) -> Self {
        let length = name.len();
        Self {
            length,
            name,
            file_name,
            line_number: vec![None; length],
            column_number: vec![None; length],
            is_js: vec![false; length],
            relevant_for_js: vec![false; length],
            resource: vec![-1; length],
        }
    }
}

/// Different values, numbered in the order in which they came.
struct Numbered<T> {
    numbers: HashMap<T, usize>,
    values: Vec<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

impl<T: Hash + Eq + Clone> Numbered<T> {
    fn number_of(&mut self, value: T) -> usize {
        let next = self.values.len();
        match self.numbers.get(&value) {
            Some(number) => *number,
            None => {
                self.values.push(value.clone());
                self.numbers.insert(value, next);
                next
            }
        }
    }
}

fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
