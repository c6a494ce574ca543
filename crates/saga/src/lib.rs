//! Sagas: a change over several domains, done or undone.
//!
//! # Problem
//!
//! An order reserves stock in one domain and captures a payment in another. No transaction spans both,
//! and whoever conducts the change may die between any two of its steps, or within one.
//!
//! # Rule
//!
//! - A [`Definition`] is a list of named steps over one value, which is kept as JSON. Each step does
//!   something, and says how it is undone, if it has to be.
//! - [`Sagas::begin`] writes a saga in the transaction that decides on it: both are there or neither.
//! - A step is run under a lease, on the account of a job ([`weft_call::Principal::Job`]), for the
//!   tenant, with the fence of the saga. Its call carries an idempotency key that is made of saga and
//!   step and never changes, so that what a repeated step asks of other domains has one effect.
//! - What a step came to is written before the next one begins. A step that fails for a passing reason
//!   is tried again, ever more seldom. One that is refused turns the saga around: the steps that
//!   were done, and the one that failed, which may have been done in part, are undone, the last first.
//! - What cannot be undone for good is stuck, with its error, until somebody says
//!   [`Sagas::retry`]; nothing is ever given up silently.
//!
//! # Recovery
//!
//! After a crash the lease ends by itself, and any replica goes on with the step that was under way. It
//! may have had its effects: therefore the key.

mod conductor;
mod definition;
mod record;

pub use conductor::Conductor;
pub use definition::{Definition, StepFn};
pub use record::{Saga, SagaError, Sagas, State};
use weft_store::{SchemaPart, migrations};

/// What sagas keep in a domain's database, for [`weft_store::DomainSchema::part`].
pub fn schema_part() -> SchemaPart {
    SchemaPart::new("weft_saga").migrations(migrations!()).statements(record::STATEMENTS).statements(conductor::STATEMENTS)
}
