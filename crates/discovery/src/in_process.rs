//! The domains of this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{Endpoint, Endpoints, Resolver};

/// The domains of this process: nothing to ask, nothing to wait for.
#[derive(Debug, Default)]
pub struct InProcess(Mutex<HashMap<String, watch::Sender<Endpoints>>>);

impl InProcess {
    /// Tells where a domain of this process listens.
    pub fn register(&self, domain: &str, endpoint: impl Into<Endpoint>) {
        self.publish(domain, Arc::from([endpoint.into()]));
    }

    /// Forgets a domain that has stopped.
    pub fn deregister(&self, domain: &str) {
        self.publish(domain, Endpoints::default());
    }

    fn publish(&self, domain: &str, endpoints: Endpoints) {
        self.domains().entry(domain.to_owned()).or_default().send_replace(endpoints);
    }

    fn domains(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Endpoints>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver for InProcess {
    fn watch(&self, domain: &str) -> watch::Receiver<Endpoints> {
        self.domains().entry(domain.to_owned()).or_default().subscribe()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::net::SocketAddr;

    use super::*;

    #[tokio::test]
    async fn a_domain_is_known_from_its_registration_to_its_end() {
        let resolver = InProcess::default();
        let mut watch = resolver.watch("catalog");
        assert!(watch.borrow_and_update().is_empty());
        let here = SocketAddr::from(([127, 0, 0, 1], 2));
        resolver.register("catalog", here);
        watch.changed().await.unwrap();
        assert_eq!(*watch.borrow_and_update(), [Endpoint::from(here)].into());
        assert_eq!(resolver.endpoints("catalog"), [here.into()]);
        resolver.deregister("catalog");
        watch.changed().await.unwrap();
        assert!(resolver.endpoints("catalog").is_empty());
    }
}
