//! Resources whose deletion can be undone for a while (AIP-164).
//!
//! The contract says how long (`weft.mesh.v1.soft_delete`). Until then a deleted resource is out of sight of all but who lists with
//! `show_deleted`, and can be undeleted; then it is purged.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prost::Message;

/// A resource that is deleted softly: generated.
pub trait SoftDelete: Message + Default {
    /// How long a deleted one is kept.
    const KEEP: Duration;
}

/// When a resource was deleted, and when it is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// When it was deleted.
    pub delete_time: DateTime<Utc>,
    /// From when on it cannot be undeleted, and is purged.
    pub purge_time: DateTime<Utc>,
}

impl Deletion {
    /// The deletion of a resource now.
    pub fn of<R: SoftDelete>(now: DateTime<Utc>) -> Self {
        // Beyond the times that there are it is kept to the last of them.
        let purge_time = now.checked_add_signed(chrono::Duration::from_std(R::KEEP).unwrap_or(chrono::Duration::MAX));
        Self { delete_time: now, purge_time: purge_time.unwrap_or(DateTime::<Utc>::MAX_UTC) }
    }

    /// True if the resource is as good as purged, whether or not that was done yet.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.purge_time <= now
    }

    /// The deletion that two columns say, which are null together; `None` for a resource that is not deleted.
    pub fn from_columns(delete_time: Option<DateTime<Utc>>, purge_time: Option<DateTime<Utc>>) -> Option<Self> {
        let (delete_time, purge_time) = (delete_time?, purge_time?);
        Some(Self { delete_time, purge_time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Shelf {}

    impl SoftDelete for Shelf {
        const KEEP: Duration = Duration::from_hours(1);
    }

    #[test]
    fn a_deletion_is_over_when_the_contract_says() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let deletion = Deletion::of::<Shelf>(now);
        assert_eq!((deletion.purge_time - now).num_minutes(), 60);
        assert!(!deletion.is_over(now) && !deletion.is_over(deletion.purge_time - chrono::Duration::microseconds(1)));
        assert!(deletion.is_over(deletion.purge_time));
        assert_eq!(Deletion::of::<Shelf>(DateTime::<Utc>::MAX_UTC).purge_time, DateTime::<Utc>::MAX_UTC);
    }
}
