//! One process at a time does a work, and the database knows which.
//!
//! Problem: of several replicas one must relay and one must consume, and one that was thought dead may
//! wake up. Rule: who works holds a lease in the domain's database, and renews it; each change of
//! hands raises the fence, and what the work writes is written only under the current fence. Where events
//! do not leave the process, whoever relays them must also handle them: all its works hold one lease
//! together ([`Together`]), and each has a fence of its own.
//! Recovery: a lease that is not renewed is taken by another; who finds the fence raised stops.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_call::{Call, CallBuilder, Clock, Error, Principal, Result, Scope};
use weft_store::{Store, StoreError, Tx, statements};

/// How long a lease holds that is not renewed.
pub const LEASE: Duration = Duration::from_secs(10);

/// How often what waits is counted.
pub(crate) const MEASURE: Duration = Duration::from_secs(5);

/// The pause after something failed.
const PAUSE: Duration = Duration::from_millis(250);

statements! {
    system ADD_LEASE =
        "INSERT INTO weft_event_lease (name, holder, expires_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
    system ADD_FENCE = "INSERT INTO weft_event_fence (name, fence) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING";
    /// Unless another holds it.
    system TAKE_LEASE =
        "UPDATE weft_event_lease SET holder = $2, expires_at = $3 WHERE name = $1 AND (holder = $2 OR expires_at <= $4)";
    system RAISE_FENCE = "UPDATE weft_event_fence SET fence = fence + 1 WHERE name = $1 RETURNING fence";
    system KEEP_LEASE = "UPDATE weft_event_lease SET expires_at = $3 WHERE name = $1 AND holder = $2";
}

/// A work that one process at a time does for a domain.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) store: Store,
    /// `relay` or `consumer`.
    pub(crate) name: &'static str,
    pub(crate) clock: Clock,
    pub(crate) lease: Duration,
    /// With which it is done, if not by itself.
    pub(crate) together: Option<Together>,
}

/// Works that one process does, all of them or none: those that hand each other events which do not leave it.
#[derive(Clone, Debug)]
pub struct Together {
    store: Store,
    holder: Uuid,
}

impl Together {
    /// The works of this process. Their one lease is in this domain's database: in that of the same domain for every replica.
    pub fn new(store: Store) -> Self {
        Self { store, holder: Uuid::now_v7() }
    }
}

/// The name of the lease of works that are done together.
const TOGETHER: &str = "together";

/// Why a turn of work ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// Another process has taken over.
    #[error("another process has taken over")]
    TakenOver,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// The carrier failed.
    #[error(transparent)]
    Carrier(#[from] crate::CarrierError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

impl Work {
    /// A call on the work's own account.
    pub(crate) fn call(&self) -> Call {
        let mut parts = CallBuilder::new(self.clock.clone());
        parts.principal = Principal::Job { domain: self.store.domain(), name: self.name };
        parts.scope = Scope::System(self.name);
        parts.build()
    }

    /// Works whenever it is this process's turn, until `stop`. A turn gets the fence that it works under.
    pub(crate) async fn run<F>(&self, stop: &CancellationToken, turn: impl Fn(i64) -> F)
    where
        F: Future<Output = Ended>,
    {
        let holder = self.together.as_ref().map_or_else(Uuid::now_v7, |together| together.holder);
        loop {
            let turns = async {
                match self.take(holder).await {
                    Ok(Some(fence)) => {
                        let ended = tokio::select! {
                            ended = turn(fence) => ended,
                            ended = self.keep(holder) => ended,
                        };
                        self.report(&ended);
                        tokio::time::sleep(PAUSE).await;
                    }
                    Ok(None) => tokio::time::sleep(self.lease / 4).await,
                    Err(error) => {
                        self.report(&Ended::Store(error));
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = turns => {}
            }
        }
        // For the next process, which then need not wait. If it fails, that one waits.
        let _ = self.set_expiry(holder, self.clock.now()).await;
    }

    fn report(&self, ended: &Ended) {
        let (domain, work) = (self.store.domain(), self.name);
        let cause = std::error::Error::source(ended);
        match ended {
            Ended::TakenOver => tracing::info!(domain, work, "another process has taken over"),
            Ended::Store(_) | Ended::Carrier(_) => tracing::warn!(domain, work, error = %ended, ?cause, "events wait"),
        }
    }

    fn expiry(&self) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::MAX)
    }

    /// Takes the lease if it is free, and raises the fence.
    async fn take(&self, holder: Uuid) -> Result<Option<i64>> {
        let take = async |tx: Tx| Ok(if self.take_lease(&tx, holder).await? { Some(self.raise_fence(&tx).await?) } else { None });
        let Some(Together { store, .. }) = &self.together else { return self.store.transact(&self.call(), take).await };
        // All works of the process and of its replicas want this row at once: row locks let them take turns.
        if !store.queue(&self.call(), async |tx: Tx| Ok(self.take_lease(&tx, holder).await?)).await? {
            return Ok(None);
        }
        self.store.transact(&self.call(), async |tx: Tx| Ok(Some(self.raise_fence(&tx).await?))).await
    }

    fn lease_name(&self) -> &'static str {
        if self.together.is_some() { TOGETHER } else { self.name }
    }

    async fn take_lease(&self, tx: &Tx, holder: Uuid) -> Result<bool, StoreError> {
        let (name, now, expiry) = (self.lease_name(), self.clock.now(), self.expiry());
        let added = tx.run(&ADD_LEASE).bind(name).bind(holder).bind(expiry).execute().await?;
        Ok(added > 0 || tx.run(&TAKE_LEASE).bind(name).bind(holder).bind(expiry).bind(now).execute().await? > 0)
    }

    async fn raise_fence(&self, tx: &Tx) -> Result<i64, StoreError> {
        tx.run(&ADD_FENCE).bind(self.name).execute().await?;
        tx.run(&RAISE_FENCE).bind(self.name).fetch_value().await
    }

    /// Renews the lease until that fails.
    async fn keep(&self, holder: Uuid) -> Ended {
        loop {
            self.clock.sleep(self.lease / 3).await;
            match self.set_expiry(holder, self.expiry()).await {
                Ok(true) => {}
                Ok(false) => return Ended::TakenOver,
                Err(error) => return Ended::Store(error),
            }
        }
    }

    async fn set_expiry(&self, holder: Uuid, expiry: DateTime<Utc>) -> Result<bool> {
        let name = self.lease_name();
        let keep = async |tx: Tx| Ok(tx.run(&KEEP_LEASE).bind(name).bind(holder).bind(expiry).execute().await?);
        let kept = match &self.together {
            Some(Together { store, .. }) => store.queue(&self.call(), keep).await?,
            None => self.store.transact(&self.call(), keep).await?,
        };
        Ok(kept == 1)
    }
}
