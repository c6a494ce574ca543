//! What the store forgets of a person, and how nothing of it stays in a file.

use sqlx::raw_sql;
use uuid::Uuid;

use crate::{Store, StoreError, Tx, store::Backend};

crate::statements! {
    FORGET_ANSWERS = "DELETE FROM weft_idempotency_answer WHERE tenant_id = $1 AND principal = $2";
    FORGET_KEYS = "DELETE FROM weft_idempotency_key WHERE tenant_id = $1 AND principal = $2";
    /// Audit records stay: they hold ids and digests, and are kept on purpose.
    FORGET_EVENTS = "DELETE FROM weft_outbox WHERE tenant_id = $1 AND event_key = $2 AND topic <> 'events.audit.recorded'";
}

impl Tx {
    /// Forgets the stored answers of a person and the events about them: those whose key is the person's id.
    pub async fn forget(&self, person: Uuid) -> Result<(), StoreError> {
        let principal = format!("user:{person}");
        self.run(&FORGET_ANSWERS).bind(&principal).execute().await?;
        self.run(&FORGET_KEYS).bind(&principal).execute().await?;
        self.forget_events(&person.to_string()).await
    }

    /// Forgets the events of one key that tell of a person, such as those of an order, sent or not.
    pub async fn forget_events(&self, key: &str) -> Result<(), StoreError> {
        self.run(&FORGET_EVENTS).bind(key).execute().await.map(drop)
    }
}

impl Store {
    /// Empties the write-ahead log of a SQLite file: what was deleted is overwritten in the file (`secure_delete`) and gone
    /// from beside it. PostgreSQL forgets by itself: a dump has what is there, and the pages go with `VACUUM`.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        let Backend::Sqlite(pools) = &self.inner().backend else { return Ok(()) };
        let emptied = raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pools.writer).await;
        emptied.map(drop).map_err(|source| StoreError::Statement { statement: "wal_checkpoint", source })
    }
}
