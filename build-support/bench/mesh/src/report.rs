//! What was measured, as Markdown.

use std::{fs, path::Path};

const BEGIN: &str = "<!-- mesh -->";
const END: &str = "<!-- /mesh -->";

/// The tables so far.
#[derive(Debug, Default)]
pub(crate) struct Report(String);

impl Report {
    pub(crate) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Puts the report into a document: between its markers, or at the end if it has none.
    pub(crate) fn write_to(&self, path: &Path, rounds: usize, seconds: f64) -> anyhow::Result<()> {
        let old = fs::read_to_string(path)?;
        let (before, after) = match (old.split_once(BEGIN), old.split_once(END)) {
            (Some((before, _)), Some((_, after))) => (before.to_owned(), after.to_owned()),
            _ => (format!("{}\n\n", old.trim_end()), "\n".to_owned()),
        };
        let cpus = fs::read_to_string("/proc/cpuinfo")?;
        let cpu =
            cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map_or("unknown", |(_, name)| name);
        let head = format!(
            "## The mesh\n\n`just bench-mesh` on {}, release profile, no target-cpu. Every process has one thread; clients are on one \
             processor, servers on another. {rounds} interleaved rounds of {seconds} s, medians; a ratio is the median of the rounds' \
             ratios where both ran in turn.\n",
            cpu.trim(),
        );
        Ok(fs::write(path, format!("{before}{BEGIN}\n{head}\n{}{END}{after}", self.0))?)
    }
}
