//! A domain: its contract, its records, its handler, its jobs.

use std::{marker::PhantomData, sync::Arc};

use weft_call::{Contract, Declares, Event, Result, Serves, Service, TopicPattern};
use weft_events::{Envelope, Handler};
use weft_jobs::Schedule;
use weft_saga::{Conductor, Definition};
use weft_store::{DomainSchema, Migrations, Statement};

use crate::{
    Context, StartError,
    context::Parts,
    erase::{Erase, EraseFn},
    event::{EventFn, Subscribed},
    job::{self, JobFn, Ready, Spec},
};

/// A domain that a process can run.
pub struct Domain {
    pub(crate) contract: &'static Contract,
    pub(crate) schema: DomainSchema,
    pub(crate) port: Option<u16>,
    pub(crate) suite: Option<&'static str>,
    pub(crate) job_names: Vec<(&'static str, Schedule)>,
    pub(crate) subscriptions: Vec<TopicPattern>,
    pub(crate) erase: Option<Erase>,
    pub(crate) start: Start,
}

/// Makes a domain's handler of what the mesh gives it.
type Start = Box<dyn FnOnce(&Parts) -> Result<Started, StartError> + Send>;

/// A domain whose handler is made.
pub(crate) struct Started {
    pub(crate) service: Arc<dyn Service>,
    pub(crate) jobs: Vec<Ready>,
    pub(crate) events: Vec<Handler>,
    /// Runs its sagas, if it has any.
    pub(crate) conductor: Option<Conductor>,
}

impl Domain {
    /// Begins a domain with the contract `C`.
    #[expect(clippy::new_ret_no_self, reason = "a domain is complete only when it has a handler")]
    pub fn new<C: Declares>() -> DomainBuilder<C> {
        let schema = DomainSchema::new(C::CONTRACT.domain)
            .part(weft_events::schema_part())
            .part(weft_jobs::schema_part())
            .part(weft_saga::schema_part());
        DomainBuilder { schema, contract: PhantomData }
    }

    /// Its name: `orders`.
    pub fn name(&self) -> &'static str {
        self.contract.domain
    }

    /// Its contract.
    pub fn contract(&self) -> &'static Contract {
        self.contract
    }

    /// Its records: migrations and statements.
    pub fn schema(&self) -> &DomainSchema {
        &self.schema
    }

    /// The topics whose events it handles.
    pub fn subscriptions(&self) -> &[TopicPattern] {
        &self.subscriptions
    }

    /// Its jobs and when they are due, those of the mesh last. They run in a system scope.
    pub fn jobs(&self) -> &[(&'static str, Schedule)] {
        &self.job_names
    }

    /// Its port, unless the configuration says another.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The port that [`Domain::port`] set.
    pub fn default_port(&self) -> Option<u16> {
        self.port
    }

    /// The suite that it belongs to, such as `commerce`: domains of a suite may be deployed together.
    #[must_use]
    pub fn suite(mut self, suite: &'static str) -> Self {
        self.suite = Some(suite);
        self
    }

    /// The suite that [`Domain::suite`] set; a domain without one is a suite of its own.
    pub fn suite_name(&self) -> &'static str {
        self.suite.unwrap_or_else(|| self.name())
    }
}

impl std::fmt::Debug for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Domain").field(&self.name()).finish()
    }
}

/// A domain without a handler yet.
#[derive(Debug)]
pub struct DomainBuilder<C> {
    schema: DomainSchema,
    contract: PhantomData<C>,
}

type Make<C, H> = Box<dyn for<'a> FnOnce(&Context<'a, C>) -> Result<H, StartError> + Send>;

impl<C: Declares> DomainBuilder<C> {
    /// Its migrations: `migrations!()` takes them from the crate's folder `migrations`.
    #[must_use]
    pub fn migrations(mut self, migrations: Migrations) -> Self {
        self.schema = self.schema.migrations(migrations);
        self
    }

