//! How far callers have written.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use weft_call::{BoxFuture, Call, Scope, TenantId};

/// A place in the primary's write-ahead log (`pg_lsn`), in bytes from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition(pub u64);

impl LogPosition {
    pub(crate) fn of_bigint(position: i64) -> Self {
        Self(position.unsigned_abs())
    }
}

/// As PostgreSQL writes it: `16/B374D848`.
impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// Whose writes are noted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// The domain that was written through.
    pub domain: &'static str,
    /// In which tenant.
    pub tenant: TenantId,
    /// On whose account, as [`weft_call::Principal`] is written. Those who are not known write and read as one.
    pub principal: String,
}

impl Writer {
    /// The writer of a call of a method; none where nobody can expect to read what it wrote from a replica.
    pub(crate) fn of(domain: &'static str, call: &Call) -> Option<Self> {
        match (call.method(), call.scope()) {
            (Some(_), Scope::Tenant(tenant)) => Some(Self { domain, tenant, principal: call.principal().to_string() }),
            _ => None,
        }
    }
}

/// What is noted of a writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Where the last write ended that is noted; `None` if none was for as long as notes are kept.
    pub own: Option<LogPosition>,
    /// Behind this every write is noted; `None` if notes may have been forgotten.
    pub base: Option<LogPosition>,
}

/// The notes cannot be read or written now.
#[derive(Debug, thiserror::Error)]
#[error("how far callers have written cannot be noted or told")]
pub struct NotesUnavailable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// How far callers have written, known to all processes that serve a domain. A note only ever rises.
pub trait WriteNotes: fmt::Debug + Send + Sync {
    /// What is noted: the writer's own first, then the base, so that what is forgotten in between shows.
    fn find<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Noted, NotesUnavailable>>;

    /// Notes a write for so long.
    fn note<'a>(&'a self, writer: &'a Writer, at: LogPosition, keep: Duration) -> BoxFuture<'a, Result<(), NotesUnavailable>>;

    /// Raises the base of a domain.
    fn raise_base<'a>(&'a self, domain: &'static str, to: LogPosition) -> BoxFuture<'a, Result<(), NotesUnavailable>>;
}

/// The furthest write of a domain that could not be noted.
#[derive(Debug, Default)]
pub(crate) struct Owed(AtomicU64);

impl Owed {
    pub(crate) fn add(&self, position: LogPosition) {
        self.0.fetch_max(position.0, Ordering::AcqRel);
    }

    /// Raises the base over what is owed; an error if it still is.
    pub(crate) async fn pay(&self, notes: &Arc<dyn WriteNotes>, domain: &'static str) -> Result<(), NotesUnavailable> {
        let owed = self.0.load(Ordering::Acquire);
        if owed > 0 {
            notes.raise_base(domain, LogPosition(owed)).await?;
            // Unless more is owed by now.
            let _ = self.0.compare_exchange(owed, 0, Ordering::AcqRel, Ordering::Acquire);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_postgresql_writes_it() {
        assert_eq!(LogPosition(0x16_B374_D848).to_string(), "16/B374D848");
        assert_eq!(LogPosition(0).to_string(), "0/0");
    }
}
