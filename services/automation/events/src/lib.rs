//! Events of a tenant, to be followed as they happen.
//!
//! The domain handles every event of the mesh, by whatever carrier it comes: it records it, once, and gives it
//! a place. Whoever follows reads from there, so that a place means the same in every process and after
//! every restart. An event is seen by who holds the permission that its contract names; one that nobody may see is
//! not recorded. What tells of a person who asks to be forgotten is erased.

mod seen;
mod service;
mod store;
mod tail;

use weft_contracts_events::EventsContract;
use weft_mesh::{Domain, TopicPattern, migrations, minutes};

use crate::service::Events;

/// The events domain.
pub fn domain() -> Domain {
    Domain::new::<EventsContract>()
        .migrations(migrations!())
        .statements(store::STATEMENTS)
        .serve(|cx| Events::new(cx.store(), cx.contracts(), cx.config().events.retention))
        .on_all(TopicPattern::all(), Events::record)
        .every("expire_record", minutes(10), Events::expire)
        .erase(store::erase)
        .build()
}
