//! Events, written in the transaction that caused them.
//!
//! Problem: an event that is sent before the commit tells of what may never be, and one that is sent
//! after it is lost with the process. Rule: [`Tx::publish`] writes the event into the domain's own
//! database, so that both are there or neither; a relay (`weft-events`) sends what is committed.
//! Recovery: what is not sent yet still stands there.
//!
//! The number of its transaction is written with each event: the order in which transactions write is
//! not that in which they commit, and only the numbers tell which may still be open.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use uuid::Uuid;
use weft_call::{Event, Scope, TenantId};

use crate::{Store, StoreError, Tx};

/// Largest encoded event, in bytes: every carrier takes this much.
const SIZE_LIMIT: usize = 512 * 1024;
/// Longest key, in bytes.
const KEY_LIMIT: usize = 255;
/// Events that one transaction may publish.
const COUNT_LIMIT: u32 = 1000;

macro_rules! declare {
    ($postgres:literal, $sqlite:literal) => {
        crate::statements! {
            /// Of the call's own tenant.
            PUBLISH = postgres $postgres sqlite $sqlite;
            /// Of a tenant that is bound by hand.
            system PUBLISH_FOR = postgres $postgres sqlite $sqlite;
        }
    };
}

declare!(
    "INSERT INTO weft_outbox (tenant_id, id, topic, event_key, message, data, created_at, request_id, causation_id, \
     traceparent, tracestate, ordinal, transaction_id) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT))",
    "INSERT INTO weft_outbox (tenant_id, id, topic, event_key, message, data, created_at, request_id, causation_id, \
     traceparent, tracestate, ordinal, transaction_id) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
     (SELECT COALESCE(MAX(transaction_id), 0) + 1 FROM weft_outbox WHERE position IS NULL))"
);

impl Tx {
    /// Publishes an event for the call's tenant: it leaves with the commit, or not at all.
    pub async fn publish<E: Event>(&self, event: &E) -> Result<(), StoreError> {
        match self.scope() {
            Scope::Tenant(tenant) => self.publish_for(tenant, event).await,
            Scope::System(_) | Scope::Nothing => Err(StoreError::TenantMissing),
        }
    }

    /// Publishes an event for a tenant: the call's own, or any if the call is in a system scope.
    pub async fn publish_for<E: Event>(&self, tenant: TenantId, event: &E) -> Result<(), StoreError> {
        if E::EVENT.domain != self.domain() {
            return Err(StoreError::EventForeign { topic: E::EVENT.topic, domain: E::EVENT.domain });
        }
        self.put_event(tenant, event).await
    }

    /// The same for what the mesh itself publishes in every domain.
    pub(crate) async fn put_event<E: Event>(&self, tenant: TenantId, event: &E) -> Result<(), StoreError> {
        let (topic, key, data) = (E::EVENT.topic, event.key(), event.encode_to_vec());
        if key.is_empty() || key.len() > KEY_LIMIT || key.contains('\0') {
            return Err(StoreError::EventKeyInvalid { topic });
        }
        if data.len() > SIZE_LIMIT {
            return Err(StoreError::EventTooLarge { topic, size: data.len() });
        }
        let ordinal = self.count_event().filter(|ordinal| *ordinal < COUNT_LIMIT).ok_or(StoreError::TooManyEvents)?;
        let run = match self.scope() {
            Scope::System(_) => self.run(&PUBLISH_FOR).bind(tenant.0),
            Scope::Tenant(own) if own == tenant => self.run(&PUBLISH),
            Scope::Tenant(_) | Scope::Nothing => return Err(StoreError::TenantMissing),
        };
        let call = self.call();
        let run = run.bind(event_id(call.now())).bind(topic).bind(key).bind(E::EVENT.message).bind(data).bind(call.now());
        let run = run.bind(call.request_id().as_str()).bind(call.causation()).bind(call.trace().traceparent());
        run.bind(&*call.trace().state).bind(i64::from(ordinal)).execute().await.map(drop)
    }
}

impl Store {
    /// Told whenever this process has committed an event.
    pub fn published(&self) -> Arc<Notify> {
        Arc::clone(&self.inner().published)
    }
}

/// UUIDv7 of the call's time, so that ids grow with it.
fn event_id(now: DateTime<Utc>) -> Uuid {
    let (seconds, nanos) = (now.timestamp().unsigned_abs(), now.timestamp_subsec_nanos());
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}
