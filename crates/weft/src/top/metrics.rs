//! What a process told at one moment: the samples of its OpenMetrics text, version 1.0.
//!
//! Only what the table is made of is read: names, labels and values of sample lines. Comments, timestamps and exemplars
//! are passed over, and so is a line that is none of these: other versions of weft may tell more.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

/// What a value belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
}

impl Series {
    /// The label's value, empty if it has none: OpenMetrics takes both for the same.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// All samples of one moment.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) samples: HashMap<Series, f64>,
}

impl Reading {
    /// What `text` tells, read at `at`.
    pub(super) fn parse(text: &str, at: Instant) -> Self {
        Self { at, samples: text.lines().filter_map(sample).collect() }
    }

    /// The samples of that name.
    pub(super) fn of(&self, name: &'static str) -> impl Iterator<Item = (&Series, f64)> {
        self.samples.iter().filter(move |(series, _)| series.name == name).map(|(series, value)| (series, *value))
    }
}

/// The sample of a line, if it is one.
fn sample(line: &str) -> Option<(Series, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with('#') {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((Series { name: name.to_owned(), labels }, value))
}

/// The labels before a closing brace, and what stands behind it.
fn labels(mut text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = text.split_once("=\"")?;
        let (value, rest) = unquoted(quoted)?;
        labels.insert(name.to_owned(), value);
        text = rest;
    }
}

/// A value up to its closing quote, and what stands behind that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            character => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# TYPE weft_calls counter\nweft_calls_total{side=\"edge\",code=\"OK\"} 17 1.5 # {trace_id=\"a\"} 1\n\
                    weft_config_generation 2\nodd{a=\"x \\\"y\\\" \\\\ }\"} +Inf\n# EOF\n";
        let reading = Reading::parse(text, Instant::now());
        assert_eq!(reading.samples.len(), 3);
        let (series, value) = reading.of("weft_calls_total").next().unwrap();
        assert_eq!((series.label("side"), series.label("code"), series.label("none"), value), ("edge", "OK", "", 17.0));
        let (series, value) = reading.of("odd").next().unwrap();
        assert_eq!((series.label("a"), value), ("x \"y\" \\ }", f64::INFINITY));
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for line in ["", "{", "name", "name{", "name{a=\"b\"", "name{a} 1", "name word", "name{a=\"b\\", "# HELP x y"] {
            assert_eq!(sample(line), None, "{line}");
        }
    }
}
