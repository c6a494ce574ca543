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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use uuid::Uuid;
    use weft_call::TenantId;

    use super::*;

    fn process() -> Notes<Redis> {
        Notes(Redis::new(&weft_test_redis::address().unwrap().into()).unwrap())
    }

    #[tokio::test]
    async fn what_one_process_notes_another_finds_under_the_same_writer_alone() {
        let (one, other, keep) = (process(), process(), Duration::from_mins(1));
        let ada = Writer { domain: "orders", tenant: TenantId(Uuid::now_v7()), principal: "user:ada".to_owned() };
        one.note(&ada, LogPosition(7), keep).await.unwrap();
        one.raise_base("orders", LogPosition(3)).await.unwrap();
        let noted = other.find(&ada).await.unwrap();
        assert_eq!(noted.own, Some(LogPosition(7)));
        assert!(noted.base >= Some(LogPosition(3)));
        for stranger in [
            Writer { principal: "user:grace".to_owned(), ..ada.clone() },
            Writer { tenant: TenantId(Uuid::now_v7()), ..ada.clone() },
            Writer { domain: "catalog", ..ada.clone() },
        ] {
            assert_eq!(other.find(&stranger).await.unwrap().own, None, "{stranger:?}");
        }
    }
}
