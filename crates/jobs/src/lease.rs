//! Whose turn it is: the row of a job, and what is done to it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use weft_call::{Call, CallBuilder, Clock, Error, Fence, Principal, Result, Scope};
use weft_store::{Read, Store, Tx, statements};

use crate::Schedule;

statements! {
    /// Reckons anew where the schedule has changed.
    system ADD_JOB =
        "INSERT INTO weft_job (name, schedule, due_at, leased_until, run_id) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO UPDATE SET schedule = excluded.schedule, due_at = excluded.due_at \
         WHERE weft_job.schedule <> excluded.schedule";
    system FIND_JOB = "SELECT due_at, leased_until FROM weft_job WHERE name = $1";
    system SET_LEASE = "UPDATE weft_job SET leased_until = $2, run_id = $3 WHERE name = $1";
    system KEEP_LEASE = "UPDATE weft_job SET leased_until = $2 WHERE name = $1 AND run_id = $3";
    system END_RUN = "UPDATE weft_job SET leased_until = $2, due_at = $4 WHERE name = $1 AND run_id = $3";
}

/// The turns of one job.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    pub(crate) store: Store,
    pub(crate) name: &'static str,
    pub(crate) schedule: Schedule,
    pub(crate) clock: Clock,
    pub(crate) lease: Duration,
}

/// The turn of this process.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    run: Uuid,
    pub(crate) fence: Fence,
    due: DateTime<Utc>,
}

/// What looking for a turn came to.
pub(crate) enum Look {
    /// It is this process's turn.
    Taken(Turn),
    /// Nothing is to be done for so long.
    Wait(Duration),
}

impl Turns {
    /// A call on the job's account.
    pub(crate) fn call(&self) -> CallBuilder {
        let mut parts = CallBuilder::new(self.clock.clone());
        parts.principal = Principal::Job { domain: self.store.domain(), name: self.name };
        parts.scope = Scope::System(self.name);
        parts
    }

    fn own_call(&self) -> Call {
        self.call().build()
    }

    fn work(&self) -> String {
        format!("job/{}", self.name)
    }

    fn lease_end(&self) -> DateTime<Utc> {
        let lease = TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::MAX);
        self.clock.now().checked_add_signed(lease).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn next(&self, due: DateTime<Utc>) -> Result<DateTime<Utc>> {
        self.schedule.next(due, self.clock.now()).map_err(Error::internal)
    }

    /// Makes the job known: its first time is the next after now.
    pub(crate) async fn add(&self) -> Result<()> {
        let (now, schedule) = (self.clock.now(), self.schedule.to_string());
        let due = self.next(now)?;
        let call = self.own_call();
        let add = async |tx: Tx| {
            let run = tx.run(&ADD_JOB).bind(self.name).bind(&schedule).bind(due).bind(DateTime::UNIX_EPOCH).bind(Uuid::nil());
            Ok(run.execute().await.map(drop)?)
        };
        self.store.transact(&call, add).await
    }

    /// Takes the turn if the job is due, or whenever nobody runs it if `at_once`.
    pub(crate) async fn look(&self, at_once: bool) -> Result<Look> {
        let now = self.clock.now();
        let find =
            async |read: Read| Ok(read.run(&FIND_JOB).bind(self.name).fetch_one::<(DateTime<Utc>, DateTime<Utc>)>().await?);
        let (due, leased_until) = self.store.read(&self.own_call(), find).await?;
        let wait = |until: DateTime<Utc>| (until - now).to_std().unwrap_or_default();
        if leased_until > now {
            // It may end sooner than its lease.
            return Ok(Look::Wait(wait(leased_until).min(self.lease / 3)));
        }
        if due > now && !at_once {
            return Ok(Look::Wait(wait(due)));
        }
        if !at_once && self.schedule.skips(due, now) {
            return self.skip(due).await;
        }
        self.take(at_once).await
    }

    async fn take(&self, at_once: bool) -> Result<Look> {
        let (run, end) = (Uuid::now_v7(), self.lease_end());
        let take = async |tx: Tx| {
            let now = self.clock.now();
            let found = tx.run(&FIND_JOB).bind(self.name).fetch_one::<(DateTime<Utc>, DateTime<Utc>)>().await?;
            let (due, leased_until) = found;
            if leased_until > now || (due > now && !at_once) {
                return Ok(None);
            }
            tx.run(&SET_LEASE).bind(self.name).bind(end).bind(run).execute().await?;
            Ok(Some(Turn { run, fence: tx.raise_fence(&self.work()).await?, due }))
        };
        let taken = self.store.transact(&self.own_call(), take).await?;
        Ok(taken.map_or(Look::Wait(Duration::ZERO), Look::Taken))
    }

    /// Leaves a time out that is long past.
    async fn skip(&self, missed: DateTime<Utc>) -> Result<Look> {
        tracing::warn!(domain = self.store.domain(), job = self.name, %missed, "a job's time was missed and is left out");
        if let Look::Taken(turn) = self.take(false).await? {
            self.end(&turn).await?;
        }
        Ok(Look::Wait(Duration::ZERO))
    }

    /// Renews the lease until it is lost.
    pub(crate) async fn keep(&self, turn: &Turn) {
        loop {
            self.clock.sleep(self.lease / 3).await;
            let end = self.lease_end();
            let keep = async |tx: Tx| Ok(tx.run(&KEEP_LEASE).bind(self.name).bind(end).bind(turn.run).execute().await?);
            match self.store.transact(&self.own_call(), keep).await {
                Ok(1) => {}
                Ok(_) => return,
                // The lease lasts for two more attempts; and were it lost, the run could not write.
                Err(error) => tracing::warn!(domain = self.store.domain(), job = self.name, %error, "a lease waits"),
            }
        }
    }

    /// Ends the turn; false if another process has it.
    pub(crate) async fn end(&self, turn: &Turn) -> Result<bool> {
        // A run ahead of its time changes nothing about the times.
        let due = if turn.due > self.clock.now() { turn.due } else { self.next(turn.due)? };
        let end = async |tx: Tx| {
            let run = tx.run(&END_RUN).bind(self.name).bind(DateTime::UNIX_EPOCH).bind(turn.run).bind(due);
            Ok(run.execute().await?)
        };
        Ok(self.store.transact(&self.own_call(), end).await? == 1)
    }
}
