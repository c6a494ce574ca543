//! How long work on records takes, and what of the database a process has, for whoever reads metrics.

use std::time::Instant;

use weft_telemetry::{Again, Observed, RecordsMetrics, States, Work};

use crate::{Settings, databases::Kind};

/// Work that is counted when this is dropped: also where its call was cancelled.
pub(crate) struct Measured<'m> {
    metrics: Option<&'m RecordsMetrics>,
    work: Work,
    since: Instant,
}

impl<'m> Measured<'m> {
    pub(crate) fn begin(metrics: Option<&'m RecordsMetrics>, work: Work) -> Self {
        Self { metrics, work, since: Instant::now() }
    }

    /// Counts a transaction that is run again.
    pub(crate) fn again(&self, why: Again) {
        if let Some(metrics) = self.metrics {
            metrics.count_repeat(why);
        }
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.metrics {
            metrics.observe(self.work, self.since.elapsed());
        }
    }
}

/// The connections of a process to its database.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) kind: Kind,
    pub(crate) limit: u32,
}

impl Connections {
    pub(crate) fn new(kind: Kind, settings: &Settings) -> Self {
        // Files of SQLite have no limit in all.
        let limit = if matches!(kind, Kind::Postgres { .. }) { settings.max_connections } else { 0 };
        Self { kind, limit }
    }
}

impl Observed for Connections {
    fn observe(&self, states: &States) {
        let (all, idle) = match &self.kind {
            Kind::Postgres { pool, .. } => pool.connections(),
            Kind::Sqlite { files } => {
                // While a file is being opened there is no telling; the next reading will.
                let Ok(files) = files.try_lock() else { return };
                let pools = files.values().flat_map(|pools| [&pools.readers, &pools.writer]);
                pools.fold((0, 0), |(all, idle), pool| (all + pool.size(), idle + pool.num_idle()))
            }
        };
        let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(all);
        states.database(all - idle, idle, self.limit);
    }
}
