//! Jobs: work at its time, by one process of several.
//!
//! # Problem
//!
//! A domain runs in several replicas, and each knows what is to be done every hour. All of them must
//! not do it, one of them must, and one that hangs in the middle of it must do no harm when it wakes up.
//!
//! # Rule
//!
//! - When a job is due stands in the domain's database. A replica that finds it due takes its lease and
//!   runs it; the next time is set when the run has ended.
//! - The lease is renewed while the run lasts. Each taking raises the job's fencing token, under which
//!   alone the run can write ([`weft_call::Fence`]).
//! - A run that fails is logged, and the next one comes in its turn.
//! - Missed runs: whatever the number of times that passed while no replica ran, or while a run took
//!   longer than its period, they are made up for by one run, at once ([`Missed::RunOnce`]); or they are
//!   left out and the job waits for its next time ([`Missed::Skip`]).
//!
//! # Recovery
//!
//! The lease of a replica that dies ends by itself, and another runs the job from its beginning. So a
//! run must leave its work in a state that the next can take up.

mod job;
mod lease;
mod schedule;

pub use job::{Job, Run};
pub use schedule::{Missed, Schedule, ScheduleError};
use weft_store::{SchemaPart, migrations};

/// What jobs keep in a domain's database, for [`weft_store::DomainSchema::part`].
pub fn schema_part() -> SchemaPart {
    SchemaPart::new("weft_jobs").migrations(migrations!()).statements(lease::STATEMENTS)
}
