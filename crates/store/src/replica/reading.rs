//! Which reads go to the replica, and what is noted of writes.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use weft_call::Call;
use weft_telemetry::ReplicaRead;

use super::{ASK_LIMIT, LogPosition, Noted, Replica, Writer, written};
use crate::{
    session::Session,
    store::{Backend, Inner},
};

/// A read that a replica may answer.
pub(crate) struct Reading<'a> {
    inner: &'a Arc<Inner>,
    replica: &'a Replica,
    call: &'a Call,
    writer: Writer,
}

impl<'a> Reading<'a> {
    /// The read of a call; `None` if the primary alone may answer it.
    pub(crate) fn of(inner: &'a Arc<Inner>, call: &'a Call) -> Option<Self> {
        let replica = inner.replica()?;
        call.method().filter(|method| method.replica)?;
        // What goes wrong with it, the primary says.
        if weft_call::transaction::is_held() {
            return None;
        }
        Some(Self { inner, replica, call, writer: Writer::of(inner.domain, call)? })
    }

    /// Begins on the replica if it knows what the caller may expect.
    pub(crate) async fn begin(&self, limit: Duration) -> Option<Session> {
        let begin = async {
            let position = self.position().await?;
            self.inner.begin_on_replica(self.call.scope(), position, limit).await
        };
        let remaining = self.call.deadline().map_or(limit, weft_call::Deadline::remaining);
        match timeout(remaining, begin).await {
            Ok(Ok(session)) => Some(session),
            Ok(Err(who)) => {
                self.replica.settings.metrics.count_replica_read(self.inner.domain, who);
                None
            }
            Err(_) => None,
        }
    }

    /// Counts it, whether the replica answered or gave up.
    pub(crate) fn count(&self, is_answered: bool) {
        let who = if is_answered { ReplicaRead::Replica } else { ReplicaRead::Down };
        self.replica.settings.metrics.count_replica_read(self.inner.domain, who);
    }

    /// How far the replica must be.
    async fn position(&self) -> Result<LogPosition, ReplicaRead> {
        let least = self.replica.least().ok_or(ReplicaRead::Down)?;
        let (notes, domain) = (&self.replica.settings.notes, self.inner.domain);
        let unknown = |error| {
            tracing::debug!(domain, %error, "the primary answers a read");
            ReplicaRead::Unknown
        };
        self.inner.owed.pay(notes, domain).await.map_err(unknown)?;
        let Noted { own, base } = notes.find(&self.writer).await.map_err(unknown)?;
        let Some(base) = base else {
            self.set_base().await;
            return Err(ReplicaRead::Unknown);
        };
        Ok(least.max(base).max(own.unwrap_or_default()))
    }

    /// Sets the base behind all that may have been forgotten.
    async fn set_base(&self) {
        let Backend::Postgres { pool, .. } = &self.inner.backend else { return };
        if let Ok(position) = written(pool).await
            && let Err(error) = self.replica.settings.notes.raise_base(self.inner.domain, position).await
        {
            tracing::debug!(domain = self.inner.domain, %error, "where notes of writes begin is not known yet");
        }
    }
}

/// Notes where a caller's write ended, before the caller has its answer.
pub(crate) async fn note(inner: &Inner, writer: &Writer, position: LogPosition) {
    let Some(replica) = inner.replica() else { return };
    let settings = &replica.settings;
    // Longer than a replica may be behind: once it is forgotten, no replica may be read from that lacks it.
    let noted = timeout(ASK_LIMIT, settings.notes.note(writer, position, settings.max_lag * 2));
    if !matches!(noted.await, Ok(Ok(()))) {
        inner.owed.add(position);
        tracing::warn!(domain = inner.domain, "a write could not be noted: other processes may read from a replica without it");
    }
}

/// The same for a call whose answer is repeated: whoever gave it first may have ended before it noted the write.
pub(crate) async fn note_repeat(inner: &Inner, call: &Call) {
    let (Some(_), Some(writer)) = (inner.replica(), Writer::of(inner.domain, call)) else { return };
    let Backend::Postgres { pool, .. } = &inner.backend else { return };
    match written(pool).await {
        Ok(position) => note(inner, &writer, position).await,
        Err(error) => tracing::warn!(domain = inner.domain, %error, "a repeated write could not be noted"),
    }
}
