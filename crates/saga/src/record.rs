//! Sagas as they stand in the database.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use tokio::sync::Notify;
use uuid::Uuid;
use weft_call::{Call, Error, Result, TenantId};
use weft_store::{Read, Store, StoreError, Tx, statements};

/// Largest value, in bytes of JSON.
const DATA_LIMIT: usize = 64 * 1024;
/// Sagas that are listed at once.
const LIST_LIMIT: i64 = 1000;

statements! {
    INSERT_SAGA =
        "INSERT INTO weft_saga (tenant_id, id, name, state, position, data, attempts, error, on_behalf_of, request_id, due_at, \
         leased_until, create_time, update_time) VALUES ($1, $2, $3, 'running', 0, $4, 0, '', $5, $6, $7, $8, $7, $7)";
    GET_SAGA =
        "SELECT tenant_id, id, name, state, position, data, attempts, error, on_behalf_of, request_id, due_at, create_time, \
         update_time FROM weft_saga WHERE tenant_id = $1 AND id = $2";
    system FIND_SAGA =
        "SELECT tenant_id, id, name, state, position, data, attempts, error, on_behalf_of, request_id, due_at, create_time, \
         update_time FROM weft_saga WHERE id = $1";
    /// The newest first; `$1` the state or nothing.
    system LIST_SAGAS =
        "SELECT tenant_id, id, name, state, position, data, attempts, error, on_behalf_of, request_id, due_at, create_time, \
         update_time FROM weft_saga WHERE $1 = '' OR state = $1 ORDER BY create_time DESC, id DESC LIMIT $2";
    system FREE_SAGA =
        "UPDATE weft_saga SET state = 'undoing', attempts = 0, due_at = $2, update_time = $2 WHERE id = $1 AND state = 'stuck'";
    system EXPIRE_SAGAS = "DELETE FROM weft_saga WHERE (state = 'done' OR state = 'undone') AND update_time < $1";
}

/// Where a saga stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its steps are being done.
    Running,
    /// A step was refused: what was done is being undone.
    Undoing,
    /// All of it is done.
    Done,
    /// All of it is undone.
    Undone,
    /// Something cannot be undone: somebody must look at it.
    Stuck,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Running, Self::Undoing, Self::Done, Self::Undone, Self::Stuck];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Done => "done",
            Self::Undone => "undone",
            Self::Stuck => "stuck",
        }
    }

    /// The state with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Why a saga cannot be begun or read.
#[derive(Debug, thiserror::Error)]
pub enum SagaError {
    /// The value is no JSON.
    #[error("the value of the saga {name} cannot be written as JSON")]
    Data {
        /// Which saga.
        name: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The value is too large.
    #[error("the value of a saga is at most 64 KiB of JSON")]
    TooLarge,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SagaError> for Error {
    fn from(error: SagaError) -> Self {
        match error {
            SagaError::Store(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

/// A saga, as it stands in the database.
#[derive(Clone, FromRow)]
pub struct Saga {
    /// Whose records it changes.
    pub tenant_id: Uuid,
    /// Which.
    pub id: Uuid,
    /// Its definition.
    pub name: String,
    state: String,
    /// How many of its steps are done; while it is undone, how many are still to be undone.
    pub position: i64,
    pub(crate) data: String,
    /// Attempts of the step that it is at.
    pub attempts: i64,
    /// What became of the last attempt that failed; empty if none has.
    pub error: String,
    /// For whom it acts.
    pub on_behalf_of: String,
    /// The request id of the call that began it.
    pub request_id: String,
    /// When it is looked at again.
    pub due_at: DateTime<Utc>,
    /// When it was begun.
    pub create_time: DateTime<Utc>,
    /// When it last changed.
    pub update_time: DateTime<Utc>,
}

impl Saga {
    /// Where it stands; stuck if the database names no state.
    pub fn state(&self) -> State {
        State::parse(&self.state).unwrap_or(State::Stuck)
    }

    /// The tenant whose records it changes.
    pub fn tenant(&self) -> TenantId {
        TenantId(self.tenant_id)
    }

    pub(crate) fn set_state(&mut self, state: State) {
        state.as_str().clone_into(&mut self.state);
    }
}

/// Its value may hold what the contract calls sensitive: it is not printed.
impl fmt::Debug for Saga {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printed = f.debug_struct("Saga");
        printed.field("id", &self.id).field("name", &self.name).field("state", &self.state);
        printed.field("position", &self.position).field("attempts", &self.attempts).field("error", &self.error);
        printed.finish_non_exhaustive()
    }
}

/// The sagas of a domain. Cloning it gives another handle.
#[derive(Clone, Debug)]
pub struct Sagas {
    store: Store,
    pub(crate) begun: Arc<Notify>,
}

impl Sagas {
    /// Of the domain whose store it is.
    pub fn new(store: Store) -> Self {
        Self { store, begun: Arc::default() }
    }

    /// Writes a saga in the transaction that decides on it; returns its id. It runs once that is committed.
    pub async fn begin<D: Serialize + Sync>(&self, tx: &Tx, name: &'static str, data: &D) -> Result<Uuid, SagaError> {
        let data = serde_json::to_string(data).map_err(|source| SagaError::Data { name, source })?;
        if data.len() > DATA_LIMIT {
            return Err(SagaError::TooLarge);
        }
        let (id, call) = (Uuid::now_v7(), tx.call());
        let for_whom = call.on_behalf_of().map_or_else(|| call.principal().to_string(), str::to_owned);
        let insert = tx.run(&INSERT_SAGA).bind(id).bind(name).bind(data).bind(for_whom).bind(call.request_id().as_str());
        insert.bind(call.now()).bind(DateTime::UNIX_EPOCH).execute().await?;
        // Before the commit: whoever looks too early looks again soon.
        self.begun.notify_one();
        Ok(id)
    }

    /// A saga of the call's tenant.
    pub async fn get(&self, call: &Call, id: Uuid) -> Result<Option<Saga>> {
        self.store.read(call, async |read: Read| Ok(read.run(&GET_SAGA).bind(id).fetch_optional().await?)).await
    }

    /// A saga of whichever tenant. The call is in a system scope, as for the next.
    pub async fn find(&self, call: &Call, id: Uuid) -> Result<Option<Saga>> {
        self.store.read(call, async |read: Read| Ok(read.run(&FIND_SAGA).bind(id).fetch_optional().await?)).await
    }

    /// Sagas, the newest first: all, or those in one state.
    pub async fn list(&self, call: &Call, state: Option<State>, limit: i64) -> Result<Vec<Saga>> {
        let (state, limit) = (state.map_or("", State::as_str), limit.clamp(1, LIST_LIMIT));
        self.store.read(call, async |read: Read| Ok(read.run(&LIST_SAGAS).bind(state).bind(limit).fetch_all().await?)).await
    }

    /// Has a saga that is stuck undone again; false if it is not stuck.
    pub async fn retry(&self, call: &Call, id: Uuid) -> Result<bool> {
        let now = call.now();
        let free = async |tx: Tx| Ok(tx.run(&FREE_SAGA).bind(id).bind(now).execute().await? == 1);
        self.store.transact(call, free).await
    }

    /// Forgets those that ended before a time.
    pub async fn expire(&self, call: &Call, before: DateTime<Utc>) -> Result<u64> {
        self.store.transact(call, async |tx: Tx| Ok(tx.run(&EXPIRE_SAGAS).bind(before).execute().await?)).await
    }
}
