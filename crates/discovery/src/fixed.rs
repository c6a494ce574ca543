//! The addresses that the configuration states.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use crate::{Endpoint, Endpoints, Resolver};

/// Addresses that never change.
#[derive(Debug, Default)]
pub struct Static {
    stated: BTreeMap<String, watch::Sender<Endpoints>>,
    unknown: watch::Sender<Endpoints>,
}

impl Static {
    /// With the addresses that the configuration states, one a domain.
    pub fn new(stated: BTreeMap<String, Endpoint>) -> Self {
        let fixed = |(domain, endpoint)| (domain, watch::Sender::new(Arc::from([endpoint])));
        Self { stated: stated.into_iter().map(fixed).collect(), unknown: watch::Sender::default() }
    }

    /// With the addresses of one domain's instances.
    pub fn of(domain: impl Into<String>, endpoints: impl Into<Endpoints>) -> Self {
        let stated = BTreeMap::from([(domain.into(), watch::Sender::new(endpoints.into()))]);
        Self { stated, unknown: watch::Sender::default() }
    }
}

impl Resolver for Static {
    fn watch(&self, domain: &str) -> watch::Receiver<Endpoints> {
        self.stated.get(domain).unwrap_or(&self.unknown).subscribe()
    }
}
