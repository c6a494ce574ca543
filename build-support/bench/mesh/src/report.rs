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
        let undisturbed = if is_realtime()? {
            " They have real-time priority: what else the machine does delays none of them."
        } else {
            " They share the processors with whatever else the machine does."
        };
        let head = format!(
            "## The mesh\n\n`just bench-mesh` on {}, release profile, no target-cpu. Every process has one thread; clients are on one \
             processor, servers on another.{undisturbed} {rounds} interleaved rounds of {seconds} s, medians; a ratio is the median of the rounds' \
             ratios where both ran in turn.\n",
            cpu.trim(),
        );
        Ok(fs::write(path, format!("{before}{BEGIN}\n{head}\n{}{END}{after}", self.0))?)
    }
}

/// Whether this process, and so those that it starts, go before what is not urgent: SCHED_FIFO or SCHED_RR, see
/// `sched(7)` and `proc_pid_stat(5)`.
fn is_realtime() -> anyhow::Result<bool> {
    const POLICY: usize = 41;
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name, in brackets, with whatever it holds.
    let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
    Ok(matches!(fields.split(' ').nth(POLICY - 3), Some("1" | "2")))
}
