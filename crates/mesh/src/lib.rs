//! What a domain sees of the mesh, and the runtime that runs domains.
//!
//! A domain is a contract, a handler, migrations and jobs, put together as a [`Domain`]:
//!
//! ```text
//! pub fn domain() -> Domain {
//!     Domain::new::<OrdersContract>()
//!         .migrations(migrations!())
//!         .statements(store::STATEMENTS)
//!         .serve(|cx| Orders::new(cx.store(), cx.client::<CatalogClient>()))
//!         .on(Orders::payment_captured)
//!         .every("expire_unpaid", minutes(1), Orders::expire_unpaid)
//!         .at("close_books", Schedule::at("0 3 * * *"), Orders::close_books)
//!         .build()
//! }
//! ```
//!
//! [`Runtime`] starts any set of them in one process: each on its own port, behind mutual TLS, with
//! its own database. The same code runs in one process or in thirty.

mod admin;
mod context;
mod domain;
mod erase;
mod error;
mod event;
mod job;
mod runtime;

use std::time::Duration;

/// Files by key.
pub use weft_blob as blob;
pub use weft_call::{
    Call, CallBuilder, Clock, Code, Contract, Deadline, Deletion, Error, FieldViolation, HttpBody, IdempotencyKey, MeshReason,
    Permissions, Principal, Reason, Reply, Result, Scope, ServiceAccount, SoftDelete, Streaming, TenantId, TopicPattern, User,
};
/// Events: envelopes, logs, what is parked.
pub use weft_events as events;
pub use weft_jobs::{Missed, Schedule};
/// Changes over several domains, done or undone.
pub use weft_saga as saga;
/// Secrets at rest.
pub use weft_seal as seal;
/// Records of a domain: statements, scoped transactions, page tokens.
pub use weft_store as store;
pub use weft_store::migrations;

pub use admin::{AdminPort, Operator, Told};
pub use context::Context;
pub use domain::{Domain, DomainBuilder, ServedDomain};
pub use erase::{EraseFn, Subject};
pub use error::StartError;
pub use event::EventFn;
pub use job::JobFn;
pub use runtime::{
    Migrations, Running, Runtime, UnknownName, caller_rules, check_callers, check_config, database_settings, open_blobs,
    open_databases, subscriptions,
};

/// What generated code names; the root that `weft_codegen` is told for crates of this repository.
#[doc(hidden)]
pub use weft_call as call;

/// A span of seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A span of minutes.
pub const fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// A span of hours.
pub const fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}
