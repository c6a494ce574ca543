//! Databases: pools, migrations, scoped transactions.
//!
//! A domain writes its SQL once, with [`statements!`], and runs it on PostgreSQL and on SQLite:
//!
//! ```
//! # use weft_call::{Call, Result};
//! # use weft_store::Store;
//! weft_store::statements! {
//!     /// Renames a thing.
//!     RENAME = "UPDATE things SET name = $3 WHERE tenant_id = $1 AND id = $2";
//! }
//!
//! async fn rename(store: &Store, call: &Call, id: uuid::Uuid, name: &str) -> Result<bool> {
//!     // $1 is the tenant of the call: the store binds it, nobody can forget or forge it.
//!     store.write(call, async |tx| Ok(tx.run(&RENAME).bind(id).bind(name).execute().await? == 1)).await
//! }
//! ```
//!
//! What holds, on both databases:
//!
//! - [`Store::write`] is serializable and runs its closure again when a concurrent change won, so the
//!   closure is repeatable. It cannot call other domains ([`weft_call::transaction`]).
//! - The answer of a KEYED method is stored in the transaction that makes its change; a repeat gets it.
//! - A future that is dropped rolls back, and its connection comes back clean.
//! - A statement that fails ends its transaction: nothing commits after it, whatever the closure returns.
//! - The tenant stands in every statement. On PostgreSQL row-level security holds it a second time:
//!   the role that serves owns nothing, the tenant is set in the round trip that begins the
//!   transaction, and [`weft_call::Scope::System`] runs under a role of its own.
//!
//! PostgreSQL: one schema and three roles a domain, one pool a process. SQLite: a file a domain, one
//! writer, some readers.

mod audit;
pub mod backup;
pub mod check;
pub mod copy;
mod databases;
mod erase;
mod error;
pub mod etag;
mod fence;
mod idempotency;
mod measure;
mod migrate;
mod outbox;
mod page;
pub mod paging;
mod postgres;
pub mod replica;
#[cfg(feature = "sabotage")]
mod sabotage;
mod schema;
mod session;
mod sqlite;
mod statement;
mod store;
mod transaction;
mod value;
mod watch;

pub use databases::{Databases, Pooler, Settings, check_url};
pub use error::{Constraint, StoreError};
pub use page::{PageTokenError, PageTokens};
pub use replica::LogPosition;
pub use schema::{DomainSchema, Migrations, SchemaPart};
pub use sqlx::{self, types::Json};
pub use statement::{Authority, Statement};
pub use store::Store;
pub use transaction::{Read, Run, Tx};
pub use value::{Column, Record, Value};
pub use watch::{Dialect, Watch};
pub use weft_filter as filter;
