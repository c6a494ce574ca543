//! How far the record has come, for all who follow it in this process.
//!
//! Rule: while anybody waits, one of them looks now and then and tells the others: a thousand followers ask the
//! database no more often than one.

use std::time::Duration;

use tokio::sync::{Mutex, watch};
use weft_mesh::{Call, CallBuilder, Clock, Principal, Result, Scope, store::Store};

use crate::store;

/// How often somebody looks.
const PAUSE: Duration = Duration::from_millis(100);

/// How far the record has come.
#[derive(Debug)]
pub(crate) struct Tail {
    store: Store,
    last: watch::Sender<i64>,
    looking: Mutex<()>,
}

impl Tail {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, last: watch::Sender::new(0), looking: Mutex::new(()) }
    }

    /// A call on the domain's own account.
    fn call(&self, clock: Clock) -> Call {
        let mut parts = CallBuilder::new(clock);
        parts.principal = Principal::Job { domain: self.store.domain(), name: "settle" };
        parts.scope = Scope::System("places are given in the order of all tenants");
        parts.build()
    }

    /// The last place at this moment.
    pub(crate) async fn look(&self, clock: &Clock) -> Result<i64> {
        let last = store::settle(&self.store, &self.call(clock.clone())).await?;
        self.last.send_if_modified(|known| {
            let is_new = *known < last;
            *known = last.max(*known);
            is_new
        });
        Ok(last)
    }

    /// Waits until there is something behind a place.
    pub(crate) async fn wait_beyond(&self, place: i64, clock: &Clock) -> Result<()> {
        let mut last = self.last.subscribe();
        let look = async {
            let _looking = self.looking.lock().await;
            while *self.last.borrow() <= place && self.look(clock).await? <= place {
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        };
        tokio::select! {
            looked = look => looked,
            _ = last.wait_for(|last| *last > place) => Ok(()),
        }
    }
}
