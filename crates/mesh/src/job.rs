//! What a domain does at its time, or after each period.
//!
//! A job runs on the domain's own account ([`weft_call::Principal::Job`]) and over all tenants
//! ([`weft_call::Scope::System`]), in one replica at a time: see [`weft_jobs`]. A run that fails is logged
//! and the next one comes in its turn, so a job must leave its work in a state that the next run
//! can take up.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta};
use weft_call::{BoxFuture, Call, Clock, Result};
use weft_jobs::{Job, Run, Schedule};
use weft_saga::Sagas;
use weft_store::Store;

use crate::StartError;

/// It forgets old answers of KEYED methods.
const EXPIRE_ANSWERS: &str = "expire_idempotency_records";
/// It forgets old events, sent or handled.
const EXPIRE_EVENTS: &str = "expire_events";
/// It forgets sagas that have ended.
const EXPIRE_SAGAS: &str = "expire_sagas";
/// The jobs that every domain has.
pub(crate) const OF_EVERY_DOMAIN: [(&str, Schedule); 3] = [
    (EXPIRE_ANSWERS, Schedule::every(Duration::from_hours(1))),
    (EXPIRE_EVENTS, Schedule::every(Duration::from_hours(1))),
    (EXPIRE_SAGAS, Schedule::every(Duration::from_hours(1))),
];

/// How long a saga that has ended can still be looked at.
const SAGA_RETENTION: TimeDelta = TimeDelta::days(30);

/// What is sent more than once comes again within the retention; a record that it was handled lives
/// longer by this factor.
const HANDLED_FACTOR: i32 = 2;

/// A job: `async fn expire(&self, call: &Call) -> Result<()>` of the handler.
pub trait JobFn<'a, H>: Send + Sync + 'static {
    /// Runs it once.
    fn run(&self, handler: &'a H, call: &'a Call) -> BoxFuture<'a, Result<()>>;
}

impl<'a, H, F, R> JobFn<'a, H> for F
where
    H: 'a,
    F: Fn(&'a H, &'a Call) -> R + Send + Sync + 'static,
    R: Future<Output = Result<()>> + Send + 'a,
{
    fn run(&self, handler: &'a H, call: &'a Call) -> BoxFuture<'a, Result<()>> {
        Box::pin(self(handler, call))
    }
}

/// A job whose handler is not made yet.
pub(crate) struct Spec<H> {
    pub(crate) name: &'static str,
    pub(crate) schedule: Schedule,
    pub(crate) run: Arc<dyn for<'a> JobFn<'a, H>>,
}

/// A job whose handler is known.
pub(crate) struct Ready {
    pub(crate) name: &'static str,
    pub(crate) schedule: Schedule,
    pub(crate) run: Run,
}

/// What the jobs of a domain are made with.
pub(crate) struct Workshop<'a> {
    pub(crate) store: &'a Store,
    pub(crate) clock: &'a Clock,
    /// How long a lease holds.
    pub(crate) lease: Duration,
    /// How long events are kept.
    pub(crate) retention: Duration,
}

impl<H: Send + Sync + 'static> Spec<H> {
    pub(crate) fn ready(self, handler: &Arc<H>) -> Ready {
        let (handler, job) = (Arc::clone(handler), self.run);
        let run: Run = Arc::new(move |call| {
            let (handler, job) = (Arc::clone(&handler), Arc::clone(&job));
            Box::pin(async move { job.run(&handler, &call).await })
        });
        Ready { name: self.name, schedule: self.schedule, run }
    }
}

/// Refuses what would never run, or twice.
pub(crate) fn check<H>(domain: &'static str, jobs: &[Spec<H>]) -> Result<(), StartError> {
    for (index, job) in jobs.iter().enumerate() {
        if jobs[..index].iter().map(|job| job.name).chain(OF_EVERY_DOMAIN.map(|(name, _)| name)).any(|name| name == job.name) {
            return Err(StartError::JobTwice { domain, job: job.name });
        }
        job.schedule.next(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH).map_err(|source| StartError::Schedule {
            domain,
            job: job.name,
            source,
        })?;
    }
    Ok(())
}

impl Workshop<'_> {
    /// The domain's own jobs and those that every domain has.
    pub(crate) fn jobs(&self, own: Vec<Ready>) -> Vec<Job> {
        own.into_iter().chain(self.house_keeping()).map(|ready| self.job(ready)).collect()
    }

    fn job(&self, Ready { name, schedule, run }: Ready) -> Job {
        Job::new(self.store.clone(), name, schedule, self.clock.clone(), self.lease, run)
    }

    fn house_keeping(&self) -> impl Iterator<Item = Ready> {
        let (store, retention) = (self.store.clone(), self.retention);
        OF_EVERY_DOMAIN.into_iter().map(move |(name, schedule)| {
            let store = store.clone();
            let run: Run = Arc::new(move |call| {
                let store = store.clone();
                Box::pin(async move {
                    if name == EXPIRE_EVENTS {
                        return expire_events(&store, &call, retention).await;
                    }
                    if name == EXPIRE_SAGAS {
                        let ended_before = call.now() - SAGA_RETENTION;
                        return Sagas::new(store).expire(&call, ended_before).await.map(drop);
                    }
                    store.expire_idempotency_records(&call).await.map(drop)
                })
            });
            Ready { name, schedule, run }
        })
    }
}

/// Forgets events that were sent or handled long enough ago.
async fn expire_events(store: &Store, call: &Call, retention: Duration) -> Result<()> {
    let retention = TimeDelta::from_std(retention).unwrap_or(TimeDelta::MAX);
    let before = |age: TimeDelta| call.now().checked_sub_signed(age).unwrap_or_default();
    weft_events::log::expire(store, call, before(retention)).await?;
    let handled = retention.checked_mul(HANDLED_FACTOR).unwrap_or(TimeDelta::MAX);
    weft_events::expire_handled(store, call, before(handled)).await.map(drop)
}