    /// Its statements: the table that `statements!` makes.
    #[must_use]
    pub fn statements(mut self, statements: &'static [&'static Statement]) -> Self {
        self.schema = self.schema.statements(statements);
        self
    }

    /// Its handler.
    pub fn serve<H>(self, make: impl for<'a> FnOnce(&Context<'a, C>) -> H + Send + 'static) -> ServedDomain<C, H>
    where
        C: Serves<H>,
    {
        self.try_serve(|context| Ok(make(context)))
    }

    /// Its handler, where making it can fail: for a setting that is wrong, say.
    pub fn try_serve<H>(
        self,
        make: impl for<'a> FnOnce(&Context<'a, C>) -> Result<H, StartError> + Send + 'static,
    ) -> ServedDomain<C, H>
    where
        C: Serves<H>,
    {
        ServedDomain {
            schema: self.schema,
            make: Box::new(make),
            jobs: Vec::new(),
            events: Vec::new(),
            erase: None,
            sagas: Vec::new(),
        }
    }
}

/// A domain with a handler, to which jobs and events can be added.
pub struct ServedDomain<C, H> {
    schema: DomainSchema,
    make: Make<C, H>,
    jobs: Vec<Spec<H>>,
    events: Vec<Subscribed<H>>,
    erase: Option<Erase>,
    sagas: Vec<Conduct<H>>,
}

/// Adds a saga to what conducts a domain's.
type Conduct<H> = Box<dyn FnOnce(Conductor, &Arc<H>) -> Conductor + Send>;

impl<C: Serves<H>, H: Send + Sync + 'static> ServedDomain<C, H> {
    /// Runs `job` after each period, in one replica: `minutes(5)`, or
    /// `Schedule::every(minutes(5)).missed(Missed::Skip)`.
    #[must_use]
    pub fn every(self, name: &'static str, period: impl Into<Schedule>, job: impl for<'a> JobFn<'a, H>) -> Self {
        self.at(name, period.into(), job)
    }

    /// Runs `job` whenever the schedule says, in one replica: `Schedule::at("0 3 * * *")` is each night at three, UTC.
    #[must_use]
    pub fn at(mut self, name: &'static str, schedule: Schedule, job: impl for<'a> JobFn<'a, H>) -> Self {
        self.jobs.push(Spec { name, schedule, run: Arc::new(job) });
        self
    }

    /// Handles events of one type: each once, and those of one key in order.
    #[must_use]
    pub fn on<E: Event>(mut self, handle: impl for<'a> EventFn<'a, H, E>) -> Self {
        self.events.push(Subscribed::to(handle));
        self
    }

    /// Handles all events whose topics match, such as `events.user.*`, in the envelopes that they come in.
    #[must_use]
    pub fn on_all(mut self, pattern: TopicPattern, handle: impl for<'a> EventFn<'a, H, Envelope>) -> Self {
        self.events.push(Subscribed::to_all(pattern, handle));
        self
    }

    /// Conducts sagas of a definition, which the handler begins by [`Context::sagas`].
    #[must_use]
    pub fn saga<D: Send + 'static>(mut self, definition: Definition<H, D>) -> Self {
        self.sagas.push(Box::new(move |conductor, handler| conductor.with(definition, handler)));
        self
    }

    /// Erases what it keeps of a person who asks for it.
    #[must_use]
    pub fn erase(mut self, erase: impl for<'a> EraseFn<'a>) -> Self {
        self.erase = Some(Arc::new(erase));
        self
    }

    /// The finished domain.
    pub fn build(self) -> Domain {
        let Self { schema, make, jobs, events, erase, sagas } = self;
        let own = jobs.iter().map(|job| (job.name, job.schedule));
        let job_names = own.chain(job::OF_EVERY_DOMAIN).collect();
        let subscriptions = events.iter().map(|subscribed| subscribed.pattern.clone()).collect();
        let start = move |parts: &Parts| {
            job::check(C::CONTRACT.domain, &jobs)?;
            let handler = Arc::new(make(&Context::new(parts))?);
            let jobs = jobs.into_iter().map(|spec| spec.ready(&handler)).collect();
            let events = events.into_iter().map(|subscribed| subscribed.ready(&handler)).collect();
            let add = |conductor, add: Conduct<H>| add(conductor, &handler);
            let conductor = (!sagas.is_empty()).then(|| sagas.into_iter().fold(parts.conductor(), add));
            Ok(Started { service: C::service(handler), jobs, events, conductor })
        };
        Domain { contract: C::CONTRACT, schema, port: None, suite: None, job_names, subscriptions, erase, start: Box::new(start) }
    }
}

impl<C: Declares, H> std::fmt::Debug for ServedDomain<C, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ServedDomain").field(&C::CONTRACT.domain).finish()
    }
}
