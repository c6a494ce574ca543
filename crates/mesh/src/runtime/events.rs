//! Relays and consumers of the domains of a process, and what carries events between them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use weft_call::{Audit, Clock, Contract, TopicPattern};
use weft_config::Config;
use weft_events::{Carrier, Consumer, Handler, InProcess, Relay, Together};
use weft_store::Store;
use weft_telemetry::Metrics;

use super::Tasks;
use crate::{Domain, StartError};

/// The topic of audit records.
const AUDIT: &str = "events.audit.recorded";

/// Carries events as the configuration says: by `events.url`, by Redis, or among the domains of this process if all
/// that publish and handle the same events are here.
pub(super) fn carrier(
    config: &Config,
    domains: &[Domain],
    contracts: &[&'static Contract],
    subscriptions: &[(&'static str, Vec<TopicPattern>)],
) -> Result<Arc<dyn Carrier>, StartError> {
    if let Some(address) = config.events.url.as_ref().or(config.redis.url.as_ref()) {
        return Ok(weft_events::connect_trusted_by(
            address,
            config.redis.ca.as_deref(),
            &config.events.namespace,
            subscriptions.iter().cloned(),
        )?);
    }
    let is_here = |name: &str| domains.iter().any(|domain| domain.name() == name);
    for event in contracts.iter().flat_map(|contract| contract.events) {
        let handled = subscriptions.iter().filter(|(_, patterns)| patterns.iter().any(|pattern| pattern.matches(event.topic)));
        let mut handled = handled.map(|(consumer, _)| *consumer);
        if let Some(consumer) = handled.find(|consumer| is_here(consumer) != is_here(event.domain)) {
            return Err(StartError::EventsInProcess { topic: event.topic, publisher: event.domain, consumer });
        }
    }
    let here = subscriptions.iter().filter(|(consumer, _)| is_here(consumer)).cloned();
    Ok(Arc::new(InProcess::new(here)))
}

/// What the works of all domains have in common.
pub(super) struct Works<'a> {
    pub(super) carrier: Arc<dyn Carrier>,
    pub(super) contracts: &'a [&'static Contract],
    pub(super) clock: &'a Clock,
    pub(super) metrics: &'a Metrics,
    pub(super) lease: Duration,
}

impl Works<'_> {
    /// Starts each domain's relay and consumer, as far as it publishes and handles events.
    pub(super) fn start(&self, domains: Vec<(&'static Contract, Store, Vec<Handler>)>, background: &mut Tasks) {
        // Replicas have the same domains that publish and handle, and so agree on the first of them.
        let first = domains.iter().filter(|(contract, _, handlers)| relays(contract) || !handlers.is_empty());
        let first = first.map(|(_, store, _)| store).min_by_key(|store| store.domain());
        let together = first.filter(|_| self.carrier.is_in_process()).map(|store| Together::new(store.clone()));
        for (contract, store, handlers) in domains {
            self.start_one(contract, &store, handlers, together.as_ref(), background);
        }
    }

    fn start_one(
        &self,
        contract: &'static Contract,
        store: &Store,
        handlers: Vec<Handler>,
        together: Option<&Together>,
        background: &mut Tasks,
    ) {
        let (carrier, clock) = (Arc::clone(&self.carrier), self.clock.clone());
        if relays(contract) {
            let mut relay = Relay::new(store.clone(), carrier, clock, self.lease, self.metrics.clone());
            if let Some(together) = together {
                relay = relay.together(together.clone());
            }
            background.spawn(relay.run(background.token()));
        }
        if !handlers.is_empty() {
            let (carrier, clock) = (Arc::clone(&self.carrier), self.clock.clone());
            let sources = self.sources(&handlers);
            let mut consumer = Consumer::new(store.clone(), carrier, clock, self.lease, handlers, sources, self.metrics.clone());
            if let Some(together) = together {
                consumer = consumer.together(together.clone());
            }
            background.spawn(consumer.run(background.token()));
        }
    }

    /// The domains that publish what these handle.
    fn sources(&self, handlers: &[Handler]) -> Vec<String> {
        let events = self.contracts.iter().flat_map(|contract| contract.events);
        let wanted = events.filter(|event| handlers.iter().any(|handler| handler.pattern.matches(event.topic)));
        let publishers = wanted.map(|event| event.domain);
        let is_of_audit = handlers.iter().any(|handler| handler.pattern.matches(AUDIT));
        let recorders = self.contracts.iter().filter(|contract| is_of_audit && is_audited(contract));
        let sources = publishers.chain(recorders.map(|contract| contract.domain));
        sources.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// True if there are events of its own to relay.
fn relays(contract: &Contract) -> bool {
    !contract.events.is_empty() || is_audited(contract)
}

/// True if one of its methods leaves audit records, which are events of every such domain.
fn is_audited(contract: &Contract) -> bool {
    contract.services.iter().flat_map(|service| service.methods).any(|method| method.audit != Audit::None)
}
