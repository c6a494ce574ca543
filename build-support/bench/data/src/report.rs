//! What was measured, as Markdown, printed as it comes.

use std::{fs, path::Path};

use crate::arguments::Arguments;

const BEGIN: &str = "<!-- data -->";
const END: &str = "<!-- /data -->";

/// The tables so far.
#[derive(Debug, Default)]
pub(crate) struct Report(String);

impl Report {
    pub(crate) fn line(&mut self, line: &str) {
        println!("{line}");
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Begins a table.
    pub(crate) fn table(&mut self, title: &str, text: &str, columns: &[&str]) {
        for line in ["", &format!("### {title}"), "", text, ""] {
            self.line(line);
        }
        self.row(columns);
        self.line(&format!("|{}", "---|".repeat(columns.len())));
    }

    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
        self.line(&format!("| {} |", cells.join(" | ")));
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
            "## Records and events\n\n`just bench-data` on {}, release profile, no target-cpu. PostgreSQL and SQLite write what they commit \
             to the disk. {} interleaved rounds of {} s a contender, medians; a ratio is the median of the rounds' ratios.\n",
            cpu.trim(),
            arguments.rounds,
            arguments.seconds,
        );
        Ok(fs::write(path, format!("{before}{BEGIN}\n{head}{}\n{END}{after}", self.0))?)
    }
}
