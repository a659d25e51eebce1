//! A profile as a flame graph: an SVG picture in which the width of a function is its share of the time. A function
//! stands on the one that called it.
//!
//! Each function is a picture in the picture, which cuts its own text off. Places are shares of the width, so that the
//! graph is as wide as the window, and enlarging a function is arithmetic.

use std::{collections::BTreeMap, fmt::Write as _};

use nebula_runtime::Profile;

use crate::print;

/// The height of a row, in pixels.
const ROW: usize = 17;

/// The room above the graph, for the title.
const HEAD: usize = 30;

/// Narrower boxes are left out, in per cent: they could not be seen.
const NARROWEST: f64 = 0.02;

/// The most rows. Deeper calls are left out.
const MAX_ROWS: usize = 1_000;

const SCRIPT: &str = include_str!("flame.js");

/// The picture of the function `name`.
pub(super) fn svg(name: &str, profile: &Profile) -> String {
    let root = Call::root(profile);
    let rows = root.rows();
    let height = HEAD + ROW * rows;
    let interval = humantime::format_duration(profile.interval);
    let title = format!("{name}: {}, one each {interval}", print::count(root.samples, "sample"));
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100%\" height=\"{height}\" font-family=\"monospace\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"6\" y=\"19\" \
         font-size=\"14\">{}</text>\n",
        escaped(&title)
    );
    Canvas { all: root.samples.max(1), rows }.draw(&mut picture, "all", &root, (0, 0));
    picture + "<script><![CDATA[\n" + SCRIPT + "]]></script>\n</svg>\n"
}

/// A function as it was called from one stack of callers.
#[derive(Default)]
struct Call<'a> {
    samples: u64,
    /// The functions that it called, by name: the order is the same in each picture.
    callees: BTreeMap<&'a str, Call<'a>>,
}

impl<'a> Call<'a> {
    /// The call of everything.
    fn root(profile: &'a Profile) -> Self {
        let mut root = Self::default();
        for sample in &profile.samples {
            root.samples += 1;
            let mut call = &mut root;
            for frame in profile.stack(sample).take(MAX_ROWS) {
                call = call.callees.entry(&frame.function).or_default();
                call.samples += 1;
            }
        }
        root
    }

    /// How many rows it takes, with those above it.
    fn rows(&self) -> usize {
        1 + self.callees.values().map(Self::rows).max().unwrap_or_default()
    }
}

struct Canvas {
    /// The samples of the whole profile.
    all: u64,
    rows: usize,
}

impl Canvas {
    /// Draws a call, and those above it. `before` is the number of samples that are left of it. The row at the bottom
    /// is 0.
    fn draw(&self, picture: &mut String, name: &str, call: &Call<'_>, (before, row): (u64, usize)) {
        if self.percent(call.samples) < NARROWEST {
            return;
        }
        self.draw_box(picture, name, call.samples, (before, row));
        let mut before = before;
        for (name, callee) in &call.callees {
            self.draw(picture, name, callee, (before, row + 1));
            before += callee.samples;
        }
    }

    fn draw_box(&self, picture: &mut String, name: &str, samples: u64, (before, row): (u64, usize)) {
        let (left, width) = (self.percent(before), self.percent(samples));
        let top = HEAD + ROW * self.rows.saturating_sub(row + 1);
        // Writing to a string cannot fail.
        let _ = writeln!(
            picture,
            "<svg x=\"{left:.3}%\" y=\"{top}\" width=\"{width:.3}%\" height=\"{}\"><title>{name}: {width:.1} %, \
             {}</title><rect width=\"100%\" height=\"100%\" rx=\"2\" fill=\"{}\"/><text x=\"3\" \
             y=\"12\">{name}</text></svg>",
            ROW - 1,
            print::count(samples, "sample"),
            colour(name),
            name = escaped(name),
        );
    }

    fn percent(&self, samples: u64) -> f64 {
        100.0 * samples as f64 / self.all as f64
    }
}

/// A warm colour, always the same for one name.
fn colour(name: &str) -> String {
    let hash = name.bytes().fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    format!("hsl({}, 85%, {}%)", 12 + hash % 40, 62 + (hash >> 8) % 14)
}

/// A text as a part of XML. Names have no control characters any more.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
