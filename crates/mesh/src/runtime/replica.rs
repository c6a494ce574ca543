//! The replica of the database, and the notes of who wrote what, which all processes keep in Redis.

use std::{fmt, sync::Arc, time::Duration};

use weft_cache::{CacheError, CounterScope, MarkKey, Marks, Redis};
use weft_call::BoxFuture;
use weft_config::Config;
use weft_store::{
    LogPosition,
    replica::{Noted, NotesUnavailable, ReplicaSettings, WriteNotes, Writer},
};
use weft_telemetry::Metrics;

use crate::StartError;

/// How long the base of a domain's notes is kept; then it is set anew, which costs a read of the primary.
const BASE_LIFE: Duration = Duration::from_hours(24);

/// What the configuration says of a replica, if it names one.
pub(super) fn settings(config: &Config, metrics: &Metrics) -> Result<Option<ReplicaSettings>, StartError> {
    let Some(url) = &config.database.replica_url else { return Ok(None) };
    let redis = config.redis.url.as_ref().ok_or(StartError::ReplicaWithoutRedis)?;
    let notes = Notes(Redis::trusted_by(redis, config.redis.ca.as_deref()).map_err(StartError::Redis)?);
    Ok(Some(ReplicaSettings {
        url: url.clone(),
        max_connections: config.database.replica_connections.get(),
        max_lag: config.database.replica_max_lag,
        notes: Arc::new(notes),
        metrics: metrics.clone(),
    }))
}

/// Notes of writes as marks.
struct Notes<M>(M);

impl<M> fmt::Debug for Notes<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").finish_non_exhaustive()
    }
}

fn name(domain: &str) -> String {
    format!("{domain}.written")
}

fn own(writer: &Writer) -> Result<MarkKey, CacheError> {
    MarkKey::new(&name(writer.domain), CounterScope::Tenant(writer.tenant), &writer.principal)
}

fn base(domain: &str) -> Result<MarkKey, CacheError> {
    MarkKey::new(&name(domain), CounterScope::Mesh, "base")
}

fn unavailable(error: CacheError) -> NotesUnavailable {
    NotesUnavailable(error.into())
}

impl<M: Marks> WriteNotes for Notes<M> {
    fn find<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Noted, NotesUnavailable>> {
        Box::pin(async move {
            let (own, base) = (own(writer).map_err(unavailable)?, base(writer.domain).map_err(unavailable)?);
            let (own, base) = self.0.pair(&own, &base).await.map_err(unavailable)?;
            Ok(Noted { own: own.map(LogPosition), base: base.map(LogPosition) })
        })
    }

    fn note<'a>(&'a self, writer: &'a Writer, at: LogPosition, keep: Duration) -> BoxFuture<'a, Result<(), NotesUnavailable>> {
        Box::pin(async move {
            let key = own(writer).map_err(unavailable)?;
            self.0.raise(&key, at.0, keep).await.map_err(unavailable)
        })
    }

    fn raise_base<'a>(&'a self, domain: &'static str, to: LogPosition) -> BoxFuture<'a, Result<(), NotesUnavailable>> {
        Box::pin(async move {
            let key = base(domain).map_err(unavailable)?;
            self.0.raise(&key, to.0, BASE_LIFE).await.map_err(unavailable)
        })
    }
}
