//! How far a consumer has come in what a carrier keeps.
//!
//! Problem: a log that is kept by the carrier is read by place, and the place must not be forgotten with
//! the process, nor set back by one that was thought dead. Rule: it stands in the consumer's own database,
//! and is written under the consumer's fence, after the effects of what it passes. Recovery: what was handled
//! and not yet passed is read again, and recognised.

use weft_call::Error;
use weft_store::{Read, Tx, statements};

use crate::{CarrierError, lease::Work};

statements! {
    system GET_POSITION = "SELECT position FROM weft_event_position WHERE log = $1";
    /// Nothing is written under an old fence.
    system SET_POSITION =
        "INSERT INTO weft_event_position (log, position) \
         SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT) FROM weft_event_fence WHERE name = $3 AND fence = $4 \
         ON CONFLICT (log) DO UPDATE SET position = excluded.position";
}

/// How far a consumer has come in each log that a carrier keeps.
#[derive(Clone, Debug)]
pub struct Positions {
    work: Work,
    fence: i64,
}

impl Positions {
    pub(crate) fn new(work: Work, fence: i64) -> Self {
        Self { work, fence }
    }

    /// The place that was passed last, none if there is none.
    pub async fn get(&self, log: &str) -> Result<Option<i64>, CarrierError> {
        let get = async |read: Read| Ok(read.run(&GET_POSITION).bind(log).fetch_optional_value().await?);
        self.work.store.read(&self.work.call(), get).await.map_err(CarrierError::Positions)
    }

    /// Remembers places that are passed, all of them or none.
    pub async fn set(&self, passed: &[(&str, i64)]) -> Result<(), CarrierError> {
        let set = async |tx: Tx| {
            for (log, position) in passed {
                let run = tx.run(&SET_POSITION).bind(*log).bind(*position).bind(self.work.name).bind(self.fence);
                if run.execute().await? == 0 {
                    return Ok(false);
                }
            }
            Ok::<_, Error>(true)
        };
        match self.work.store.queue(&self.work.call(), set).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(CarrierError::TakenOver),
            Err(error) => Err(CarrierError::Positions(error)),
        }
    }
}
