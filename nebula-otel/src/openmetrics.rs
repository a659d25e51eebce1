//! Reads the text format of OpenMetrics, in which Nebula shows its metrics.

use std::collections::HashMap;

/// One metric, with all its samples.
#[derive(Debug, PartialEq)]
pub struct Family<'a> {
    /// Its name, without the suffixes of samples.
    pub name: &'a str,
    /// `counter`, `gauge`, `histogram`, or another word of the format.
    pub kind: &'a str,
    /// What it is, in words.
    pub help: &'a str,
    /// Its unit: `seconds`. Empty if it has none.
    pub unit: &'a str,
    /// Its samples, in the order of the text.
    pub samples: Vec<Sample<'a>>,
}

/// One sample: `requests_total{path="/"} 7`.
#[derive(Debug, PartialEq)]
pub struct Sample<'a> {
    /// What its name has after that of the metric: `_total`.
    pub suffix: &'a str,
    /// The names and values of its labels.
    pub labels: Vec<(&'a str, String)>,
    /// The number, as it is written.
    pub value: &'a str,
}

/// The metrics of a text. What is not understood is left out.
pub fn read(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut indices = HashMap::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            describe(comment, &mut families, &mut indices);
        } else if let Some(family) = families.last_mut() {
            family.samples.extend(sample(line, family.name));
        }
    }
    families
}

/// Takes in `HELP name …`, `TYPE name …` or `UNIT name …`.
fn describe<'a>(comment: &'a str, families: &mut Vec<Family<'a>>, indices: &mut HashMap<&'a str, usize>) {
    let Some((what, rest)) = comment.split_once(' ') else { return };
    let (name, said) = rest.split_once(' ').unwrap_or((rest, ""));
    let index = *indices.entry(name).or_insert_with(|| {
        families.push(Family { name, kind: "unknown", help: "", unit: "", samples: Vec::new() });
        families.len() - 1
    });
    let Some(family) = families.get_mut(index) else { return };
    match what {
        "HELP" => family.help = said.trim_end_matches('.'),
        "TYPE" => family.kind = said,
        "UNIT" => family.unit = said,
        _ => {}
    }
}

fn sample<'a>(line: &'a str, family: &str) -> Option<Sample<'a>> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let suffix = name.strip_prefix(family)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.trim_start().split(' ').next()?;
    Some(Sample { suffix, labels, value })
}

/// The labels before `}`, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.trim_start_matches(',').split_once("=\"")?;
        let (value, after) = unquoted(quoted)?;
        labels.push((name, value));
        rest = after;
    }
}

/// The text before the closing quote, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return Some((value, text.get(index + 1..)?)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_read_with_their_labels_and_values() {
        let text = "# HELP a Calls, by \"path\".\n# TYPE a counter\na_total{path=\"/\",odd=\"\\\"a\\\\b\\n,}\"} 7\na_total 3\n\
                    # HELP b_seconds Time.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 1.5\n\
                    garbage{\n# EOF\n";
        let path = vec![("path", "/".to_owned()), ("odd", "\"a\\b\n,}".to_owned())];
        let samples = vec![
            Sample { suffix: "_total", labels: path, value: "7" },
            Sample { suffix: "_total", labels: Vec::new(), value: "3" },
        ];
        let time = vec![Sample { suffix: "", labels: Vec::new(), value: "1.5" }];
        let expected = [
            Family { name: "a", kind: "counter", help: "Calls, by \"path\"", unit: "", samples },
            Family { name: "b_seconds", kind: "gauge", help: "Time", unit: "seconds", samples: time },
        ];
        assert_eq!(read(text), expected);
    }
}
