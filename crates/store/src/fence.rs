//! Fencing tokens: who was thought dead and wakes up late writes nothing.
//!
//! Problem: a process that hangs loses its lease, another goes on with the work, and then the first
//! wakes up inside it. Rule: with each change of hands the number of the work is raised
//! ([`Tx::raise_fence`]); a call that works under a lease carries the number that it got
//! ([`weft_call::Fence`]), and every write of such a call reads it in its own transaction and ends
//! where it is no longer the newest. Writes are serializable, so that a change of hands comes before or
//! after the whole of a write. Recovery: the late one stops; what it did before its lease was taken
//! over is what the next one finds.
//!
//! What a late one asks of other domains is not held by its number: such calls carry an idempotency key.

use weft_call::Fence;

use crate::{Read, StoreError, Tx};

crate::statements! {
    system RAISE_FENCE =
        "INSERT INTO weft_fence (work, token) VALUES ($1, 1) \
         ON CONFLICT (work) DO UPDATE SET token = weft_fence.token + 1 RETURNING token";
    system FORGET_FENCE = "DELETE FROM weft_fence WHERE work = $1";
    /// In whichever scope the work writes; the tenant plays no part.
    either FIND_FENCE =
        "SELECT f.token FROM weft_fence AS f, (SELECT CAST($1 AS UUID) AS tenant_id) AS t WHERE f.work = $2";
}

impl Tx {
    /// Begins a new holding of `work` and ends those before it. The call is in a system scope.
    pub async fn raise_fence(&self, work: &str) -> Result<Fence, StoreError> {
        let token = self.run(&RAISE_FENCE).bind(work).fetch_value().await?;
        Ok(Fence { work: work.into(), token })
    }

    /// Ends `work` for good: nobody holds it any more. The call is in a system scope.
    pub async fn forget_fence(&self, work: &str) -> Result<(), StoreError> {
        self.run(&FORGET_FENCE).bind(work).execute().await.map(drop)
    }
}

/// Refuses what works under a number that is no longer the newest.
pub(crate) async fn check(read: &Read, fence: &Fence) -> Result<(), StoreError> {
    #[cfg(feature = "sabotage")]
    if weft_sabotage::Sabotage::NoFences.is_on() {
        return Ok(());
    }
    let token: Option<i64> = read.run(&FIND_FENCE).bind(&*fence.work).fetch_optional_value().await?;
    if token == Some(fence.token) { Ok(()) } else { Err(StoreError::TakenOver { work: fence.work.to_string() }) }
}
