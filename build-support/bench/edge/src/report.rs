//! What was measured, as Markdown.

use std::{fs, path::Path};

use crate::arguments::Arguments;

const BEGIN: &str = "<!-- edge -->";
const END: &str = "<!-- /edge -->";

/// The tables so far.
#[derive(Debug, Default)]
pub(crate) struct Report(String);

impl Report {
    pub(crate) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A row of a table; a figure that is none is left out.
    pub(crate) fn row(&mut self, name: &str, figures: impl IntoIterator<Item = (f64, usize)>) {
        let cells = figures.into_iter().map(
            |(figure, digits)| {
                if figure.is_finite() { format!(" {figure:.digits$} |") } else { " |".to_owned() }
            },
        );
        let cells: String = cells.collect();
        self.line(&format!("| {name} |{cells}"));
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Puts the report into a document: between its markers, or at the end if it has none.
    pub(crate) fn write_to(&self, path: &Path, arguments: &Arguments) -> anyhow::Result<()> {
        let old = fs::read_to_string(path)?;
        let (before, after) = match (old.split_once(BEGIN), old.split_once(END)) {
            (Some((before, _)), Some((_, after))) => (before.to_owned(), after.to_owned()),
            _ => (format!("{}\n\n", old.trim_end()), "\n".to_owned()),
        };
        let cpus = fs::read_to_string("/proc/cpuinfo")?;
        let cpu =
            cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map_or("unknown", |(_, name)| name);
        let head = format!(
            "## The edge\n\n`just bench-edge` on {}, release profile, no target-cpu. Proxies have one thread each and one processor \
             for themselves; the server behind and the load share the other. {} interleaved rounds of {} s, medians; a ratio is the \
             median of the rounds' ratios.\n",
            cpu.trim(),
            arguments.rounds,
            arguments.seconds,
        );
        Ok(fs::write(path, format!("{before}{BEGIN}\n{head}\n{}{END}{after}", self.0))?)
    }
}
